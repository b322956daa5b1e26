import type { AppliedAdapter } from "../../../domain/adapters"
import type { SamplingParameters, SpeculationOptions } from "../../../domain/chat"
import type { GrammarShare } from "../../../llama/grammar"
import type { ControlToken } from "../../../prompt/tools/control-tokens"
import type { ToolSyntax } from "../../../prompt/tools/syntax"
import type { ResolvedMarker } from "../markers"
import type { StopText } from "../output/stop"
import type { BreakerTable } from "../sampling/dry-breakers"
import type { TokenIndexShare } from "../sampling/token-index"
import type { MeasuredMedia } from "../media/media-reader"
import type { PromptCells } from "./cells"

/** Biases added to logits, with each token listed once. */
export interface TokenBias {
  readonly tokens: Int32Array
  readonly values: Float32Array
}

/** The sampling parameters of a request. */
export interface PreparedSampling extends Omit<
  SamplingParameters,
  "seed" | "logitBias" | "drySequenceBreakers"
> {
  /** Seed of the first choice; the others count up from it. */
  readonly seed: number
  readonly bias: TokenBias
  /** Present if DRY is on and the vocabulary contains any. */
  readonly breakers?: BreakerTable
}

/** The grammar of a request's answers. */
export interface PreparedConstraint {
  /** Compiled; the receiver owns it. */
  readonly grammar: GrammarShare
  /** Of the model's tokens. */
  readonly index: TokenIndexShare
  /** Control tokens that it names. */
  readonly tokens: readonly number[]
  /**
   * The answer is free up to one of these markers, of which `tokens` are what the grammar begins with. Absent: the
   * grammar holds from the start, or from the end of the thinking.
   */
  readonly triggers?: readonly { readonly marker: ResolvedMarker; readonly tokens: readonly number[] }[]
}

/** The thinking before an answer. */
export interface PreparedReasoning {
  readonly start: ResolvedMarker
  readonly end: ResolvedMarker
  /** The prompt has begun it. */
  readonly isOpen: boolean
  /** Where it is not open: may the answer begin with it, in spite of a grammar? */
  readonly mayBegin: boolean
  /** Leave it in the text, with its markers. */
  readonly isInline: boolean
  /** The texts of the markers. */
  readonly names: { readonly start: string; readonly end: string }
  /** The most tokens of it. */
  readonly budget?: number
}

/** The calls that an answer may have, as far as its reader needs them. */
export interface PreparedCalls {
  readonly syntax: ToolSyntax
  /** In the markers of the syntax. */
  readonly controls: readonly ControlToken[]
  /** The tools that may be called, as JSON. */
  readonly tools: string
  /** There is nothing but calls. */
  readonly isRequired: boolean
  /** Of the conversation's earlier calls. */
  readonly earlierIds: readonly string[]
}

/** How an answer is divided into parts; without these it is one text. */
export interface PreparedAnswer {
  readonly reasoning?: PreparedReasoning
  readonly calls?: PreparedCalls
  /** Markers around the text, which are no part of it; only without calls. */
  readonly text?: { readonly start: ResolvedMarker; readonly end: ResolvedMarker }
}

/** A request ready for the decode thread: all slow work is done, and large fields are typed arrays. */
export interface PreparedRequest extends PromptCells {
  /** The request field that the prompt came from. */
  readonly field: "messages" | "prompt"
  /** The text of the prompt, if the answer echoes it. */
  readonly echo?: string
  readonly choices: number
  /** 0: evaluate the prompt only. */
  readonly maxTokens: number
  readonly minTokens: number
  readonly stops: readonly StopText[]
  /** Tokens that end the answer, even if end-of-generation tokens are ignored. */
  readonly stopTokens: readonly number[]
  /** Include the stop text or token that ends the answer. */
  readonly keepsStop: boolean
  /** See {@link CompletionRequest.leastIndent}; 0: any indentation will do. */
  readonly leastIndent: number
  /** See {@link GenerationOptions.lineBreakEndsAfterMs}; absent: no line break ends the answer. */
  readonly lineBreakEndsAfterMs?: number
  /** Generated control tokens produce no text. */
  readonly hidesControlTokens: boolean
  /** Report the ids of all generated tokens. */
  readonly reportsTokens: boolean
  /** Notes for the client on how its prompt was made; one sentence each. */
  readonly warnings: readonly string[]
  readonly sampling: PreparedSampling
  readonly topLogprobs?: number
  /** Are they of what the samplers leave? */
  readonly logprobsAfterSampling: boolean
  /** Are log probabilities of the prompt requested? If so, all of it is evaluated. */
  readonly scoresPrompt: boolean
  /** May a cached prefix be reused? */
  readonly usesCache: boolean
  /** What its cells depend on besides its tokens; prefixes are shared only among equal keys. */
  readonly cacheKey: string
  /**
   * Where a later prompt may part from this one, in cells, ascending: there a state is kept that cannot be cut back
   * later. None where every state can.
   */
  readonly checkpoints: readonly number[]
  readonly returnProgress: boolean
  /** See {@link GenerationOptions.slot}. */
  readonly slot?: number
  /** Absent: as the model's settings say. */
  readonly speculation?: SpeculationOptions
  /** The tokens of the text that the client expects. */
  readonly prediction?: Int32Array
  /** Absent: the model's own. */
  readonly adapters?: readonly AppliedAdapter[]
  readonly constraint?: PreparedConstraint
  readonly answer?: PreparedAnswer
  /** The pictures and sounds that its media cells show, in the request's order; absent: none. */
  readonly shown?: readonly MeasuredMedia[]
}
