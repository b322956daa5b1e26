import type { RequestOptions } from "./request"

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
export interface GenerationOptions extends RequestOptions {
  /** How many answers are generated from one prompt; at least 1. */
  readonly n: number
  /**
   * The most tokens an answer may have; `Infinity`: until the context is full, absent: as the model says. 0 evaluates
   * the prompt only.
   */
  readonly maxTokens?: number
  /** What counts where neither the request nor the model says it; absent: until the context is full. */
  readonly defaultMaxTokens?: number
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

/** A prompt as the model would see it. */
export interface RenderedPrompt {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** The effective sampling parameters and limits. */
  readonly parameters: SamplingParameters & { readonly maxTokens: number; readonly stop: readonly string[] }
}
