import { afterEach } from "bun:test"
import { join } from "node:path"
import type { ChatRequest, CompletionRequest, GenerationEvent } from "../../src/domain/chat"
import type { EmbeddingRequest } from "../../src/domain/embedding"
import type { ImageRequest } from "../../src/domain/media/image"
import type {
  ModelDefaults,
  ModelDetails,
  ModelKind,
  ModelSummary,
  TextModelDetails,
} from "../../src/domain/model"
import type { ModelSettings } from "../../src/domain/settings"
import type { SpeechRequest } from "../../src/domain/media/speech"
import type { WorkEvent } from "../../src/domain/tasks"
import type { TranscriptionRequest } from "../../src/domain/media/transcription"
import { createEngine, type ManagedEngine } from "../../src/engine"
import type { EngineOptions } from "../../src/engine/local-engine"
import { ModelNotFound } from "../../src/errors/model"
import { createLogger } from "../../src/log/logger"
import type { Catalog } from "../../src/store/contract"
import { BUILT_IN_SETTINGS } from "./built-in-settings"
import type { FakeModel, FakePrompt } from "./fakes/fake-worker"

const FAKE_WORKER = join(import.meta.dir, "fakes/fake-worker.ts")

export const SETTINGS: ModelSettings = { ...BUILT_IN_SETTINGS, slots: 2, gpuLayers: 0 }

/** A test's model: its worker's behaviour, memory and other options. */
export interface TestModel {
  /** Absent: text. */
  readonly kind?: ModelKind
  /** Identifies its version. */
  readonly id?: string
  readonly defaults?: ModelDefaults
  readonly does?: FakeModel
  /** Absent: text generation, if it is a text model. */
  readonly capabilities?: readonly string[]
  /** Memory measured after the load, and estimated before; at least 96, which every worker takes. */
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
  /** Replaces the fake worker. */
  readonly command?: readonly string[]
  readonly probe?: "crash" | "hang" | "gpus"
  /** The store waits for this before it answers a lookup. */
  readonly answering?: () => Promise<void> | undefined
  /** Called before the store is listed. */
  readonly listing?: () => void
}

export interface LogEntry {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** An engine over the fake worker. Closed after the test. */
export interface TestEngine {
  readonly engine: ManagedEngine
  readonly logged: readonly LogEntry[]
  /** Lets a worker continue: see the fake worker. */
  release(model?: string): void
  /** The process id of the first worker of that model, or of any. */
  pid(model?: string): number
  /** The first logged event of that name, waiting for it if necessary. */
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
    answering,
    listing,
    ...engineOptions
  } = options
  const usual = { ...SETTINGS, slots: slots ?? SETTINGS.slots }
  const engine = createEngine({
    store: storeOf(models, answering, listing),
    settingsOf: ({ name, defaults }) => ({ ...usual, ...defaults?.settings, ...models[name]?.settings }),
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

/** The engine's estimate for every worker, without its model. */
const WORKER_MIB = 96

/** A store that reflects changes in `models`. */
function storeOf(
  models: Readonly<Record<string, TestModel>>,
  answering: TestEngineOptions["answering"],
  listing: TestEngineOptions["listing"],
): Catalog {
  const onlyOf = (kind: ModelKind = "text") => {
    const names = Object.keys(models).filter((name) => (models[name]?.kind ?? "text") === kind)
    return names.length === 1 ? names[0] : undefined
  }
  const find = (name = "m"): ModelDetails => {
    const model = models[name]
    if (model === undefined) throw new ModelNotFound(name)
    return detailsOfAny(name, model)
  }
  const summaryOf = (name: string | undefined): ModelSummary => find(name)
  return {
    list: async () => {
      listing?.()
      return Object.keys(models).map(summaryOf)
    },
    resolve: async (name, kind) => {
      const summary = summaryOf(name ?? onlyOf(kind))
      await answering?.()
      return summary
    },
    describe: async (name) => find(name),
  }
}

/** Without a cache and buffers, so that the estimate consists of the worker and the file. */
export function detailsOf(name: string, model: TestModel): TextModelDetails {
  return {
    ...commonOf(name, model),
    kind: "text",
    architecture: "fake",
    parameterCount: 0,
    quantization: "F32",
    contextLength: 2048,
    embeddingLength: 0,
    layers: 3,
    heads: 1,
    chatTemplate: undefined,
    metadata: {},
  }
}

function commonOf(
  name: string,
  { does = "plain", ramMiB = WORKER_MIB, id = "abc", defaults, capabilities = ["completion"] }: TestModel,
) {
  return {
    name,
    path: `${does}@${ramMiB}`,
    id,
    sizeBytes: (ramMiB - WORKER_MIB) * MIB,
    modifiedAt: new Date(0),
    ...(defaults !== undefined && { defaults }),
    license: undefined,
    capabilities,
  }
}

function detailsOfAny(name: string, model: TestModel): ModelDetails {
  const common = { ...commonOf(name, model), files: [] }
  const { kind = "text" } = model
  switch (kind) {
    case "text":
      return detailsOf(name, model)
    case "embedding": {
      const { kind: _, ...details } = detailsOf(name, model)
      return { ...details, kind }
    }
    case "tts":
      return { ...common, kind, family: "fake", sampleRate: 16_000, speakers: [undefined], languages: ["en"] }
    case "asr":
      return { ...common, kind, family: "fake", languages: [], canTranslate: false }
    case "image":
      return { ...common, kind, architecture: "sd1", parameterCount: 0, quantization: "F16", components: [] }
    default:
      return kind satisfies never
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

export function embedding(input: FakePrompt, model: string): EmbeddingRequest {
  return { kind: "embedding", model, inputs: [input], truncation: "no" }
}

export function speech(input: FakePrompt, model: string): SpeechRequest {
  return { kind: "speech", model, input, format: "wav", speed: 1 }
}

export function transcription(prompt: FakePrompt, model: string): TranscriptionRequest {
  return {
    kind: "transcription",
    model,
    prompt,
    audioPath: "/nowhere.wav",
    task: "transcribe",
    wordTimes: false,
  }
}

export function drawing(prompt: FakePrompt, model: string): ImageRequest {
  return { kind: "image", model, prompt, n: 1, format: "png", preview: false }
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

/** Reads a request's events from an engine one by one. */
export class Reader<E extends WorkEvent> {
  readonly #iterator: AsyncIterator<E>
  readonly #abort = new AbortController()
  /** Everything read so far. */
  readonly events: E[] = []

  constructor(ask: (signal: AbortSignal) => AsyncIterable<E>) {
    this.#iterator = ask(this.#abort.signal)[Symbol.asyncIterator]()
  }

  /** Reads up to the next event of `type`. Undefined at the end. */
  async until<T extends E["type"]>(type: T): Promise<Extract<E, { readonly type: T }> | undefined> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done === true) return undefined
      this.events.push(value)
      if (isOf(value, type)) return value
    }
  }

  /** Reads to the end. */
  async rest(): Promise<readonly E[]> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done === true) return this.events
      this.events.push(value)
    }
  }

  /** The iteration's error; undefined if it succeeds. */
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

/** A client that requests one completion. */
export class Client extends Reader<GenerationEvent> {
  constructor(engine: ManagedEngine, prompt: FakePrompt, n = 1, more: Partial<CompletionRequest> = {}) {
    super((signal) => engine.complete({ ...completion(prompt, n), ...more }, signal))
  }
}

function isOf<E extends WorkEvent, T extends E["type"]>(
  event: E,
  type: T,
): event is Extract<E, { readonly type: T }> {
  return event.type === type
}

/** Does a process with that id exist? */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
