/**
 * What is long or deep crosses between processes and threads as one JSON text, or as numbers in a row. Structured clone
 * takes its time for every single object, of the sender's only thread: 1.1 s for 400,000 messages and 4 s for
 * 2,000,000 pairs of `logit_bias`, which take 0.1 s as a text and as typed arrays.
 */
import type {
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  RenderedPrompt,
  SamplingParameters,
  TokenLogprob,
} from "../domain/chat"
import type { ModelDefaults } from "../domain/model"
import { isGenerationRequest, type WorkEvent, type WorkRequest } from "../domain/tasks"
import type { WireError } from "../errors/base"

type LogitBias = SamplingParameters["logitBias"]

interface WireBias {
  readonly ids: Int32Array
  /** A list, as JSON. */
  readonly texts: string
  /** Of the ids and, behind them, of the texts. */
  readonly biases: Float64Array
}

/** A request on its way to a worker. */
export interface WireRequest<R extends WorkRequest = WorkRequest> {
  readonly kind: R["kind"]
  /** The request as JSON, but for the fields below. */
  readonly json: string
  /** A completion's prompt, where that is token ids. */
  readonly promptIds?: Int32Array
  readonly logitBias?: WireBias
}

/** Stands for a `maxTokens` of `Infinity`, which JSON has not. */
const UNLIMITED = -1

export function encodeRequest<R extends WorkRequest>(request: R): WireRequest<R> {
  const whole: WorkRequest = request
  const isText = isGenerationRequest(whole)
  return { kind: request.kind, ...(isText ? encodeGeneration(whole) : { json: JSON.stringify(whole) }) }
}

function encodeGeneration(request: GenerationRequest): Omit<WireRequest, "kind"> {
  const { logitBias, ...sampling } = request.sampling
  const promptIds = request.kind === "completion" && typeof request.prompt !== "string" && request.prompt
  const flat = {
    ...request,
    sampling,
    ...(promptIds && { prompt: undefined }),
    ...(request.maxTokens === Number.POSITIVE_INFINITY && { maxTokens: UNLIMITED }),
  }
  return {
    json: JSON.stringify(flat),
    ...(promptIds && { promptIds: new Int32Array(promptIds) }),
    ...(logitBias !== undefined && { logitBias: encodeBias(logitBias) }),
  }
}

/** The request that {@link encodeRequest} was given. */
export function decodeRequest<R extends WorkRequest>(wire: WireRequest<R>): R {
  // Both sides are the same program: the text is what the other one made of an R.
  const whole = JSON.parse(wire.json) as WorkRequest
  const isText = isGenerationRequest(whole)
  return (isText ? decodeGeneration(whole, wire) : whole) as R
}

function decodeGeneration(
  flat: GenerationRequest,
  { promptIds, logitBias }: WireRequest<WorkRequest>,
): GenerationRequest {
  const isUnlimited = flat.maxTokens === UNLIMITED
  const rest = {
    ...(isUnlimited && { maxTokens: Number.POSITIVE_INFINITY }),
    ...(logitBias !== undefined && { sampling: { ...flat.sampling, logitBias: decodeBias(logitBias) } }),
  }
  if (promptIds === undefined) return { ...flat, ...rest }
  // Only completions have ids.
  return { ...(flat as CompletionRequest), prompt: Array.from(promptIds), ...rest }
}

/** What comes along with a model, as one text. */
export function encodeDefaults(defaults: ModelDefaults): string {
  const isUnlimited = defaults.maxTokens === Number.POSITIVE_INFINITY
  return JSON.stringify({ ...defaults, ...(isUnlimited && { maxTokens: UNLIMITED }) })
}

/** Nothing where nothing comes along. */
export function decodeDefaults(json = "{}"): ModelDefaults {
  // What `encodeDefaults` made of them.
  const defaults = JSON.parse(json) as ModelDefaults
  const isUnlimited = defaults.maxTokens === UNLIMITED
  return { ...defaults, ...(isUnlimited && { maxTokens: Number.POSITIVE_INFINITY }) }
}

function encodeBias(pairs: LogitBias): WireBias {
  const ids = pairs.filter((pair): pair is readonly [number, number] => typeof pair[0] === "number")
  const texts = pairs.filter((pair): pair is readonly [string, number] => typeof pair[0] === "string")
  const biases = new Float64Array(pairs.length)
  const biasedIds = new Int32Array(ids.length)
  ids.forEach(([id, bias], index) => {
    biasedIds[index] = id
    biases[index] = bias
  })
  texts.forEach(([, bias], index) => (biases[ids.length + index] = bias))
  return { ids: biasedIds, texts: JSON.stringify(texts.map(([text]) => text)), biases }
}

/** Pairs of ids come first; what is added to a logit is the same in any order. */
function decodeBias({ ids, texts, biases }: WireBias): LogitBias {
  const biasAt = (index: number): number => biases[index] ?? 0
  const list = JSON.parse(texts) as readonly string[]
  return Array.from(ids, (id, index): LogitBias[number] => [id, biasAt(index)]).concat(
    list.map((text, index) => [text, biasAt(ids.length + index)]),
  )
}

/** A rendered prompt on its way to the server. */
export interface WireRendered {
  readonly prompt: string
  readonly tokens: Int32Array
  /** The parameters as JSON, without `logitBias`. */
  readonly json: string
  readonly logitBias: WireBias
}

/** What of it is rendered may be numbers in a row already. */
export function encodeRendered({
  prompt,
  tokens,
  parameters,
}: Omit<RenderedPrompt, "tokens"> & { readonly tokens: ArrayLike<number> }): WireRendered {
  const { logitBias, ...flat } = parameters
  return {
    prompt,
    tokens: tokens instanceof Int32Array ? tokens : new Int32Array(tokens),
    json: JSON.stringify(flat),
    logitBias: encodeBias(logitBias),
  }
}

export function decodeRendered({ prompt, tokens, json, logitBias }: WireRendered): RenderedPrompt {
  // What `encodeRendered` made of the parameters.
  const flat = JSON.parse(json) as Omit<RenderedPrompt["parameters"], "logitBias">
  return { prompt, tokens: Array.from(tokens), parameters: { ...flat, logitBias: decodeBias(logitBias) } }
}

/** One event of one request. The event `done` ends the request. */
export type RequestEvent<E extends WorkEvent = WorkEvent> =
  | { readonly id: number; readonly event: E }
  /** The request failed and is over. */
  | { readonly id: number; readonly error: WireError }

/** A token of a prompt; the first one has no probability. */
export type PromptLogprob = NonNullable<
  Extract<GenerationEvent, { readonly type: "prompt" }>["logprobs"]
>[number]

/**
 * The next log probabilities of a request's prompt, told as they are computed. Its event `prompt` comes behind the last
 * of them, and {@link EventReader} puts them into it.
 */
interface JudgedPrompt {
  readonly id: number
  readonly wantsPromptLogprobs: readonly PromptLogprob[]
}

/** What a worker has to tell of a step. */
export type WorkerEvent<E extends WorkEvent> = RequestEvent<E> | JudgedPrompt

/** The same on its way: as JSON where it has log probabilities, which are several objects for every token. */
export type WireEvents<E extends WorkEvent> = readonly WorkerEvent<E>[] | string

export function encodeEvents<E extends WorkEvent>(events: readonly WorkerEvent<E>[]): WireEvents<E> {
  return events.some(hasLogprobs) ? JSON.stringify(events) : events
}

function hasLogprobs(entry: WorkerEvent<WorkEvent>): boolean {
  return "wantsPromptLogprobs" in entry || ("event" in entry && "logprobs" in entry.event)
}

/** Reads what one worker tells of its requests. */
export class EventReader<E extends WorkEvent> {
  readonly #judged = new Map<number, PromptLogprob[]>()

  read(events: WireEvents<E>): readonly RequestEvent<E>[] {
    // What `encodeEvents` made of the events.
    const entries = typeof events === "string" ? (JSON.parse(events) as WorkerEvent<E>[]) : events
    return entries.flatMap((entry) => {
      if ("error" in entry) this.forget(entry.id)
      if (!("wantsPromptLogprobs" in entry)) return "event" in entry ? this.#complete(entry) : entry
      const wantsPromptLogprobs = this.#judged.get(entry.id) ?? []
      this.#judged.set(entry.id, wantsPromptLogprobs)
      for (const token of entry.wantsPromptLogprobs) wantsPromptLogprobs.push(restored(token))
      return []
    })
  }

  /** Nothing more comes of this request, or nobody wants it. */
  forget(id: number): void {
    this.#judged.delete(id)
  }

  #complete(entry: { readonly id: number; readonly event: E }): RequestEvent<E> {
    const { id, event } = entry
    if (event.type === "text" && "logprobs" in event) event.logprobs?.forEach(restored)
    const wantsPromptLogprobs = event.type === "prompt" ? this.#judged.get(id) : undefined
    if (wantsPromptLogprobs === undefined) return entry
    this.forget(id)
    return { id, event: { ...event, logprobs: wantsPromptLogprobs } }
  }
}

/** JSON has no `-Infinity`, and writes `null`. The token is changed in place: it has just been made from a text. */
function restored<T extends PromptLogprob>(token: T): T {
  if (!("top" in token)) return token
  for (const each of [token, ...token.top] as { logprob: TokenLogprob["logprob"] | null }[])
    each.logprob ??= Number.NEGATIVE_INFINITY
  return token
}
