import { afterEach } from "bun:test"
import { join } from "node:path"
import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  ModelSummary,
  TextModelSettings,
} from "../../src/domain"
import { createEngine, type Engine } from "../../src/engine"
import type { EngineLimits } from "../../src/engine/limits"
import { ModelNotFound } from "../../src/errors"
import { createLogger } from "../../src/log/logger"
import type { Store } from "../../src/store/contract"
import type { FakeModel, FakePrompt } from "./fake-worker"

const FAKE_WORKER = join(import.meta.dir, "fake-worker.ts")

export const SETTINGS: TextModelSettings = {
  contextLength: null,
  slots: 2,
  decodeThreads: null,
  prefillThreads: null,
  gpuLayers: null,
  splitMode: "layer",
  tensorSplit: null,
  devices: null,
  kvTypeK: "f16",
  kvTypeV: "f16",
  kvLayout: null,
  kvCells: null,
  flashAttention: "auto",
  memoryMap: true,
  memoryLock: false,
}

export interface TestEngineOptions {
  readonly model?: FakeModel
  readonly slots?: number
  readonly queueLimit?: number
  readonly limits?: Partial<EngineLimits>
  /** Instead of the fake worker. */
  readonly command?: readonly string[]
  readonly probe?: "crash" | "hang"
}

export interface LogEntry {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** An engine over the fake worker with one model, `m`. It is closed after the test. */
export interface TestEngine {
  readonly engine: Engine
  readonly logged: readonly LogEntry[]
  /** Makes the worker go on: see the fake worker. */
  release(): void
  pid(): number
}

const opened: Engine[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
})

export function testEngine(options: TestEngineOptions = {}): TestEngine {
  const logged: LogEntry[] = []
  const engine = createEngine({
    store: oneModel(options.model ?? "plain"),
    settings: { ...SETTINGS, slots: options.slots ?? SETTINGS.slots },
    runtimeFolder: "/nowhere",
    workerCommand: (kind) =>
      options.command ?? [
        process.execPath,
        FAKE_WORKER,
        kind,
        ...(options.probe === undefined ? [] : [options.probe]),
      ],
    log: createLogger({ level: "debug", format: "json", write: (line) => logged.push(JSON.parse(line)) }),
    ...(options.limits !== undefined && { limits: options.limits }),
    ...(options.queueLimit !== undefined && { queueLimit: options.queueLimit }),
  })
  opened.push(engine)
  const pid = () => engine.loaded()[0]?.pid ?? fail("no worker")
  return { engine, logged, pid, release: () => void process.kill(pid(), "SIGUSR2") }
}

function fail(reason: string): never {
  throw new Error(reason)
}

function oneModel(path: FakeModel): Store {
  const summary: ModelSummary = { name: "m", path, id: "abc", sizeBytes: 1, modifiedAt: new Date(0) }
  return {
    list: async () => [summary],
    resolve: async (name) => {
      if (name !== undefined && name !== "m") throw new ModelNotFound(name)
      return summary
    },
    describe: async (name) => {
      throw new ModelNotFound(name)
    },
    add: async () => summary,
  }
}

const OPTIONS = {
  model: "m",
  minTokens: 0,
  stop: [],
  sampling: {},
  cachePrompt: true,
  returnProgress: false,
} as const

export function completion(prompt: FakePrompt, n = 1): CompletionRequest {
  return { ...OPTIONS, kind: "completion", prompt, n, echo: false }
}

export function chatRequest(content: FakePrompt): ChatRequest {
  return {
    ...OPTIONS,
    kind: "chat",
    n: 1,
    messages: [{ role: "user", content }],
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
  }
}

/** One client of an engine, reading events one by one. */
export class Client {
  readonly #iterator: AsyncIterator<GenerationEvent>
  readonly #abort = new AbortController()
  /** Everything read so far. */
  readonly events: GenerationEvent[] = []

  constructor(engine: Engine, prompt: FakePrompt, n = 1) {
    const events = engine.complete(completion(prompt, n), this.#abort.signal)
    this.#iterator = events[Symbol.asyncIterator]()
  }

  /** The next event that is of `type`; the others before it are read too. Undefined at the end. */
  async until<T extends GenerationEvent["type"]>(
    type: T,
  ): Promise<Extract<GenerationEvent, { readonly type: T }> | undefined> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done === true) return undefined
      this.events.push(value)
      if (isOf(value, type)) return value
    }
  }

  /** Reads to the end. */
  async rest(): Promise<readonly GenerationEvent[]> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done === true) return this.events
      this.events.push(value)
    }
  }

  /** What the iteration fails with; undefined where it ends well. */
  async failure(): Promise<unknown> {
    try {
      await this.rest()
      return undefined
    } catch (error) {
      return error
    }
  }

  abort(): void {
    this.#abort.abort()
  }

  async leave(): Promise<void> {
    await this.#iterator.return?.()
  }
}

function isOf<T extends GenerationEvent["type"]>(
  event: GenerationEvent,
  type: T,
): event is Extract<GenerationEvent, { readonly type: T }> {
  return event.type === type
}

/** Is there a process of that id? */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
