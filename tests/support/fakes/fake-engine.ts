import type { ModelSettings } from "../../../src/domain/settings"
import { BUILT_IN_SETTINGS } from "../built-in-settings"
import type { AdapterChoice, UsableAdapter } from "../../../src/domain/adapters"
import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  RenderedPrompt,
  SamplingParameters,
  TokenLogprob,
} from "../../../src/domain/chat"
import type { EmbeddingEvent, EmbeddingRequest, RerankRequest } from "../../../src/domain/embedding"
import type { ImageEvent, ImageRequest } from "../../../src/domain/media/image"
import type { LoadedModel, LoadedTextInfo } from "../../../src/domain/loaded-model"
import type {
  AsrDetails,
  ImageModelDetails,
  ModelDetails,
  ModelSummary,
  TtsDetails,
} from "../../../src/domain/model"
import type { SlotRequest, SlotResult } from "../../../src/domain/slots"
import type { SpeechEvent, SpeechRequest } from "../../../src/domain/media/speech"
import { taskOf, type WorkEvent, type WorkRequest } from "../../../src/domain/tasks"
import type { TokensRequest, TokensResult } from "../../../src/domain/tokens"
import type { TranscriptionEvent, TranscriptionRequest } from "../../../src/domain/media/transcription"
import type {
  Answering,
  ContextLengths,
  Engine,
  EngineStatus,
  FailedModel,
  SystemReport,
} from "../../../src/engine/contract"
import { ModelNotFound } from "../../../src/errors/model"
import { Cancelled } from "../../../src/errors/request"
import { SAMPLING_DEFAULTS } from "../../../src/formats/sampling-defaults"

/** Scripted work: yields events, throws errors, waits. */
type ScriptOf<R extends WorkRequest, E extends WorkEvent> = (
  request: R,
  signal: AbortSignal,
) => AsyncIterable<E>

export type Script = ScriptOf<GenerationRequest, GenerationEvent>
export type SpeechScript = ScriptOf<SpeechRequest, SpeechEvent>
export type TranscriptionScript = ScriptOf<TranscriptionRequest, TranscriptionEvent>
export type ImageScript = ScriptOf<ImageRequest, ImageEvent>

/** One call of the engine and its outcome. */
export interface Call<R extends WorkRequest = GenerationRequest> {
  readonly request: R
  readonly signal: AbortSignal
  /** Resolves when the iteration has ended, for whatever reason. */
  readonly left: Promise<void>
}

const MODIFIED_AT = new Date("2026-01-02T03:04:05Z")

/** An engine without models: its output comes from the test's scripts. */
export class FakeEngine implements Engine {
  /** Generations in the order of the requests. */
  readonly calls: Call[] = []
  readonly embeddings: Call<EmbeddingRequest>[] = []
  readonly rankings: Call<RerankRequest>[] = []
  readonly speeches: Call<SpeechRequest>[] = []
  readonly transcriptions: Call<TranscriptionRequest>[] = []
  readonly drawings: Call<ImageRequest>[] = []
  readonly stopped: string[] = []
  readonly kept: (readonly [model: string, seconds: number | null])[] = []
  readonly slotRequests: SlotRequest[] = []
  slotScript: (request: SlotRequest) => SlotResult = () => ({ tokens: 12, bytes: 3456, ms: 7 })
  script: Script
  embeddingScript: ScriptOf<EmbeddingRequest, EmbeddingEvent> = ({ inputs }) =>
    vectors(inputs.map((_, index) => [index, 0.5]))
  rankScript: ScriptOf<RerankRequest, EmbeddingEvent> = ({ documents }) =>
    vectors(documents.map(({ length }) => [length]))
  speechScript: SpeechScript = () => speech([[1, 2], [3]])
  transcriptionScript: TranscriptionScript = () => transcript(["Hello", "world."])
  imageScript: ImageScript = ({ n, width, height, seed }) => pictures({ n, width, height, seed })
  models: readonly string[] = ["tiny"]
  /** Models of other kinds. */
  mediaModels: readonly ModelDetails[] = []
  state: EngineStatus["status"] = "ok"
  /** For all text models. */
  contexts: ContextLengths = { trained: 512, served: 256 }
  loadedModels: readonly LoadedModel[] = []
  failedModels: readonly FailedModel[] = []

  constructor(script: Script = () => answer(["Hello", " world"])) {
    this.script = script
  }

  get lastRequest(): GenerationRequest {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error("nothing was generated")
    return call.request
  }

  chat(request: ChatRequest, signal: AbortSignal): Answering<GenerationEvent> {
    return this.#answer(run(this.calls, this.script, request, signal), request)
  }

  complete(request: CompletionRequest, signal: AbortSignal): Answering<GenerationEvent> {
    return this.#answer(run(this.calls, this.script, request, signal), request)
  }

  embed(request: EmbeddingRequest, signal: AbortSignal): Answering<EmbeddingEvent> {
    return this.#answer(run(this.embeddings, this.embeddingScript, request, signal), request)
  }

  rerank(request: RerankRequest, signal: AbortSignal): Answering<EmbeddingEvent> {
    return this.#answer(run(this.rankings, this.rankScript, request, signal), request)
  }

  speak(request: SpeechRequest, signal: AbortSignal): Answering<SpeechEvent> {
    return this.#answer(run(this.speeches, this.speechScript, request, signal), request)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): Answering<TranscriptionEvent> {
    return this.#answer(run(this.transcriptions, this.transcriptionScript, request, signal), request)
  }

  generateImage(request: ImageRequest, signal: AbortSignal): Answering<ImageEvent> {
    return this.#answer(run(this.drawings, this.imageScript, request, signal), request)
  }

  #answer<E>(events: AsyncIterable<E>, { model, kind }: WorkRequest): Answering<E> {
    return Object.assign(events, { model: this.#find(model, kind)?.name })
  }

  /** Names match in any case. */
  #find(model: string | undefined, kind: WorkRequest["kind"] | undefined): ModelDetails | undefined {
    const wanted = kind === undefined ? "text" : taskOf({ kind }).model
    return this.#all.find((known) =>
      model === undefined ? known.kind === wanted : known.name.toLowerCase() === model.toLowerCase(),
    )
  }

  async resolve(model: string | undefined, kind?: WorkRequest["kind"]): Promise<ModelDetails> {
    const found = this.#find(model, kind)
    if (found === undefined) throw new ModelNotFound(model ?? "")
    return found
  }

  async render(request: GenerationRequest): Promise<RenderedPrompt> {
    const prompt =
      request.kind === "chat" ? request.messages.map(({ content }) => content).join("|") : "prompt"
    return {
      prompt,
      tokens: [1, 2, 3],
      parameters: { ...SAMPLING, ...request.sampling, maxTokens: 7, stop: [] },
    }
  }

  async tokens(request: TokensRequest): Promise<TokensResult> {
    if (request.kind === "detokenize")
      return { tokens: request.tokens, text: String.fromCharCode(...request.tokens) }
    const bytes = new TextEncoder().encode(request.text)
    return {
      tokens: Int32Array.from(bytes),
      ...(request.withPieces && { pieces: { bytes, lengths: new Int32Array(bytes.length).fill(1) } }),
    }
  }

  async slot(request: SlotRequest): Promise<SlotResult> {
    this.slotRequests.push(request)
    return await this.slotScript(request)
  }

  async preload(): Promise<void> {}

  async stop(model: string): Promise<boolean> {
    this.stopped.push(model)
    return this.loadedModels.some(({ name }) => name === model)
  }

  async keep(model: string, seconds: number | null): Promise<void> {
    this.kept.push([model, seconds])
  }

  get #all(): readonly ModelDetails[] {
    return [...this.models.map(detailsOf), ...this.mediaModels]
  }

  async list(): Promise<readonly ModelDetails[]> {
    return this.#all
  }

  async show(model: string): Promise<ModelDetails> {
    const found = (await this.list()).find(({ name }) => name === model)
    if (found === undefined) throw new ModelNotFound(model)
    return found
  }

  /** Of all models; requests that name others are not refused. */
  usable: readonly UsableAdapter[] = []

  async adapters(model: string): Promise<readonly UsableAdapter[]> {
    await this.resolve(model)
    return this.usable
  }

  async setAdapters(model: string, choices: readonly AdapterChoice[]): Promise<void> {
    await this.resolve(model)
    const scaleOf = (name: string, id: number) =>
      choices.find(({ adapter }) => adapter === name || adapter === id)?.scale ?? 0
    this.usable = this.usable.map((one, id) => ({ ...one, scale: scaleOf(one.name, id) }))
  }

  async contextLengths(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>> {
    const texts = models.filter(({ kind }) => kind === "text")
    return new Map(texts.map(({ name }) => [name, this.contexts]))
  }

  async contextLength(model: string): Promise<number | undefined> {
    return (await this.contextLengths([await this.show(model)])).get(model)?.served
  }

  async settings(model: string): Promise<ModelSettings> {
    await this.resolve(model)
    return BUILT_IN_SETTINGS
  }

  loaded(): readonly LoadedModel[] {
    return this.loadedModels
  }

  status(): EngineStatus {
    const queue = { running: 1, waiting: 2, limit: 1000, models: [{ model: "tiny", running: 1, waiting: 2 }] }
    const models = this.loadedModels
    return {
      status: this.state,
      problems: [],
      queue,
      memory: MEMORY,
      models,
      failed: this.failedModels,
      devices: null,
    }
  }

  async system(): Promise<SystemReport> {
    const cpu = { name: "CPU", description: "a processor", kind: "cpu", backend: "CPU" } as const
    return {
      devices: [{ ...cpu, freeBytes: 1000, totalBytes: 2000 }],
      llamaVersion: "b1",
      gpuFallback: undefined,
    }
  }

  async close(): Promise<void> {}
}

async function* run<R extends WorkRequest, E extends WorkEvent>(
  calls: Call<R>[],
  script: ScriptOf<R, E>,
  request: R,
  signal: AbortSignal,
): AsyncGenerator<E> {
  const { promise: left, resolve } = Promise.withResolvers<void>()
  calls.push({ request, signal, left })
  try {
    yield* script(request, signal)
  } finally {
    resolve()
  }
}

const MEDIA_TIMINGS = { queueMs: 3, loadMs: 4, workMs: 500 } as const

/** The events of a request for vectors: the last first, one at a time. */
export async function* vectors(all: readonly (readonly number[])[]): AsyncGenerator<EmbeddingEvent> {
  for (const [index, values] of [...all.entries()].reverse())
    yield { type: "vectors", indices: Int32Array.of(index), values: Float32Array.from(values) }
  yield { type: "done", usage: { inputTokens: 3 * all.length, inputs: all.length }, timings: MEDIA_TIMINGS }
}

/** The events of a speech with these bytes as parts, each half a second long. */
export async function* speech(
  parts: readonly (readonly number[])[],
  mime = "audio/mpeg",
): AsyncGenerator<SpeechEvent> {
  yield { type: "voice", sampleRate: 16_000, speaker: 0, mime }
  for (const part of parts) yield { type: "audio", bytes: Uint8Array.from(part), samples: 8_000 }
  const usage = { characters: 12, sentences: parts.length, audioSeconds: parts.length / 2 }
  yield { type: "done", usage, timings: MEDIA_TIMINGS }
}

/** The events of a transcription with these texts, each one second long. */
export async function* transcript(
  texts: readonly string[],
  language: string | undefined = "en",
): AsyncGenerator<TranscriptionEvent> {
  yield { type: "audio", seconds: texts.length }
  for (const [index, text] of texts.entries()) {
    yield { type: "segment", segment: { index, start: index, end: index + 1, text } }
  }
  yield { type: "done", language, usage: { audioSeconds: texts.length }, timings: MEDIA_TIMINGS }
}

export interface PicturesOptions {
  readonly n: number
  readonly width?: number | undefined
  readonly height?: number | undefined
  readonly seed?: number | undefined
  readonly bytes?: Uint8Array
}

/** The events of images that take two steps each; their bytes are `bytes`, or the image's number. */
export async function* pictures(options: PicturesOptions): AsyncGenerator<ImageEvent> {
  const { n, width = 64, height = 64, seed = 7, bytes } = options
  for (let image = 0; image < n; image++) {
    for (const step of [1, 2]) yield { type: "step", image, step, steps: 2 }
    const file = bytes ?? Uint8Array.of(image)
    yield { type: "image", image, bytes: file, width, height, seed: seed + image }
  }
  yield { type: "done", usage: { images: n, steps: 2 * n }, timings: MEDIA_TIMINGS }
}

export interface AnswerOptions {
  readonly promptTokens?: number
  readonly cachedTokens?: number
  readonly choice?: number
  readonly reason?: "stop" | "length"
  readonly logprobs?: readonly (readonly TokenLogprob[])[]
}

/** The events of a complete answer with one choice, one token per text. */
export async function* answer(
  texts: readonly string[],
  options: AnswerOptions = {},
): AsyncGenerator<GenerationEvent> {
  yield { type: "prompt", tokens: options.promptTokens ?? 5 }
  yield* choiceEvents(texts, options)
  yield done(texts.length, options)
}

/** The events of one choice, which has only text. */
export function choiceEvents(
  texts: readonly string[],
  { choice = 0, reason = "stop", logprobs }: AnswerOptions = {},
): readonly GenerationEvent[] {
  const textEvents = texts.map((text, index): GenerationEvent => {
    const tokens = logprobs?.[index]
    return {
      type: "delta",
      choice,
      part: "text",
      text,
      tokens: 1,
      ...(tokens !== undefined && { logprobs: tokens }),
    }
  })
  return [
    { type: "part-start", choice, part: "text" },
    ...textEvents,
    { type: "part-end", choice, part: "text" },
    { type: "finish", choice, reason, completionTokens: texts.length },
  ]
}

/** The last event: half a second for the prompt, then 10 tokens a second. */
export function done(
  completionTokens: number,
  { promptTokens = 5, cachedTokens = 2 }: AnswerOptions = {},
): GenerationEvent {
  return {
    type: "done",
    usage: { promptTokens, completionTokens, cachedTokens },
    timings: {
      queueMs: 3,
      loadMs: 4,
      promptTokens: promptTokens - cachedTokens,
      promptMs: 500,
      generatedTokens: completionTokens,
      generationMs: Math.max(0, completionTokens - 1) * 100,
    },
  }
}

/** A token with the log probability and alternatives of an imaginary model. */
export function token(
  text: string | readonly number[],
  logprob: number,
  top: readonly TokenLogprob[] = [],
): TokenLogprob {
  const bytes = typeof text === "string" ? [...new TextEncoder().encode(text)] : text
  return { id: bytes[0] ?? 0, bytes, logprob, top }
}

/** Never resolves, but rejects like the real engine when the request is aborted. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(new Cancelled())
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
  })
}

export const SAMPLING: SamplingParameters = { ...SAMPLING_DEFAULTS, logitBias: [[5, -Infinity]] }

const MEMORY: EngineStatus["memory"] = {
  system: { totalBytes: 4000, freeBytes: 1000, usedByModels: 2000, mostUsedByModels: 2500, limitBytes: null },
  gpus: [
    {
      name: "CUDA0",
      totalBytes: 900,
      freeBytes: 500,
      usedByModels: 300,
      mostUsedByModels: 350,
      limitBytes: 800,
    },
  ],
}

/** A worker's report for a model with one layer on a GPU. */
export const TINY_INFO: LoadedTextInfo = {
  kind: "text",
  footprint: { ramBytes: 700, devices: [{ name: "CUDA0", bytes: 300 }] },
  contextLength: 512,
  trainedContextLength: 512,
  slots: 4,
  kvLayout: "unified",
  kvCells: 2048,
  kvBytes: 1000,
  kvMostCells: 2048,
  kvMostBytes: 1000,
  modelBytes: 234,
  gpuLayers: 1,
  totalLayers: 2,
  devices: ["CUDA0"],
  decodeThreads: 1,
  prefillThreads: 1,
  vocabularySize: 256,
  chatTemplate: "model",
  fillInTheMiddle: false,
  speculation: { isOn: true, explanation: "from earlier text, where it is faster" },
}

/** A loaded model as listed by the engine. */
export const LOADED_TINY: LoadedModel = {
  name: "tiny",
  kind: "text",
  id: "abc123",
  state: "ready",
  progress: 1,
  pid: 4711,
  info: undefined,
  sizeBytes: 1234,
  activeRequests: 1,
  queuedRequests: 2,
  loadedAt: MODIFIED_AT,
  lastUsedAt: undefined,
  counters: {
    decodeCalls: 1,
    promptTokensEvaluated: 2,
    promptTokensCached: 3,
    tokensGenerated: 4,
    preemptions: 5,
    kvGrowths: 6,
    draftTokens: 7,
    draftTokensAccepted: 8,
    adapterSwitches: 7,
    adapterLoads: 2,
    mediaEncoded: 3,
    mediaEncodeMs: 4,
  },
}

/** Shared by all models of other kinds than text. */
const media = (name: string) =>
  ({
    name,
    path: `/models/${name}`,
    id: "def456",
    sizeBytes: 4321,
    modifiedAt: MODIFIED_AT,
    license: undefined,
    files: [],
  }) as const

export const VOICE_MODEL: TtsDetails = {
  ...media("joe"),
  kind: "tts",
  family: "piper",
  sampleRate: 22_050,
  speakers: [undefined],
  languages: ["en-us"],
  capabilities: ["speech"],
}

export const RECOGNIZER_MODEL: AsrDetails = {
  ...media("ears"),
  kind: "asr",
  family: "whisper",
  languages: ["en", "de"],
  canTranslate: true,
  capabilities: ["transcription"],
}

export const IMAGE_MODEL: ImageModelDetails = {
  ...media("brush"),
  kind: "image",
  architecture: "sd1",
  parameterCount: 1000,
  quantization: "F16",
  components: ["diffusion", "vae", "clip_l"],
  capabilities: ["image"],
}

function detailsOf(name: string): ModelDetails {
  return {
    name,
    kind: "text",
    path: `/models/${name}.gguf`,
    id: "abc123",
    sizeBytes: 1234,
    modifiedAt: MODIFIED_AT,
    architecture: "llama",
    parameterCount: 1000,
    quantization: "F32",
    contextLength: 512,
    embeddingLength: 64,
    layers: 2,
    heads: 4,
    license: undefined,
    chatTemplate: undefined,
    capabilities: ["completion", "chat"],
    metadata: {},
  }
}
