import type { SamplingParameters } from "../../../domain/chat"
import type { StopText } from "../output/stop"
import type { BreakerTable } from "../sampling/dry-breakers"

/** What is added to logits: each token once. */
export interface TokenBias {
  readonly tokens: Int32Array
  readonly values: Float32Array
}

/** How the tokens of a request are chosen. */
export interface PreparedSampling extends Omit<
  SamplingParameters,
  "seed" | "logitBias" | "drySequenceBreakers"
> {
  /** Of the first choice; those of the others count up from it. */
  readonly seed: number
  readonly bias: TokenBias
  /** Where DRY is on and has any. */
  readonly breakers?: BreakerTable
}

/**
 * A request as the decode thread takes it: everything that takes its time is done, and what is large in it are
 * numbers in a row.
 */
export interface PreparedRequest {
  readonly tokens: Int32Array
  /** The request's field that the prompt came from. */
  readonly field: "messages" | "prompt"
  /** The prompt's own text, where it is wanted back. */
  readonly echo?: string
  readonly choices: number
  /** 0 evaluates the prompt only. */
  readonly maxTokens: number
  readonly minTokens: number
  readonly stops: readonly StopText[]
  /** Tokens that end the answer; also where its own end is ignored. */
  readonly stopTokens: readonly number[]
  /** The text or token that ends the answer is its last part. */
  readonly keepsStop: boolean
  /** Generated control tokens have no text. */
  readonly hidesControlTokens: boolean
  /** Report the ids of all generated tokens. */
  readonly reportsTokens: boolean
  /** What the client is to know about how its prompt was made; one sentence each. */
  readonly warnings: readonly string[]
  readonly sampling: PreparedSampling
  readonly topLogprobs?: number
  /** Are log probabilities of the prompt itself wanted? Then all of it is evaluated. */
  readonly isJudged: boolean
  /** May a cached prefix be used? */
  readonly usesCache: boolean
  readonly returnProgress: boolean
}
