import type { AdapterChoice, AppliedAdapter } from "./adapters"
import type { RequestOptions } from "./request"
import type { ToolUse } from "./tools"

export type Role = "system" | "developer" | "user" | "assistant" | "tool"

/** A picture or a sound. Its file is the caller's, who keeps it until the request has ended. */
export interface MediaPart {
  readonly type: "image" | "audio"
  /** Absolute. */
  readonly path: string
  /** How closely a picture is looked at; absent: as the settings say. */
  readonly detail?: PictureDetail
}

/** `low`: it is made small first, and takes fewer tokens. */
export type PictureDetail = "auto" | "low" | "high"

export interface TextPart {
  readonly type: "text"
  readonly text: string
}

/** A part of a message's content. */
export type ContentPart = TextPart | MediaPart

/** The content of a message; `textOf` reads both forms. */
export type Content = string | readonly ContentPart[]

/** A function call that the assistant made. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON as the model wrote it: not necessarily valid. */
  readonly arguments: string
}

export interface ChatMessage {
  readonly role: Role
  readonly content: Content
  /** The speaker, for templates that show it. */
  readonly name?: string
  /** For role `assistant`: what it thought before it answered; templates that use it get it. */
  readonly reasoning?: string
  /** For role `assistant`: its calls, after any text; absent: none. */
  readonly toolCalls?: readonly ToolCall[]
  /** For role `tool`: the call that produced this result. */
  readonly toolCallId?: string
}

/** The samplers whose order a request may choose. `infill` joins tokens that begin alike, for gaps in code. */
export const CHAIN_SAMPLERS = [
  "topNSigma",
  "topK",
  "typicalP",
  "topP",
  "minP",
  "xtc",
  "temperature",
  "infill",
] as const

export type ChainSampler = (typeof CHAIN_SAMPLERS)[number]

/** How the next token is chosen. Names and meanings follow llama.cpp's sampler chain. */
export interface SamplingParameters {
  /** The samplers in the order in which they are applied, after penalties and DRY; absent: llama.cpp's usual order. */
  readonly order?: readonly ChainSampler[]
  /** 0: greedy. */
  readonly temperature: number
  readonly dynamicTemperatureRange: number
  readonly dynamicTemperatureExponent: number
  /** 0: off. */
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly typicalP: number
  /** Negative: off. */
  readonly topNSigma: number
  /** Minimum number of candidates that top-p, min-p, typical-p and XTC keep. */
  readonly minKeep: number
  readonly xtcProbability: number
  readonly xtcThreshold: number
  /** 1: off. */
  readonly repeatPenalty: number
  /** Tokens that the penalties look back on; -1: the whole context. */
  readonly repeatLastN: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  /** 0: off. */
  readonly dryMultiplier: number
  readonly dryBase: number
  readonly dryAllowedLength: number
  /** -1: the whole context. */
  readonly dryPenaltyLastN: number
  readonly drySequenceBreakers: readonly string[]
  /** 0: off; 1 or 2: the version. Replaces the other samplers except temperature and penalties. */
  readonly mirostat: 0 | 1 | 2
  readonly mirostatTau: number
  readonly mirostatEta: number
  /** `null`: a new one for every sequence. */
  readonly seed: number | null
  /** Added to logits; the key is a token id, or a text whose tokens are all biased. `-Infinity` bans a token. */
  readonly logitBias: readonly (readonly [token: number | string, bias: number])[]
  /** Never sample a token that ends the generation. */
  readonly ignoreEos: boolean
}

/** What the text of an answer must be. */
export type OutputConstraint =
  /** A JSON text that a schema allows. `isStrict`: keywords that cannot be enforced are refused, not reported. */
  | { readonly type: "schema"; readonly schema: unknown; readonly isStrict: boolean }
  /** Any JSON object. */
  | { readonly type: "json" }
  /** A text that a regular expression (ECMA-262) matches as a whole. */
  | { readonly type: "regex"; readonly pattern: string }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** A grammar in llama.cpp's notation (GBNF). */
  | { readonly type: "grammar"; readonly source: string }

/** What chat and completion requests share. */
export interface GenerationOptions extends RequestOptions {
  /** Number of answers generated from one prompt; at least 1. */
  readonly n: number
  /**
   * Maximum tokens per answer; `Infinity`: until the context is full; absent: the model's default. 0 only evaluates
   * the prompt.
   */
  readonly maxTokens?: number
  /** Used where neither the request nor the model sets a maximum; absent: until the context is full. */
  readonly defaultMaxTokens?: number
  /** No token may end the answer before it has this many. */
  readonly minTokens: number
  /** Texts that end the answer; not part of it, unless {@link keepsStop}. */
  readonly stop: readonly string[]
  /**
   * Tokens that end the answer like an EOS token, even where that is ignored; not part of it, unless {@link
   * keepsStop}.
   */
  readonly stopTokens?: readonly number[]
  /** Include the text or token of `stop` or `stopTokens` that ended the answer. */
  readonly keepsStop?: boolean
  /** Omit generated control tokens from the text; otherwise their names are included. */
  readonly hidesControlTokens?: boolean
  /** Report the ids of all generated tokens in `delta` events. */
  readonly reportsTokens?: boolean
  /** The request's values; the model's and the built-in defaults fill in the rest. */
  readonly sampling: Partial<SamplingParameters>
  /** Report the probabilities that the samplers leave, of the tokens that they leave, as `logprobs`. */
  readonly logprobsAfterSampling?: boolean
  /** The first line break after this many milliseconds of generation ends the answer; absent: none does. */
  readonly lineBreakEndsAfterMs?: number
  /** Number of alternatives to report per token; 0: only the chosen one; absent: no log probabilities. */
  readonly topLogprobs?: number
  /** Whether a cached prefix may be used; `false` gives reproducible results. */
  readonly cachePrompt: boolean
  /** Cached prefixes are shared only between requests with the same salt; absent: between those without one. */
  readonly cacheSalt?: string
  /** The same, set by the server: whose cached prefixes these are. */
  readonly cacheOwner?: string
  /**
   * The number of the sequence that the first answer is generated in, if it is idle: for clients that save and restore
   * what a sequence has cached. -1: any. Where it is given, `finish` events tell the number.
   */
  readonly slot?: number
  /** Report `progress` events while the prompt is evaluated. */
  readonly returnProgress: boolean
  /** Absent: any text. */
  readonly output?: OutputConstraint
  /** Absent: as the model's settings say. */
  readonly speculation?: SpeculationOptions
  /** What the client expects the answer to be, or nearly; it costs nothing but time if it is not. */
  readonly prediction?: string
  /** Of the model's adapters those that are applied, and no others; absent: as is set for the model. */
  readonly lora?: readonly AdapterChoice[]
  /** The same, found by the server; absent: the model's own. */
  readonly adapters?: readonly AppliedAdapter[]
}

/** `auto`: where it is faster. `ngram`: from earlier text, always. `draft`: by a draft model, always. */
export type SpeculationMode = "auto" | "off" | "ngram" | "draft"

/** How answers are guessed ahead. What is absent is as the model's settings say. */
export interface SpeculationOptions {
  readonly mode?: SpeculationMode
  /** Of the guessed tokens that are checked at a time. */
  readonly most?: number
  readonly least?: number
  /** A draft model's guess ends before a token that it holds to be less likely. */
  readonly leastProbability?: number
}

/** How much a model thinks before it answers, and where that is reported. */
export interface ReasoningOptions {
  /** Passed to the template under its own name; `none`: no thinking. Absent: the template's default. */
  readonly effort?: string
  /** Absent: the template's default. */
  readonly isEnabled?: boolean
  /** The most tokens of thinking; then its end is forced and the answer goes on. Absent: no limit of its own. */
  readonly budgetTokens?: number
  /** Leave the thinking in the text, with its markers. */
  readonly isInline?: boolean
}

export interface ChatRequest extends GenerationOptions {
  readonly kind: "chat"
  readonly messages: readonly ChatMessage[]
  /** Absent: none. */
  readonly tools?: ToolUse
  readonly reasoning?: ReasoningOptions
  /** A Go template, as Modelfiles have them, that is applied in place of the model's own. */
  readonly template?: string
  /** Extra variables for the model's chat template (`chat_template_kwargs`). */
  readonly templateArguments: Readonly<Record<string, unknown>>
  /** End the prompt with the opening of an assistant turn. */
  readonly addGenerationPrompt: boolean
  /** The last message is an unfinished one by the assistant: the answer continues it. */
  readonly continueFinalMessage: boolean
}

export interface CompletionRequest extends GenerationOptions {
  readonly kind: "completion"
  /** Text, or token ids. */
  readonly prompt: string | readonly number[]
  /** With a text: what it shows at each of its marks; absent: nothing. */
  readonly media?: CompletionMedia
  /** Text after the gap: requests fill-in-the-middle. */
  readonly suffix?: string
  /** With `suffix`: other files of the project, in front of the gap; absent: none. */
  readonly files?: readonly { readonly name: string; readonly text: string }[]
  /** With `suffix`: drop what is farthest from the gap where all of it does not fit. */
  readonly cutsToFit?: boolean
  /** Keep only this many of the prompt's last tokens, including BOS; 0: as many as leave room for the answer. */
  readonly keepLast?: number
  /** A later line with less indentation than this many characters ends the answer, and so does an empty one. */
  readonly leastIndent?: number
  /** Report the prompt's text (and, with `topLogprobs`, its tokens' log probabilities) in the `prompt` event. */
  readonly echo: boolean
}

/** Pictures and sounds of a completion. */
export interface CompletionMedia {
  /** The text that stands in the prompt for each part in turn; it occurs as often as there are parts. */
  readonly mark: string
  readonly parts: readonly MediaPart[]
}

export type GenerationRequest = ChatRequest | CompletionRequest

export interface TokenAlternative {
  readonly id: number
  /** The token's bytes; may be part of a character. */
  readonly bytes: readonly number[]
  /**
   * Natural logarithm of the probability, from the full vocabulary's logits before sampling, unless the request has
   * `logprobsAfterSampling`.
   */
  readonly logprob: number
}

export interface TokenLogprob extends TokenAlternative {
  /** The most probable tokens at this position, best first. */
  readonly top: readonly TokenAlternative[]
}

/**
 * `stop`: an end-of-generation token or a stop text. `length`: the token limit or the end of the context.
 * `tool_calls`: the answer is complete and has tool calls.
 */
export type FinishReason = "stop" | "length" | "tool_calls"

/** The beginning of a part of an answer. The text of a tool call is its arguments, as JSON. */
export type PartStart =
  | { readonly part: "text" | "reasoning" }
  | {
      readonly part: "tool-call"
      readonly id: string
      /** Of the function. */
      readonly name: string
    }

export type PartKind = PartStart["part"]

export type PartStartEvent = PartStart & { readonly type: "part-start"; readonly choice: number }

/**
 * More text of one choice's current part: whole characters only. `logprobs`: of the tokens that this text completes.
 * `ids`, where requested: of the tokens generated since the previous event, including the one that ends the answer.
 */
export interface DeltaEvent {
  readonly type: "delta"
  readonly choice: number
  readonly part: PartKind
  readonly text: string
  readonly tokens: number
  readonly logprobs?: readonly TokenLogprob[]
  readonly ids?: readonly number[]
}

export interface Usage {
  readonly promptTokens: number
  /** Of all choices together. */
  readonly completionTokens: number
  /** Prompt tokens that were not evaluated because a cached prefix had them. */
  readonly cachedTokens: number
  /** Those of the completion tokens that are thinking; absent: the model does not think. */
  readonly reasoningTokens?: number
  /** How many of the expected tokens came, and how many did not; absent: none were expected. */
  readonly prediction?: { readonly accepted: number; readonly rejected: number }
}

/** Durations in milliseconds, and the amount of work in them. */
export interface Timings {
  /** Wait for a free slot. */
  readonly queueMs: number
  /** Wait for the model to load. */
  readonly loadMs: number
  /** Prompt tokens evaluated (not cached). */
  readonly promptTokens: number
  readonly promptMs: number
  /**
   * Tokens generated, of all choices; the rate excludes each choice's first token, which the prompt evaluation
   * yields.
   */
  readonly generatedTokens: number
  readonly generationMs: number
  /** Guessed tokens that were checked together, and those of them that were right; absent: none. */
  readonly drafts?: { readonly tokens: number; readonly accepted: number }
  /** How many of the cached prompt tokens were read from disk, and how long that took; absent: none. */
  readonly disk?: { readonly tokens: number; readonly ms: number }
}

/**
 * The events of a running request. Order: any `loading` and `queued`, then `prompt`, any `progress`, then the parts
 * and one `finish` per choice, then `done`. A part is one `part-start`, any `delta` and one `part-end`; the parts of a
 * choice follow one another. Failures are thrown from the iteration as an XllmError.
 */
export type GenerationEvent =
  | { readonly type: "loading"; readonly fraction: number }
  /** Number of requests ahead. */
  | { readonly type: "queued"; readonly position: number }
  /** The prompt is rendered and accepted. `text` and `logprobs` only where the request has `echo`. */
  | {
      readonly type: "prompt"
      readonly tokens: number
      /** Deviations from what the client may expect, one sentence each; absent: none. */
      readonly warnings?: readonly string[]
      readonly text?: string
      /** One per prompt token; the first token has no predecessor to predict it from. */
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
  | PartStartEvent
  | DeltaEvent
  | { readonly type: "part-end"; readonly choice: number; readonly part: PartKind }
  | {
      readonly type: "finish"
      readonly choice: number
      readonly reason: FinishReason
      /** The stop text that matched. */
      readonly stop?: string
      readonly completionTokens: number
      /** See {@link GenerationOptions.slot}. */
      readonly slot?: number
    }
  | { readonly type: "done"; readonly usage: Usage; readonly timings: Timings }

/** A prompt as the model would see it. */
export interface RenderedPrompt {
  readonly prompt: string
  /** The text of the token in front that is not in it, if the model needs one there. */
  readonly bos?: string
  readonly tokens: readonly number[]
  /** The grammar of the answer, in GBNF; absent: any text. */
  readonly grammar?: string
  /** How the model writes calls, as it was learned from its template; absent: the answer has none. */
  readonly toolSyntax?: Readonly<Record<string, unknown>>
  /** The markers around what the model thinks, and whether the prompt has begun it; absent: it does not think. */
  readonly reasoning?: { readonly start: string; readonly end: string; readonly isOpen: boolean }
  /** The effective sampling parameters and limits. */
  readonly parameters: SamplingParameters & { readonly maxTokens: number; readonly stop: readonly string[] }
}
