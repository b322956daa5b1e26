import type { GenerationEvent, GenerationRequest } from "./chat"
import { textOf } from "./content"
import type { EmbeddingEvent, EmbeddingRequest, RerankRequest } from "./embedding"
import type { ImageEvent, ImageRequest } from "./media/image"
import type { ModelKind } from "./model"
import type { SpeechEvent, SpeechRequest } from "./media/speech"
import type { TranscriptionEvent, TranscriptionRequest } from "./media/transcription"

export type MediaRequest = SpeechRequest | TranscriptionRequest | ImageRequest

/** What texts are turned into numbers for. */
export type VectorRequest = EmbeddingRequest | RerankRequest

/** Any request to a worker. */
export type WorkRequest = GenerationRequest | VectorRequest | MediaRequest

export type MediaEvent = SpeechEvent | TranscriptionEvent | ImageEvent

/** Any event of a request. */
export type WorkEvent = GenerationEvent | EmbeddingEvent | MediaEvent

/** What the parts of the program need to know of one sort of request. */
interface Task<R extends WorkRequest> {
  /** The kind of the models that are made for it. */
  readonly model: ModelKind
  /** Another kind that takes it as well. */
  readonly alsoTakenBy?: ModelKind
  /** How many of a worker's slots it takes. */
  slots(request: R): number
  /**
   * The text by whose beginning a worker is chosen that may have computed it before, at least as much of it as `length`
   * characters; empty where workers keep nothing of earlier requests.
   */
  prefix(request: R, length: number): string
  /** What the log shows of it where contents are logged. */
  logged(request: R): unknown
}

type Tasks = { readonly [K in WorkRequest["kind"]]: Task<Extract<WorkRequest, { readonly kind: K }>> }

const ONE_SLOT = () => 1
const NO_PREFIX = () => ""

/** Everything that can be asked of a worker. A new sort of request is a row here. */
const TASKS: Tasks = {
  chat: {
    model: "text",
    slots: ({ n }) => n,
    prefix: ({ messages }, length) =>
      beginningOf(messages, length, ({ role, content }) => `${role}\n${textOf(content)}\n`),
    logged: ({ messages }) => messages,
  },
  completion: {
    model: "text",
    slots: ({ n }) => n,
    prefix: ({ prompt }, length) =>
      typeof prompt === "string" ? prompt : beginningOf(prompt, length, (id) => `${id} `),
    logged: ({ prompt }) => prompt,
  },
  embedding: {
    model: "embedding",
    alsoTakenBy: "text",
    slots: ONE_SLOT,
    prefix: NO_PREFIX,
    logged: ({ inputs }) => inputs,
  },
  rerank: {
    model: "embedding",
    slots: ONE_SLOT,
    prefix: NO_PREFIX,
    logged: ({ query, documents }) => ({ query, documents }),
  },
  speech: {
    model: "tts",
    slots: ONE_SLOT,
    prefix: NO_PREFIX,
    logged: ({ input }) => input,
  },
  transcription: {
    model: "asr",
    slots: ONE_SLOT,
    prefix: NO_PREFIX,
    // What was said is the answer.
    logged: ({ prompt }) => prompt ?? "",
  },
  image: {
    model: "image",
    slots: ONE_SLOT,
    prefix: NO_PREFIX,
    logged: ({ prompt }) => prompt,
  },
}

/** The row of a request. */
export function taskOf<R extends WorkRequest>({ kind }: Pick<R, "kind">): Task<R> {
  // The row of a union is found by the kind alone, which the compiler cannot follow.
  return TASKS[kind as WorkRequest["kind"]] as Task<R>
}

/** Does a model of that kind take such requests? */
export function takes(model: ModelKind, kind: WorkRequest["kind"]): boolean {
  return TASKS[kind].model === model || TASKS[kind].alsoTakenBy === model
}

/** Does it ask a text model for text? */
export function isGenerationRequest(request: WorkRequest): request is GenerationRequest {
  return isGenerationKind(request.kind)
}

/** See {@link isGenerationRequest}. */
export function isGenerationKind(kind: WorkRequest["kind"]): kind is GenerationRequest["kind"] {
  return TASKS[kind].model === "text"
}

/** Does it ask for vectors or scores of texts? */
export function isVectorKind(kind: WorkRequest["kind"]): kind is VectorRequest["kind"] {
  return TASKS[kind].model === "embedding"
}

/** The texts of as many parts as make up a length. */
function beginningOf<T>(parts: readonly T[], length: number, textOf: (part: T) => string): string {
  const texts: string[] = []
  let size = 0
  for (const part of parts) {
    if (size >= length) break
    const text = textOf(part)
    texts.push(text)
    size += text.length
  }
  return texts.join("")
}

/** What a kind of models is called, how it is used, and how patient one must be with its workers. */
interface KindInfo {
  /** In tables; `… model` is a noun. */
  readonly type: string
  /** With its article. */
  readonly noun: string
  /** The routes that use it, in words. */
  readonly routes: string
  /** The command that uses it, behind the program's name. */
  readonly command: string
  /** Milliseconds where the usual ones are not enough (`engine/process/timeouts.ts`). */
  readonly timeouts: Partial<Readonly<Record<"loadSilenceMs" | "stepMs" | "mostStepMs", number>>>
}

/**
 * All kinds of models. The timeouts: ONNX Runtime reads and optimises a whole file without a sign, and so does
 * stable-diffusion.cpp with files of many gigabytes. A step of an encoder is a whole text, and of speech-to-text up to 30 seconds of audio. Of an image
 * model it is one of diffusion, the encoding of a prompt or the decoding of the image: minutes each on a slow CPU, all
 * the more as image models have the lowest priority.
 */
export const KINDS: Readonly<Record<ModelKind, KindInfo>> = {
  text: {
    type: "text",
    noun: "a text model",
    routes: "POST /v1/chat/completions or POST /v1/completions",
    command: 'run MODEL "prompt"',
    timeouts: {},
  },
  embedding: {
    type: "embedding",
    noun: "an embedding model",
    routes: "POST /v1/embeddings or POST /v1/rerank",
    command: 'embed MODEL "text"',
    timeouts: { stepMs: 60_000, mostStepMs: 300_000 },
  },
  tts: {
    type: "text-to-speech",
    noun: "a text-to-speech model",
    routes: "POST /v1/audio/speech",
    command: 'speak MODEL "text"',
    timeouts: { loadSilenceMs: 180_000, stepMs: 60_000 },
  },
  asr: {
    type: "speech-to-text",
    noun: "a speech-to-text model",
    routes: "POST /v1/audio/transcriptions",
    command: "transcribe MODEL FILE",
    timeouts: { loadSilenceMs: 180_000, stepMs: 120_000, mostStepMs: 300_000 },
  },
  image: {
    type: "image",
    noun: "an image model",
    routes: "POST /v1/images/generations",
    command: 'image MODEL "prompt"',
    timeouts: { loadSilenceMs: 300_000, stepMs: 900_000, mostStepMs: 900_000 },
  },
}

export function isModelKind(text: string): text is ModelKind {
  return Object.hasOwn(KINDS, text)
}

/** The kind of models that a command uses; undefined: of no kind in particular. */
export function kindUsedBy(command: string): ModelKind | undefined {
  return Object.keys(KINDS)
    .filter(isModelKind)
    .find((kind) => KINDS[kind].command.startsWith(`${command} `))
}
