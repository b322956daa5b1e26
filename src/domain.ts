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

/** What chat and completion requests share. */
export interface GenerationOptions {
  /** May be left out where exactly one model is known. */
  readonly model?: string
  /** How many answers are generated from one prompt; at least 1. */
  readonly n: number
  /** The most tokens an answer may have; absent: until the context is full. 0 evaluates the prompt only. */
  readonly maxTokens?: number
  /** No token may end the answer before it has this many. */
  readonly minTokens: number
  /** Texts that end the answer; they are not part of it. */
  readonly stop: readonly string[]
  /** What the request says; the model's and the built-in defaults fill the rest. */
  readonly sampling: Partial<SamplingParameters>
  /** How many alternatives to report for every token; 0: only the chosen one; absent: no log probabilities. */
  readonly topLogprobs?: number
  /** May a cached prefix be used? `false` makes the cache state reproducible. */
  readonly cachePrompt: boolean
  /** Report `progress` events while the prompt is evaluated. */
  readonly returnProgress: boolean
  /** Names the request in log lines, here and in the worker. */
  readonly requestId?: string
  /** How long the model stays loaded after this request; 0: until nobody uses it, `null`: for ever. Absent: as configured. */
  readonly keepAliveSeconds?: number | null
  /** How long the request may wait for its turn; absent: as configured. */
  readonly queueTimeoutMs?: number
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
  /** Report the prompt's own text (and, with `topLogprobs`, its tokens' log probabilities) in the `prompt` event. */
  readonly echo: boolean
}

export type GenerationRequest = ChatRequest | CompletionRequest

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
  /** More text of one choice: whole characters only. `logprobs`: of the tokens that this text completes. */
  | {
      readonly type: "text"
      readonly choice: number
      readonly text: string
      readonly tokens: number
      readonly logprobs?: readonly TokenLogprob[]
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

/** A prompt as the model would see it. */
export interface RenderedPrompt {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** The effective sampling parameters and limits. */
  readonly parameters: SamplingParameters & { readonly maxTokens: number; readonly stop: readonly string[] }
}

// ------------------------------------------------------------------------------------- models and devices

/** A model on disk. */
export interface ModelSummary {
  readonly name: string
  readonly path: string
  /** Hex digest that names this version of the file. */
  readonly id: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

/** What a model's file says about it. */
export interface ModelDetails extends ModelSummary {
  readonly architecture: string
  readonly parameterCount: number
  readonly quantization: string
  readonly contextLength: number
  readonly embeddingLength: number
  readonly layers: number
  readonly heads: number
  readonly license: string | undefined
  readonly chatTemplate: string | undefined
  /** `completion`, `chat`, `insert` (fill-in-the-middle), … */
  readonly capabilities: readonly string[]
  /** Every scalar key of the file, and arrays as their element type and length. */
  readonly metadata: Readonly<Record<string, string | number | bigint | boolean>>
}

/** A compute device as a llama.cpp backend reports it. */
export interface Device {
  readonly name: string
  readonly description: string
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator"
  readonly backend: string
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
export interface LoadedModelInfo {
  readonly footprint: MemoryFootprint
  /** The longest single conversation, in tokens. */
  readonly contextLength: number
  readonly trainedContextLength: number
  readonly slots: number
  readonly kvLayout: KvLayout
  /** Cells of the whole KV pool, in tokens. */
  readonly kvCells: number
  readonly kvBytes: number
  readonly modelBytes: number
  readonly gpuLayers: number
  readonly totalLayers: number
  /** Devices that hold layers. */
  readonly devices: readonly string[]
  /** Why no GPU is used although one could be, in words; absent where nothing is amiss. */
  readonly gpuFallback?: string
  readonly decodeThreads: number
  readonly prefillThreads: number
  readonly vocabularySize: number
  readonly chatTemplate: "model" | "built-in"
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
