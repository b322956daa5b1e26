import type { GenerationRequest, RenderedPrompt, SamplingParameters } from "../../../domain/chat"
import type { ModelDefaults } from "../../../domain/model"
import { ContextLengthExceeded, InvalidRequest, Unsupported } from "../../../errors/request"
import { PREDICTION, PRODUCTS } from "../../../limits"
import type { Vocabulary } from "../../../llama/vocabulary"
import { decodeRequest, encodeRendered, type WireRendered, type WireRequest } from "../../../protocol/wire"
import { cacheKeyOf } from "../cache/slots"
import { applyDefaults, withFallback, withThinking } from "../defaults"
import { prepareStops } from "../output/stop"
import { type BreakerTable, findBreakers } from "../sampling/dry-breakers"
import { effectiveSampling } from "../sampling/sampling"
import type { TemplateFallback } from "../../../prompt/template"
import { type AnswerPlan, AnswerPreparer } from "./answer-preparer"
import type { ConstraintCompiler } from "./constraint-compiler"
import type { PreparedReasoning, PreparedRequest, PreparedSampling, TokenBias } from "./prepared"
import type { ThinkingDefaults } from "./prompt-messages"
import { type MediaUnits, type Prompt, type PromptBuilder, textField } from "./prompt-builder"

export interface PreparerParts {
  readonly vocabulary: Vocabulary
  readonly builder: PromptBuilder
  readonly constraints: ConstraintCompiler
  readonly contextLength: number
  /** See {@link PreparedRequest.checkpoints}. */
  readonly needsCheckpoints: boolean
  /** The model's defaults other than sampling. */
  readonly modelDefaults: ModelDefaults
  /** How chats think whose requests do not say. */
  readonly thinking: ThinkingDefaults
  /** The model's default sampling parameters; a request's own take precedence. */
  readonly sampling: SamplingParameters
}

/** Called when a step of the preparation begins or ends; each may take long, and has the same time limit. */
export interface PreparationProgress {
  compiling(): void
  compiled(): void
  templated(): void
}

/**
 * Number of cached breaker sets: searching the vocabulary takes as long as a prompt of several thousand
 * tokens.
 */
const REMEMBERED_BREAKERS = 4

/** Does all the work that a request needs before decoding. */
export class RequestPreparer {
  readonly #parts: PreparerParts
  readonly #answers: AnswerPreparer
  /** Keyed by the texts as JSON, most recently used last. */
  readonly #breakers = new Map<string, BreakerTable | undefined>()

  constructor(parts: PreparerParts) {
    this.#parts = parts
    this.#answers = new AnswerPreparer(parts.constraints)
  }

  /** @throws ContextLengthExceeded, TemplateFailed, InvalidRequest, Unsupported */
  prepare(
    wire: WireRequest<GenerationRequest>,
    progress: PreparationProgress,
    units: MediaUnits = [],
  ): PreparedRequest {
    const request = this.#read(wire)
    if (request.kind !== "completion" || request.keepLast === undefined)
      this.#refuseOverlong(wire.promptIds?.length ?? 0, "prompt")
    const { prompt, constraint, answer } = this.#build(request, progress, units)
    const { text, tokens, media } = prompt
    this.#refuseOverlong(tokens.length, textField(request), mediaCells(prompt))
    refuseManyLogprobs(request, tokens.length)
    if (tokens.length === 0)
      throw new InvalidRequest("the prompt is empty, and this model adds no token of its own", "prompt")
    const sampling = this.#samplingOf(request)
    const isCompletion = request.kind === "completion"
    const fallback = this.#fallbackOf(request)
    const scoresPrompt = isCompletion && request.echo && request.topLogprobs !== undefined
    if (scoresPrompt && media.length > 0)
      throw new Unsupported("a prompt with images or sounds has no log probabilities: leave out echo", "echo")
    return {
      tokens,
      media,
      field: textField(request),
      ...(isCompletion && request.echo && { echo: text }),
      choices: request.n,
      maxTokens: this.#mostTokens(request, tokens),
      minTokens: request.minTokens,
      // A stop text within JSON would cut it.
      stops: prepareStops(isJson(request) ? [] : request.stop),
      stopTokens: [...new Set(request.stopTokens)],
      keepsStop: request.keepsStop ?? false,
      leastIndent: (isCompletion && request.leastIndent) || 0,
      ...(request.lineBreakEndsAfterMs !== undefined && {
        lineBreakEndsAfterMs: request.lineBreakEndsAfterMs,
      }),
      hidesControlTokens: request.hidesControlTokens ?? false,
      reportsTokens: request.reportsTokens ?? false,
      warnings: [
        ...(fallback !== undefined && !isCompletion ? [fallback.explanation] : []),
        // The server's own default is for all models, whether they think or not.
        ...(this.#parts.thinking.isEnabled !== true && isToThink(request) && answer?.reasoning === undefined
          ? ["the model was not made to think before it answers: it answers at once"]
          : []),
        ...(constraint?.warnings ?? []),
      ],
      sampling: this.#prepareSampling(sampling),
      ...(request.topLogprobs !== undefined && { topLogprobs: request.topLogprobs }),
      logprobsAfterSampling: request.logprobsAfterSampling === true,
      scoresPrompt,
      usesCache: request.cachePrompt && !scoresPrompt,
      cacheKey: cacheKeyOf(request),
      ...(request.adapters !== undefined && { adapters: request.adapters }),
      checkpoints: this.#parts.needsCheckpoints ? this.#parts.builder.checkpoints(request, prompt) : [],
      returnProgress: request.returnProgress,
      ...(request.slot !== undefined && { slot: request.slot }),
      ...(request.speculation !== undefined && { speculation: request.speculation }),
      ...(request.prediction !== undefined && { prediction: this.#predictionOf(request.prediction) }),
      ...(constraint !== undefined && { constraint: constraint.prepare() }),
      ...(answer !== undefined && { answer }),
    }
  }

  /** Renders a request's prompt and parameters for inspection. @throws as {@link prepare} */
  render(
    wire: WireRequest<GenerationRequest>,
    progress: PreparationProgress,
    units: MediaUnits = [],
  ): WireRendered {
    const request = this.#read(wire)
    const { prompt, constraint, answer } = this.#build(request, progress, units)
    const { text, shown = text, tokens } = prompt
    const sampling = this.#samplingOf(request)
    const bias = this.#resolveBias(sampling.logitBias)
    const given = Array.from(bias.tokens, (token, index) => [token, bias.values[index] ?? 0] as const)
    // Ignored end tokens cannot be chosen, whatever their own bias.
    const ends = sampling.ignoreEos ? this.#parts.vocabulary.endTokens() : []
    const logitBias = [
      ...given.filter(([token]) => !ends.includes(token)),
      ...ends.map((token) => [token, -Infinity] as const),
    ]
    return encodeRendered({
      prompt: shown,
      ...(request.kind === "completion" && this.#addedTo(prompt)),
      // Keys of media mean nothing outside.
      tokens: tokens.map((token) => Math.max(token, MEDIA_TOKEN)),
      ...(constraint !== undefined && { grammar: constraint.source }),
      ...(answer?.calls !== undefined && { toolSyntax: { ...answer.calls.syntax } }),
      ...(answer?.reasoning !== undefined && { reasoning: shownReasoning(answer.reasoning) }),
      parameters: {
        ...sampling,
        logitBias,
        maxTokens: this.#mostTokens(request, tokens),
        stop: request.stop,
      },
    })
  }

  /** See {@link RenderedPrompt.bos}. */
  #addedTo({ text, tokens: [first] }: Prompt): Pick<RenderedPrompt, "bos"> {
    const { vocabulary } = this.#parts
    if (first === undefined || first !== vocabulary.bos) return {}
    const bos = new TextDecoder().decode(vocabulary.bytes(first))
    return text.startsWith(bos) ? {} : { bos }
  }

  #read(wire: WireRequest<GenerationRequest>): GenerationRequest {
    const { modelDefaults, thinking } = this.#parts
    const request = withThinking(applyDefaults(decodeRequest(wire), modelDefaults), thinking)
    return withFallback(request, this.#fallbackOf(request))
  }

  /** A template of the request's own needs none. */
  #fallbackOf(request: GenerationRequest): TemplateFallback | undefined {
    const hasOwn = request.kind === "chat" && request.template !== undefined
    return hasOwn ? undefined : this.#parts.builder.template.fallback
  }

  /** The prompt, and what may follow it. The grammar is compiled before the prompt is tokenized: that is bounded. */
  #build(
    request: GenerationRequest,
    { compiling, compiled, templated }: PreparationProgress,
    units: MediaUnits,
  ): AnswerPlan & { readonly prompt: Prompt } {
    let plan: AnswerPlan = {}
    const hasGrammar =
      request.output !== undefined || (request.kind === "chat" && request.tools !== undefined)
    const prompt = this.#parts.builder.build(request, units, (form) => {
      if (hasGrammar) compiling()
      plan = this.#answers.plan(request, form)
      if (hasGrammar) compiled()
      templated()
    })
    return { ...plan, prompt }
  }

  /** `shown`: how many of the tokens are pictures and sounds. */
  #refuseOverlong(length: number, field: PreparedRequest["field"], shown = 0): void {
    const { contextLength } = this.#parts
    if (length <= contextLength) return
    throw new ContextLengthExceeded(length, contextLength, field, false, undefined, shown)
  }

  /** The request's token limit, or the rest of the context. */
  #mostTokens(request: GenerationRequest, tokens: Int32Array): number {
    const left = Math.max(0, this.#parts.contextLength - tokens.length + 1)
    return Math.min(request.maxTokens ?? Number.POSITIVE_INFINITY, left)
  }

  /** No more of it than an answer can have. */
  #predictionOf(text: string): Int32Array {
    const { vocabulary, contextLength } = this.#parts
    const most = Math.min(contextLength, PREDICTION.tokens)
    const tokens = vocabulary.tokenize(text.slice(0, most * PREDICTION.tokenCharacters), {
      addSpecial: false,
      parseSpecial: false,
    })
    return tokens.slice(0, most)
  }

  #samplingOf(request: GenerationRequest): SamplingParameters {
    return effectiveSampling(this.#parts.sampling, request.sampling, this.#parts.contextLength)
  }

  #prepareSampling(sampling: SamplingParameters): PreparedSampling {
    const { seed, logitBias, drySequenceBreakers, ...rest } = sampling
    const breakers = sampling.dryMultiplier > 0 ? this.#breakersOf(drySequenceBreakers) : undefined
    return {
      ...rest,
      seed: seed ?? randomSeed(),
      bias: this.#resolveBias(logitBias),
      ...(breakers !== undefined && { breakers }),
    }
  }

  #breakersOf(texts: readonly string[]): BreakerTable | undefined {
    const key = JSON.stringify(texts)
    const table = this.#breakers.has(key)
      ? this.#breakers.get(key)
      : findBreakers(texts, this.#parts.vocabulary)
    this.#breakers.delete(key)
    this.#breakers.set(key, table)
    for (const oldest of this.#breakers.keys()) {
      if (this.#breakers.size <= REMEMBERED_BREAKERS) break
      this.#breakers.delete(oldest)
    }
    return table
  }

  /** Tokenizes biases given as text and sums those for the same token. */
  #resolveBias(pairs: SamplingParameters["logitBias"]): TokenBias {
    const { vocabulary } = this.#parts
    const ofTexts = new Map<string, number>()
    const ofTokens = new Map<number, number>()
    const add = (token: number, bias: number): void => {
      if (token < vocabulary.size) ofTokens.set(token, (ofTokens.get(token) ?? 0) + bias)
    }
    for (const [key, bias] of pairs)
      if (typeof key === "number") add(key, bias)
      else ofTexts.set(key, (ofTexts.get(key) ?? 0) + bias)
    for (const [text, bias] of ofTexts)
      for (const token of vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true }))
        add(token, bias)
    const tokens = Int32Array.from(ofTokens.keys()).sort()
    return { tokens, values: Float32Array.from(tokens, (token) => ofTokens.get(token) ?? 0) }
  }
}

/**
 * Limits prompt log probabilities, which are sent together in every choice; their number is known once the
 * prompt is tokenized.
 * @throws InvalidRequest
 */
function refuseManyLogprobs(request: GenerationRequest, tokens: number): void {
  const { topLogprobs } = request
  if (request.kind !== "completion" || !request.echo || topLogprobs === undefined) return
  const count = request.n * tokens * (1 + topLogprobs)
  if (count <= PRODUCTS.echoedLogprobs) return
  throw new InvalidRequest(
    `echo with logprobs ${topLogprobs} of ${tokens} tokens in ${request.n} choices comes to ${count} log probabilities; ` +
      `at most ${PRODUCTS.echoedLogprobs} are possible`,
    "logprobs",
  )
}

/** How llama-server shows what is no text among tokens. */
const MEDIA_TOKEN = -1

function mediaCells({ media }: Prompt): number {
  return media.reduce((sum, { cells }) => sum + cells, 0)
}

/** Not where only an effort is given: many clients send that to every model. */
function isToThink(request: GenerationRequest): boolean {
  return request.kind === "chat" && request.reasoning?.isEnabled === true
}

function shownReasoning({ names, isOpen }: PreparedReasoning): NonNullable<RenderedPrompt["reasoning"]> {
  return { ...names, isOpen }
}

function isJson({ output }: GenerationRequest): boolean {
  return output?.type === "schema" || output?.type === "json"
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}
