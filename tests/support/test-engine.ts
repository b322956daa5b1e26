import { afterEach } from "bun:test"
import { join } from "node:path"
import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  ModelDetails,
  ModelSettings,
  ModelSummary,
  TextModelDetails,
} from "../../src/domain"
import { createEngine, type ManagedEngine } from "../../src/engine"
import type { EngineOptions } from "../../src/engine/local-engine"
import { ModelNotFound } from "../../src/errors"
import { createLogger } from "../../src/log/logger"
import type { Catalog } from "../../src/store/contract"
import type { FakeModel, FakePrompt } from "./fake-worker"

const FAKE_WORKER = join(import.meta.dir, "fake-worker.ts")

export const SETTINGS: ModelSettings = {
  contextLength: null,
  slots: 2,
  decodeThreads: null,
  prefillThreads: null,
  gpuLayers: 0,
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
  priority: "normal",
  pinned: false,
  keepAliveSeconds: 300,
  replicas: 1,
  preload: false,
}

/** A model of a test: what its worker does, what it takes, and how it is kept. */
export interface TestModel {
  readonly does?: FakeModel
  /** What its worker measures after the load, and what is estimated before; at least 64, which any worker takes. */
  readonly ramMiB?: number
  readonly settings?: Partial<ModelSettings>
}

export interface TestEngineOptions extends Partial<
  Pick<EngineOptions, "limits" | "queueLimit" | "queueTimeoutMs" | "memory" | "simulatedDevices" | "observer">
> {
  readonly model?: FakeModel
  readonly slots?: number
  /** By name; absent: one, `m`. */
  readonly models?: Readonly<Record<string, TestModel>>
  /** Instead of the fake worker. */
  readonly command?: readonly string[]
  readonly probe?: "crash" | "hang" | "gpus"
}

export interface LogEntry {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** An engine over the fake worker. It is closed after the test. */
export interface TestEngine {
  readonly engine: ManagedEngine
  readonly logged: readonly LogEntry[]
  /** Makes a worker go on: see the fake worker. */
  release(model?: string): void
  /** Of the first worker of that model, or of any. */
  pid(model?: string): number
  /** The next event of that name that is logged, or the first one that was. */
  heard(event: string, fields?: Readonly<Record<string, unknown>>): Promise<LogEntry>
}

const opened: ManagedEngine[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()))
})

export function testEngine(options: TestEngineOptions = {}): TestEngine {
  const logged: LogEntry[] = []
  const listeners = new Set<(entry: LogEntry) => void>()
  const {
    model = "plain",
    slots,
    models = { m: { does: model } },
    command,
    probe,
    ...engineOptions
  } = options
  const usual = { ...SETTINGS, slots: slots ?? SETTINGS.slots }
  const engine = createEngine({
    store: storeOf(models),
    settingsOf: (name) => ({ ...usual, ...models[name]?.settings }),
    runtimeFolder: "/nowhere",
    derivedFolder: "/nowhere",
    workerCommand: (kind) =>
      command ?? [process.execPath, FAKE_WORKER, kind, ...(probe === undefined ? [] : [probe])],
    log: createLogger({ level: "debug", format: "json", write: (line) => hear(JSON.parse(line)) }),
    ...engineOptions,
  })
  opened.push(engine)
  const hear = (entry: LogEntry) => {
    logged.push(entry)
    for (const listener of listeners) listener(entry)
  }
  const heard = (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
    const isIt = (entry: LogEntry) =>
      entry.event === event && Object.entries(fields).every(([name, value]) => entry[name] === value)
    const { promise, resolve } = Promise.withResolvers<LogEntry>()
    listeners.add((entry) => isIt(entry) && resolve(entry))
    logged.filter(isIt).slice(0, 1).forEach(resolve)
    return promise
  }
  const pid = (name?: string) =>
    engine.loaded().find((loaded) => name === undefined || loaded.name === name)?.pid ?? fail("no worker")
  return { engine, logged, pid, heard, release: (name) => void process.kill(pid(name), "SIGUSR2") }
}

function fail(reason: string): never {
  throw new Error(reason)
}

const MIB = 1024 ** 2

/** What the engine takes every worker for, before it looks at the model. */
const WORKER_MIB = 64

function storeOf(models: Readonly<Record<string, TestModel>>): Catalog {
  const find = (name = "m"): ModelDetails => {
    const model = models[name]
    if (model === undefined) throw new ModelNotFound(name)
    return detailsOf(name, model)
  }
  const summaryOf = (name: string | undefined): ModelSummary => find(name)
  return {
    list: async () => Object.keys(models).map(summaryOf),
    resolve: async (name) => summaryOf(name),
    describe: async (name) => find(name),
  }
}

/** Without a cache and buffers, so that what it is estimated to take is the worker and the file. */
export function detailsOf(
  name: string,
  { does = "plain", ramMiB = WORKER_MIB }: TestModel,
): TextModelDetails {
  return {
    name,
    kind: "text",
    path: `${does}@${ramMiB}`,
    id: "abc",
    sizeBytes: (ramMiB - WORKER_MIB) * MIB,
    modifiedAt: new Date(0),
    architecture: "fake",
    parameterCount: 0,
    quantization: "F32",
    contextLength: 2048,
    embeddingLength: 0,
    layers: 3,
    heads: 1,
    license: undefined,
    chatTemplate: undefined,
    capabilities: ["completion"],
    metadata: {},
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

  constructor(engine: ManagedEngine, prompt: FakePrompt, n = 1, more: Partial<CompletionRequest> = {}) {
    const events = engine.complete({ ...completion(prompt, n), ...more }, this.#abort.signal)
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
