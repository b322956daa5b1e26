import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import OpenAI from "openai"
import type { LoadedModelBody } from "../../src/http/v0/bodies/loaded-model"
import { type Session, startSession } from "./pty"
import { installBinary } from "./real/binary"
import { tempFolder } from "./temp-folder"

/** Fast to load, and without GPUs. */
const SMALL = ["--ctx", "512", "--slots", "4", "--kv-cells", "2048", "--gpu-layers", "0"]

export interface RunOptions {
  /** Piped input; absent: none. */
  readonly input?: string
  /** Environment variables besides HOME. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface ServeOptions {
  readonly environment?: Readonly<Record<string, string>>
  /** Model loading flags that replace the default fast ones. */
  readonly loading?: readonly string[]
}

/** The executable as a user downloads it: in an empty folder, with an empty home and no environment variables. */
export class Installation implements Disposable {
  readonly #folder: ReturnType<typeof tempFolder>
  readonly path: string
  readonly home: string

  private constructor(folder: ReturnType<typeof tempFolder>, path: string) {
    this.#folder = folder
    this.path = path
    this.home = join(folder.path, "home")
    mkdirSync(this.models, { recursive: true })
  }

  /** Builds the executable if necessary. */
  static async create(): Promise<Installation> {
    const folder = tempFolder()
    return new Installation(folder, await installBinary(folder.path))
  }

  /** The models folder. */
  get models(): string {
    return join(this.home, ".xllm/models")
  }

  /** The executable's folder, and its working directory. */
  get folder(): string {
    return this.#folder.path
  }

  /** Runs a command to its end. */
  async run(argv: readonly string[], { input = "", environment = {} }: RunOptions = {}) {
    const child = Bun.spawn([this.path, ...argv], {
      cwd: this.folder,
      env: { HOME: this.home, ...environment },
      stdin: new TextEncoder().encode(input),
      stdout: "pipe",
      stderr: "pipe",
    })
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { out, err, code }
  }

  /** Starts a command on a terminal. */
  openTerminal(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Session {
    return startSession({
      argv,
      program: [this.path],
      cwd: this.folder,
      environment: { HOME: this.home, ...environment },
    })
  }

  /** Starts `serve` on a free port and waits until it listens. @throws Error with its output if it ends before that */
  async serve(argv: readonly string[] = [], { environment = {}, loading = SMALL }: ServeOptions = {}) {
    const child = Bun.spawn([this.path, "serve", "--port", "0", ...loading, ...argv], {
      cwd: this.folder,
      env: { HOME: this.home, ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    // Read to its end: a full pipe would block the server.
    const log = new Response(child.stderr).text()
    const { value } = await child.stdout.getReader().read()
    const url = /^xLLM is listening on (\S+)\n$/.exec(new TextDecoder().decode(value))?.[1]
    if (url === undefined) throw new Error(`no address, but: ${await log}`)
    return new InstalledServer(child, url, log)
  }

  /** The executable's running processes, including workers but not zombies. */
  processes(): readonly number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => this.#isOurs(pid))
  }

  #isOurs(pid: number): boolean {
    try {
      return readlinkSync(`/proc/${pid}/exe`) === this.path && isRunning(pid)
    } catch {
      return false
    }
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}

/** A zombie has ended; its parent has just not collected it yet. */
function isRunning(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))
}

type Json = Readonly<Record<string, unknown>>

/** `serve` of an {@link Installation}; killed at the end of the scope if it still runs. */
export class InstalledServer implements AsyncDisposable {
  readonly url: string
  /** All of its stderr. */
  readonly log: Promise<string>
  readonly #child: Bun.Subprocess

  constructor(child: Bun.Subprocess, url: string, log: Promise<string>) {
    this.#child = child
    this.url = url
    this.log = log
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  get pid(): number {
    return this.#child.pid
  }

  /** Its exit code; 128 plus the signal's number if a signal ended it. */
  get exited(): Promise<number> {
    return this.#child.exited
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** OpenAI's own client, but without retries, so that errors are visible. */
  client(apiKey = "unused"): OpenAI {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey, maxRetries: 0 })
  }

  get(path: string, init: BunFetchRequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, init)
  }

  post(path: string, body: Json, init: BunFetchRequestInit = {}): Promise<Response> {
    const headers = { "content-type": "application/json", ...init.headers }
    return fetch(`${this.url}${path}`, { ...init, method: "POST", headers, body: JSON.stringify(body) })
  }

  /** POST /v1/chat/completions with a short question. */
  chat(body: Json, init?: BunFetchRequestInit): Promise<Response> {
    return this.post("/v1/chat/completions", { messages: [{ role: "user", content: "hi" }], ...body }, init)
  }

  /** The models in GET /v0/ps. */
  async loaded(): Promise<readonly LoadedModelBody[]> {
    const response = await this.get("/v0/ps")
    // The route's answer has this type.
    return ((await response.json()) as { models: LoadedModelBody[] }).models
  }

  /** The process id of a loaded model's worker. */
  async worker(model: string): Promise<number> {
    const pid = (await this.loaded()).find(({ name }) => name === model)?.pid
    if (pid == null) throw new Error(`model '${model}' has no worker`)
    return pid
  }

  /** Stops it as a service manager does, and waits. */
  async stop(): Promise<number> {
    this.kill("SIGTERM")
    return await this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL")
    await this.exited
  }
}
