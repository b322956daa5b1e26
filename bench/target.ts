import { basename, join } from "node:path"
import type { Endpoint } from "./completion"
import { BenchFailure } from "./failure"
import type { Role } from "./load"
import type { Options } from "./options"
import { freePort, ServerProcess } from "./server-process"

/** How a program is started by itself, for what it costs before it has a model. */
export interface Executable {
  /** A server without a model, on a port. */
  readonly serve: (port: number) => readonly string[]
  readonly version: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly healthPath: string
  /** Where the whole program is one file. */
  readonly file: string | undefined
}

/** A server whose numbers fill a column. */
export interface Target {
  readonly role: Role
  readonly label: string
  /** Absent for servers that somebody else started. */
  readonly executable?: Executable
  /** The server, ready for requests; it stays until it is disposed of. */
  open(signal: AbortSignal): Promise<OpenTarget>
}

export interface OpenTarget extends AsyncDisposable {
  readonly endpoint: Endpoint
}

/**
 * The servers that the options name, ours first.
 * @param workspace a folder for logs and for the state of the servers started here
 */
export function createTargets(options: Options, workspace: string): readonly Target[] {
  return [...ourTarget(options, workspace), ...peerTargets(options, workspace)]
}

function ourTarget(options: Options, workspace: string): readonly Target[] {
  const { ours, model, oursArguments } = options
  if (ours === null) return []
  const name = basename(model, ".gguf")
  if ("url" in ours) return [urlTarget("ours", "xLLM", ours.url, name)]
  // A home of its own: neither the user's settings nor an earlier version's files take part.
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
  // What another program sends: only this field is read.
  const { data } = (await response.json()) as { data?: readonly { id?: string }[] }
  const id = data?.[0]?.id
  if (id === undefined) throw new BenchFailure(`${url}/v1/models names no model; give --peer-model`)
  return id
}
