import { basename, join } from "node:path"
import type { Endpoint } from "../src/measure/http/completion"
import { BenchFailure } from "./failure"
import type { Role } from "./load"
import type { Options } from "./options"
import { freePort, ServerProcess } from "./server-process"

/** How to start a program without a model, to measure its own costs. */
export interface Executable {
  /** Starts a server without a model on a port. */
  readonly serve: (port: number) => readonly string[]
  readonly version: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly healthPath: string
  /** Set if the whole program is one file. */
  readonly file: string | undefined
}

/** A server measured in one column. */
export interface Target {
  readonly role: Role
  readonly label: string
  /** Absent for servers started by the user. */
  readonly executable?: Executable
  /** Starts the server and waits until it is ready; it runs until disposed. */
  open(signal: AbortSignal): Promise<OpenTarget>
}

export interface OpenTarget extends AsyncDisposable {
  readonly endpoint: Endpoint
}

/**
 * The servers named by the options, ours first.
 * @param workspace a folder for the logs and state of servers started here
 */
export function createTargets(options: Options, workspace: string): readonly Target[] {
  return [...ourTarget(options, workspace), ...peerTargets(options, workspace)]
}

function ourTarget(options: Options, workspace: string): readonly Target[] {
  const { ours, model, oursArguments } = options
  if (ours === null) return []
  const name = basename(model, ".gguf")
  if ("url" in ours) return [urlTarget("ours", "xLLM", ours.url, name)]
  // A separate home: the user's settings and earlier versions' files must not interfere.
  const env = { XLLM_HOME: join(workspace, "home") }
  const serve = (port: number): readonly string[] => [...ours.command, "serve", "--port", String(port)]
  return [
    {
      role: "ours",
      label: "xLLM",
      executable: {
        serve,
        version: [...ours.command, "--version"],
        env,
        healthPath: "/v0/health",
        file: ours.binary,
      },
      open: (signal) =>
        openServer(
          (port) => [...serve(port), model, ...oursArguments],
          { env, healthPath: "/v0/health", logFile: join(workspace, "xllm.log") },
          name,
          signal,
        ),
    },
  ]
}

function peerTargets(options: Options, workspace: string): readonly Target[] {
  const { peer, llamaServer, model, llamaServerArguments } = options
  if (peer !== undefined) return [urlTarget("default", new URL(peer.url).host, peer.url, peer.model)]
  if (llamaServer === undefined) return []
  const serve = (port: number): readonly string[] => [llamaServer, "--port", String(port)]
  const variant = (role: Role, label: string, slots: readonly string[]): Target => ({
    role,
    label,
    open: (signal) =>
      openServer(
        (port) => [...serve(port), "-m", model, ...slots, ...llamaServerArguments],
        { healthPath: "/health", logFile: join(workspace, `llama-server-${role}.log`) },
        basename(model),
        signal,
      ),
  })
  const executable: Executable = {
    serve,
    version: [llamaServer, "--version"],
    env: {},
    healthPath: "/health",
    file: undefined,
  }
  return [
    { ...variant("default", "llama-server", []), executable },
    variant("np16", "llama-server -np 16", ["-np", "16"]),
  ]
}

async function openServer(
  command: (port: number) => readonly string[],
  server: {
    readonly env?: Readonly<Record<string, string>>
    readonly healthPath: string
    readonly logFile: string
  },
  model: string,
  signal: AbortSignal,
): Promise<OpenTarget> {
  const port = freePort()
  const started = await ServerProcess.start({ ...server, command: command(port), port }, signal)
  return {
    endpoint: { url: started.url, model, signal },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  }
}

function urlTarget(role: Role, label: string, url: string, model: string | undefined): Target {
  return {
    role,
    label,
    open: async (signal) => ({
      endpoint: { url, model: model ?? (await firstModel(url, signal)), signal },
      [Symbol.asyncDispose]: async () => {},
    }),
  }
}

async function firstModel(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${url}/v1/models`, { signal })
  if (!response.ok) throw new BenchFailure(`HTTP ${response.status} from ${url}/v1/models; give --peer-model`)
  // From another program: only this field is read.
  const { data } = (await response.json()) as { data?: readonly { id?: string }[] }
  const id = data?.[0]?.id
  if (id === undefined) throw new BenchFailure(`${url}/v1/models names no model; give --peer-model`)
  return id
}
