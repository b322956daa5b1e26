/** Types only: where both HTTP dialects, the command line, the engine and the workers meet. */

// ---------------------------------------------------------------------------------------------- requests

export type Role = "system" | "developer" | "user" | "assistant" | "tool"

export interface ChatMessage {
  readonly role: Role
  readonly content: string
  /** Who speaks, where a template shows it. */
  readonly name?: string
  /** For role `tool`: the call that this is the result of. */
  readonly toolCallId?: string
}

/** How the next token is chosen. Names and meanings follow llama.cpp's sampler chain. */
export interface SamplingParameters {
  /** 0 means greedy. */
  readonly temperature: number
  readonly dynamicTemperatureRange: number
  readonly dynamicTemperatureExponent: number
  /** 0 means off. */
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly typicalP: number
  /** Negative means off. */
  readonly topNSigma: number
  /** The fewest candidates that top-p, min-p, typical-p and XTC leave. */
  readonly minKeep: number
  readonly xtcProbability: number
  readonly xtcThreshold: number
  /** 1 means off. */
  readonly repeatPenalty: number
  /** Tokens looked back on by the penalties; -1 means the whole context. */
  readonly repeatLastN: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  /** 0 means off. */
  readonly dryMultiplier: number
  readonly dryBase: number
  readonly dryAllowedLength: number
  /** -1 means the whole context. */
  readonly dryPenaltyLastN: number
  readonly drySequenceBreakers: readonly string[]
  /** 0 off, 1 or 2 the version; replaces the other samplers but temperature and penalties. */
  readonly mirostat: 0 | 1 | 2
  readonly mirostatTau: number
  readonly mirostatEta: number
  /** `null`: a fresh one for every sequence. */
  readonly seed: number | null
  /** Added to logits; the key is a token id, or a text whose every token is biased. `-Infinity` bans. */
  readonly logitBias: readonly (readonly [token: number | string, bias: number])[]
  /** Never choose a token that ends the generation. */
  readonly ignoreEos: boolean
}

/** What requests of every kind share. */
export interface RequestOptions {
  /** May be left out where exactly one model is known. */
  readonly model?: string
  /** Names the request in log lines, here and in the worker. */
  readonly requestId?: string
  /** How long the model stays loaded after this request; 0: until nobody uses it, `null`: for ever. Absent: as configured. */
  readonly keepAliveSeconds?: number | null
  /** How long the request may wait for its turn; absent: as configured. */
  readonly queueTimeoutMs?: number
}

/** What chat and completion requests share. */
export interface GenerationOptions extends RequestOptions {
  /** How many answers are generated from one prompt; at least 1. */
  readonly n: number
  /**
   * The most tokens an answer may have; `Infinity`: until the context is full, absent: as the model says. 0 evaluates
   * the prompt only.
   */
  readonly maxTokens?: number
  /** What counts where neither the request nor the model says it; absent: until the context is full. */
  readonly usualMaxTokens?: number
  /** No token may end the answer before it has this many. */
  readonly minTokens: number
  /** Texts that end the answer; they are not part of it, unless {@link keepsStop}. */
  readonly stop: readonly string[]
  /** Tokens that end the answer as its own end does, also where that is ignored; not part of it, unless {@link keepsStop}. */
  readonly stopTokens?: readonly number[]
  /** The text or token of `stop` and `stopTokens` that ends the answer is its last part. */
  readonly keepsStop?: boolean
  /** Control tokens that the model generates have no text; otherwise it is their name. */
  readonly hidesControlTokens?: boolean
  /** Report the ids of all generated tokens in `text` events. */
  readonly reportsTokens?: boolean
  /** What the request says; the model's and the built-in defaults fill the rest. */
  readonly sampling: Partial<SamplingParameters>
  /** How many alternatives to report for every token; 0: only the chosen one; absent: no log probabilities. */
  readonly topLogprobs?: number
  /** May a cached prefix be used? `false` makes the cache state reproducible. */
  readonly cachePrompt: boolean
  /** Report `progress` events while the prompt is evaluated. */
  readonly returnProgress: boolean
}

export interface ChatRequest extends GenerationOptions {
  readonly kind: "chat"
  readonly messages: readonly ChatMessage[]
  /** Extra variables for the model's chat template (`chat_template_kwargs`). */
  readonly templateArguments: Readonly<Record<string, unknown>>
  /** Ends the prompt with the opening of an assistant turn. */
  readonly addGenerationPrompt: boolean
  /** The last message is an assistant's, unfinished: the answer goes on from it. */
  readonly continueFinalMessage: boolean
}

export interface CompletionRequest extends GenerationOptions {
  readonly kind: "completion"
  /** Text, or token ids. */
  readonly prompt: string | readonly number[]
  /** Text after the gap: asks for fill-in-the-middle. */
  readonly suffix?: string
  /** Only so many of the prompt's last tokens count, BOS among them; 0: as many as leave room for the answer. */
  readonly keepLast?: number
  /** Report the prompt's own text (and, with `topLogprobs`, its tokens' log probabilities) in the `prompt` event. */
  readonly echo: boolean
}

export type GenerationRequest = ChatRequest | CompletionRequest

export type AudioFormat = "mp3" | "opus" | "aac" | "flac" | "wav" | "pcm"

/** Text to be spoken. */
export interface SpeechRequest extends RequestOptions {
  readonly kind: "speech"
  readonly input: string
  /** A speaker's name, or its number as text; absent: the voice's first. */
  readonly voice?: string
  readonly format: AudioFormat
  /** 0.25 to 4; 1 is the voice's own. */
  readonly speed: number
}

/** Speech to be written down. */
export interface TranscriptionRequest extends RequestOptions {
  readonly kind: "transcription"
  /** A file with the audio, in any container that is supported; whoever asks keeps it until the end. */
  readonly audioPath: string
  /** `translate`: into English. */
  readonly task: "transcribe" | "translate"
  /** ISO 639-1 code; absent: the recogniser finds out, or knows only one. */
  readonly language?: string
  /** Text that comes before, or names how things are spelt. A hint: families that take none write as they would. */
  readonly prompt?: string
  /** A hint too. */
  readonly temperature?: number
  /** Report when each word is said, where the family can. */
  readonly wordTimes: boolean
}

export type ImageFormat = "png" | "jpeg" | "webp"

/** A picture to be made. */
export interface ImageRequest extends RequestOptions {
  readonly kind: "image"
  readonly prompt: string
  readonly negativePrompt?: string
  /** How many; at least 1. Made one after another, with seeds that count up. */
  readonly n: number
  /** Pixels. Absent: the model's own size. */
  readonly width?: number
  readonly height?: number
  readonly steps?: number
  /** Classifier-free guidance. */
  readonly cfgScale?: number
  /** Absent: a random one. */
  readonly seed?: number
  readonly sampler?: string
  readonly scheduler?: string
  readonly format: ImageFormat
  /** 0 to 100, of jpeg and webp. */
  readonly compression?: number
  /** Send a small picture with each step, where the engine can. */
  readonly preview: boolean
  /** A picture to start from; files that whoever asks keeps until the end. */
  readonly source?: {
    readonly imagePath: string
    /** Transparent or black where the picture is to change. */
    readonly maskPath?: string
    /** 0: the picture as it is, 1: as if there were none. */
    readonly strength: number
  }
}

export type MediaRequest = SpeechRequest | TranscriptionRequest | ImageRequest

/** Anything that a worker can be asked for. */
export type WorkRequest = GenerationRequest | MediaRequest

// ------------------------------------------------------------------------------------------------ events

export interface TokenAlternative {
  readonly id: number
  /** The token's bytes; one token may hold a part of a character. */
  readonly bytes: readonly number[]
  /** Natural logarithm of the probability, from the full vocabulary's logits before any sampler. */
  readonly logprob: number
}

export interface TokenLogprob extends TokenAlternative {
  /** The most probable tokens at this place, best first. */
  readonly top: readonly TokenAlternative[]
}

/** `stop`: an end-of-generation token or a stop text. `length`: the token limit or the end of the context. */
export type FinishReason = "stop" | "length"

export interface Usage {
  readonly promptTokens: number
  /** Of all choices together. */
  readonly completionTokens: number
  /** How many of the prompt's tokens were not evaluated because a cached prefix had them. */
  readonly cachedTokens: number
}

/** Milliseconds, and what was done in them. */
export interface Timings {
  /** Waiting for a free slot. */
  readonly queueMs: number
  /** Waiting for the model to load. */
  readonly loadMs: number
  /** Prompt tokens that were evaluated (not cached). */
  readonly promptTokens: number
  readonly promptMs: number
  /** Tokens generated, of all choices; the rate leaves out each choice's first token, which the prompt paid for. */
  readonly generatedTokens: number
  readonly generationMs: number
}

/**
 * What a running request tells. Order: any `loading` and `queued`, then `prompt`, any `progress`, then `text` and
 * one `finish` per choice, then `done`. A failure is thrown from the iteration as an XllmError instead.
 */
export type GenerationEvent =
  | { readonly type: "loading"; readonly fraction: number }
  /** How many requests are ahead. */
  | { readonly type: "queued"; readonly position: number }
  /** The prompt is built and accepted. `text` and `logprobs` only where the request has `echo`. */
  | {
      readonly type: "prompt"
      readonly tokens: number
      /** What is not as the client may expect, one sentence each; absent: nothing. */
      readonly warnings?: readonly string[]
      readonly text?: string
      /** One per prompt token; the first token has none before it to be predicted from. */
      readonly logprobs?: readonly (
        TokenLogprob | { readonly id: number; readonly bytes: readonly number[] }
      )[]
    }
  | {
      readonly type: "progress"
      readonly total: number
      readonly cached: number
      readonly processed: number
      readonly ms: number
    }
  /**
   * More text of one choice: whole characters only. `logprobs`: of the tokens that this text completes. `ids`, where
   * they are wanted: of the tokens that were generated since the event before, the one that ends the answer included.
   */
  | {
      readonly type: "text"
      readonly choice: number
      readonly text: string
      readonly tokens: number
      readonly logprobs?: readonly TokenLogprob[]
      readonly ids?: readonly number[]
    }
  | {
      readonly type: "finish"
      readonly choice: number
      readonly reason: FinishReason
      /** The stop text that was met. */
      readonly stop?: string
      readonly completionTokens: number
    }
  | { readonly type: "done"; readonly usage: Usage; readonly timings: Timings }

/** What somebody who waits hears: `fraction` of the load, or how many requests are ahead. */
export type WaitingEvent =
  | { readonly type: "loading"; readonly fraction: number }
  | { readonly type: "queued"; readonly position: number }

/** How long a request of a voice, a recogniser or a painter took, in milliseconds. */
export interface MediaTimings {
  readonly queueMs: number
  readonly loadMs: number
  readonly workMs: number
}

/** What speaking tells: any waiting, then `voice`, `audio` as it is made, and `done`. */
export type SpeechEvent =
  | WaitingEvent
  /** Of the samples that were encoded. */
  | { readonly type: "voice"; readonly sampleRate: number; readonly speaker: number; readonly mime: string }
  /** The next part of the encoded file. `samples`: how many were synthesised for it. */
  | { readonly type: "audio"; readonly bytes: Uint8Array; readonly samples: number }
  | {
      readonly type: "done"
      readonly usage: {
        /** Characters of the input. */
        readonly characters: number
        readonly sentences: number
        readonly audioSeconds: number
      }
      readonly timings: MediaTimings
    }

/** A stretch of speech. Times are seconds from the start of the audio. */
export interface TranscriptSegment {
  readonly index: number
  readonly start: number
  readonly end: number
  readonly text: string
  readonly words?: readonly { readonly word: string; readonly start: number; readonly end: number }[]
}

/** What transcribing tells: any waiting, then `audio`, the segments as they are recognised, and `done`. */
export type TranscriptionEvent =
  | WaitingEvent
  | { readonly type: "audio"; readonly seconds: number }
  | { readonly type: "segment"; readonly segment: TranscriptSegment }
  | {
      readonly type: "done"
      /** As it was given or found; undefined where the family does not tell. */
      readonly language: string | undefined
      readonly usage: { readonly audioSeconds: number }
      readonly timings: MediaTimings
    }

/** What drawing tells: any waiting, then `step` and `image` for each picture, and `done`. */
export type ImageEvent =
  | WaitingEvent
  | {
      readonly type: "step"
      /** Which picture, from 0. */
      readonly image: number
      readonly step: number
      readonly steps: number
      /** A small PNG, where it was asked for and the engine can. */
      readonly preview?: Uint8Array
    }
  | {
      readonly type: "image"
      readonly image: number
      /** The encoded file. */
      readonly bytes: Uint8Array
      readonly width: number
      readonly height: number
      readonly seed: number
    }
  | {
      readonly type: "done"
      readonly usage: { readonly images: number; readonly steps: number }
      readonly timings: MediaTimings
    }

export type MediaEvent = SpeechEvent | TranscriptionEvent | ImageEvent

/** Anything that a worker tells of a request. */
export type WorkEvent = GenerationEvent | MediaEvent

/** A prompt as the model would see it. */
export interface RenderedPrompt {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** The effective sampling parameters and limits. */
  readonly parameters: SamplingParameters & { readonly maxTokens: number; readonly stop: readonly string[] }
}

// ------------------------------------------------------------------------------------- models and devices

/** What a model does: generate text, speak, write down speech, or draw. */
export type ModelKind = "text" | "voice" | "recognizer" | "image"

/** A model on disk. */
export interface ModelSummary {
  readonly name: string
  readonly kind: ModelKind
  /** What a worker loads: a file, or the folder of a model that consists of several. */
  readonly path: string
  /** Hex digest that names this version of the file. */
  readonly id: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
  /** What it brings along beside its weights; absent: nothing. */
  readonly defaults?: ModelDefaults
  /** Other names that the configuration gives it, in lists and descriptions; absent: none. */
  readonly aliases?: readonly string[]
}

/**
 * What a model brings along beside its weights, from a Modelfile or from the registry that it came from. Requests win
 * over it, and so does what the user has set; it wins over what the GGUF says.
 */
export interface ModelDefaults {
  /** Jinja; in place of the file's own. */
  readonly template?: string
  /** Used where a chat does not begin with a system message. */
  readonly system?: string
  /** Come before a chat's own messages, behind its system message. */
  readonly messages?: readonly ChatMessage[]
  readonly sampling?: Partial<SamplingParameters>
  readonly stop?: readonly string[]
  readonly maxTokens?: number
  /** Named as settings are. */
  readonly settings?: Partial<ModelSettings>
  /** Absolute paths of LoRA adapters that are applied when the model is loaded. */
  readonly adapters?: readonly { readonly path: string; readonly scale: number }[]
  /** What of it cannot be had, and what is done in its place; one sentence each. */
  readonly notes?: readonly string[]
}

/** What is known of a model of any kind. */
export type ModelDetails = TextModelDetails | VoiceDetails | RecognizerDetails | ImageModelDetails

/** What is known of every model. */
export interface CommonModelDetails extends ModelSummary {
  readonly license: string | undefined
  /**
   * `completion`, `chat`, `tools`, `thinking`, `insert` (fill-in-the-middle), `embedding`, `rerank`, `vision`, `speech`,
   * `transcription`, `image`.
   */
  readonly capabilities: readonly string[]
}

/** A file of a model that consists of several, by its name inside the model's folder. */
export interface ModelPart {
  readonly name: string
  readonly sizeBytes: number
}

export interface VoiceDetails extends CommonModelDetails {
  readonly kind: "voice"
  /** `piper`, `kokoro`, `vits`, `matcha`, `kitten`, … */
  readonly family: string
  /** Hertz. */
  readonly sampleRate: number
  /** In the order of their numbers; without a name where the voice gives none. */
  readonly speakers: readonly (string | undefined)[]
  readonly languages: readonly string[]
  readonly files: readonly ModelPart[]
}

export interface RecognizerDetails extends CommonModelDetails {
  readonly kind: "recognizer"
  /** `whisper`, `moonshine`, `transducer`, … */
  readonly family: string
  /** Codes of the languages that can be asked for; empty where it does not tell. */
  readonly languages: readonly string[]
  readonly canTranslate: boolean
  readonly files: readonly ModelPart[]
}

export interface ImageModelDetails extends CommonModelDetails {
  readonly kind: "image"
  /** `sd1`, `sd2`, `sdxl`, `sd3`, `flux`, … */
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  /** What of a whole painter is there: `diffusion`, `vae`, `clip_l`, `t5xxl`, … */
  readonly components: readonly string[]
  readonly files: readonly ModelPart[]
}

/** What a text model's file says about it. */
export interface TextModelDetails extends CommonModelDetails {
  readonly kind: "text"
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  readonly contextLength: number
  readonly embeddingLength: number
  readonly layers: number
  readonly heads: number
  readonly chatTemplate: string | undefined
  /** Every scalar key of the file, and arrays as their element type and length. */
  readonly metadata: Readonly<Record<string, string | number | bigint | boolean>>
}

/** A compute device as a llama.cpp backend reports it. */
export interface Device {
  readonly name: string
  readonly description: string
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator"
  readonly backend: string
  /** PCI address; the same for one card that two backends can use. Absent where it is not known. */
  readonly address?: string
  readonly freeBytes: number
  readonly totalBytes: number
}

/** How llama.cpp lays the KV cache out: one pool for all sequences, or an equal share for each. */
export type KvLayout = "unified" | "split"

/** Memory that a loaded model holds, in bytes, as its worker measured it. */
export interface MemoryFootprint {
  /** System memory: resident pages of the worker, mapped weights among them. */
  readonly ramBytes: number
  /** Memory of GPUs, by the names that the backends call them. */
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** What a worker reports once its model is loaded. */
export type LoadedModelInfo = LoadedTextInfo | LoadedMediaInfo

/** What every worker reports. */
export interface CommonLoadedInfo {
  readonly footprint: MemoryFootprint
  /** Requests that are worked on at the same time. */
  readonly slots: number
  readonly modelBytes: number
  /** Devices that compute. */
  readonly devices: readonly string[]
}

/** Of a voice, a recogniser or a painter. */
export interface LoadedMediaInfo extends CommonLoadedInfo {
  readonly kind: "voice" | "recognizer" | "image"
  readonly family: string
  readonly threads: number
}

/** Of a text model. */
export interface LoadedTextInfo extends CommonLoadedInfo {
  readonly kind: "text"
  /** The longest single conversation, in tokens. */
  readonly contextLength: number
  readonly trainedContextLength: number
  readonly kvLayout: KvLayout
  /** Cells of the whole KV pool, in tokens. */
  readonly kvCells: number
  readonly kvBytes: number
  readonly gpuLayers: number
  readonly totalLayers: number
  /** Why no GPU is used although one could be, in words; absent where nothing is amiss. */
  readonly gpuFallback?: string
  readonly decodeThreads: number
  readonly prefillThreads: number
  readonly vocabularySize: number
  /** Bytes of the vocabulary's longest token; absent: the tokenizer rewrites text before it cuts it. */
  readonly longestTokenBytes?: number
  readonly chatTemplate: "model" | "built-in"
  /** Which built-in format is used and why, in one sentence. */
  readonly templateFallback?: string
  readonly fillInTheMiddle: boolean
}

export type ModelState = "loading" | "ready" | "stopping"

/** Where a model's layers were put, and why. */
export interface LayerPlan {
  /** In the order in which layers were given out; the CPU as `CPU`. Devices without layers are not named. */
  readonly devices: readonly { readonly name: string; readonly layers: number }[]
  /** One sentence for people. */
  readonly explanation: string
}

/** A worker that the engine has for a model; one with replicas has several. */
export interface LoadedModel {
  readonly name: string
  readonly kind: ModelKind
  /** Which replica it is, from 1. Absent: the model has no others. */
  readonly replica?: number
  readonly id: string
  readonly state: ModelState
  /** 0 to 1, while loading. */
  readonly progress: number
  readonly pid: number | undefined
  readonly info: LoadedModelInfo | undefined
  readonly sizeBytes: number
  /** Memory that counts as taken: what the worker measured, before that what was estimated. */
  readonly footprint?: MemoryFootprint
  readonly plan?: LayerPlan
  /** What was done other than asked for to make the load succeed; one sentence each. */
  readonly notes?: readonly string[]
  /** When it is unloaded if nobody uses it; `null`: never. Absent while it is used. */
  readonly expiresAt?: Date | null
  readonly priority?: ModelPriority
  readonly pinned?: boolean
  readonly activeRequests: number
  /** Of the whole model: replicas share one queue, and the first one named here shows it. */
  readonly queuedRequests: number
  readonly loadedAt: Date | undefined
  readonly lastUsedAt: Date | undefined
  /** Counters since the load, for metrics and tests. */
  readonly counters: WorkerCounters
}

/** What a text worker has done since its model was loaded. */
export interface WorkerCounters {
  /** Calls of llama_decode. */
  readonly decodeCalls: number
  readonly promptTokensEvaluated: number
  readonly promptTokensCached: number
  readonly tokensGenerated: number
  /** Sequences that gave up their KV cells for others and were recomputed later. */
  readonly preemptions: number
}

/** What one decode step of a worker did. */
export interface StepUsage {
  /** Sequences in the step's batch. */
  readonly sequences: number
  /** Tokens in it, of prompts and of answers. */
  readonly tokens: number
  /** Cells of the KV pool that hold something. */
  readonly kvCellsUsed: number
}

/** Which models go first when memory is short: the lowest. */
export type ModelPriority = "high" | "normal" | "low"

/** How a model is loaded, and how it is kept. */
export interface ModelSettings extends TextModelSettings {
  readonly priority: ModelPriority
  /** Once loaded it stays until it is stopped. */
  readonly pinned: boolean
  /** How long it stays after its last request; `null`: until its room is needed. */
  readonly keepAliveSeconds: number | null
  /** The longest that its worker may compute without a sign of life; `null`: as its kind needs. */
  readonly stepTimeoutSeconds: number | null
  /** Workers that serve it side by side; at least 1. */
  readonly replicas: number
  /** Load it when the server starts. */
  readonly preload: boolean
}

/** What one model is loaded with. Absent or `null` fields are chosen by the worker. */
export interface TextModelSettings {
  /** The longest single conversation, in tokens (`--ctx`). */
  readonly contextLength: number | null
  /** Sequences that are generated at the same time. */
  readonly slots: number
  readonly decodeThreads: number | null
  readonly prefillThreads: number | null
  /** Layers on GPUs: `null` all that fit, 0 none. */
  readonly gpuLayers: number | null
  readonly splitMode: "layer" | "row" | "tensor" | "none"
  readonly tensorSplit: readonly number[] | null
  /** Names of the devices to use, as the backends call them. */
  readonly devices: readonly string[] | null
  readonly kvTypeK: KvType
  readonly kvTypeV: KvType
  /** `null`: the rule of `formats/kv-layout.ts` decides from free memory. */
  readonly kvLayout: KvLayout | null
  /** Cells of the whole KV pool; `null`: from free memory. */
  readonly kvCells: number | null
  readonly flashAttention: "auto" | "on" | "off"
  readonly memoryMap: boolean
  readonly memoryLock: boolean
}

export type KvType = "f32" | "f16" | "bf16" | "q8_0" | "q4_0" | "q4_1" | "q5_0" | "q5_1"
