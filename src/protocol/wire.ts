/**
 * Long or deeply nested data crosses between processes and threads as one JSON text, or as typed arrays.
 * Structured clone is slow per object and blocks the sender's only thread: 1.1 s for 400,000 messages and 4 s
 * for 2,000,000 pairs of `logit_bias`, which take 0.1 s as text and typed arrays.
 */
import type {
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  MediaPart,
  RenderedPrompt,
  SamplingParameters,
  TokenLogprob,
} from "../domain/chat"
import { requestMedia } from "../domain/content"
import type { ModelDefaults } from "../domain/model"
import { isGenerationRequest, type WorkEvent, type WorkRequest } from "../domain/tasks"
import type { WireError } from "../errors/base"

type LogitBias = SamplingParameters["logitBias"]

interface WireBias {
  readonly ids: Int32Array
  /** A list, as JSON. */
  readonly texts: string
  /** The biases of the ids, followed by those of the texts. */
  readonly biases: Float64Array
}

/** A request on its way to a worker. */
export interface WireRequest<R extends WorkRequest = WorkRequest> {
  readonly kind: R["kind"]
  /** The request as JSON, without the fields below. */
  readonly json: string
  /** The prompt of a completion if it is token ids. */
  readonly promptIds?: Int32Array
  readonly logitBias?: WireBias
  /** The pictures and sounds of the request, which are in the JSON too; absent: none. */
  readonly media?: readonly MediaPart[]
}

/** Replaces a `maxTokens` of `Infinity`, which JSON cannot represent. */
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
  const media = requestMedia(request)
  return {
    json: JSON.stringify(flat),
    ...(media.length > 0 && { media }),
    ...(promptIds && { promptIds: new Int32Array(promptIds) }),
    ...(logitBias !== undefined && { logitBias: encodeBias(logitBias) }),
  }
}

/** Restores the request given to {@link encodeRequest}. */
export function decodeRequest<R extends WorkRequest>(wire: WireRequest<R>): R {
  // Both sides are the same program: `encodeRequest` wrote this text from an R.
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
  // Only completions contain ids.
  return { ...(flat as CompletionRequest), prompt: Array.from(promptIds), ...rest }
}

/** The model's defaults as text. */
export function encodeDefaults(defaults: ModelDefaults): string {
  const isUnlimited = defaults.maxTokens === Number.POSITIVE_INFINITY
  return JSON.stringify({ ...defaults, ...(isUnlimited && { maxTokens: UNLIMITED }) })
}

/** Without text, no defaults. */
export function decodeDefaults(json = "{}"): ModelDefaults {
  // Written by `encodeDefaults`.
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

/** Pairs of ids come first; the order of biases makes no difference. */
function decodeBias({ ids, texts, biases }: WireBias): LogitBias {
  const biasAt = (index: number): number => biases[index] ?? 0
  const list = JSON.parse(texts) as readonly string[]
  return Array.from(ids, (id, index): LogitBias[number] => [id, biasAt(index)]).concat(
    list.map((text, index) => [text, biasAt(ids.length + index)]),
  )
}

/** A rendered prompt sent to the server. */
export interface WireRendered {
  readonly prompt: string
  readonly tokens: Int32Array
  /** All else as JSON, without `logitBias`. */
  readonly json: string
  readonly logitBias: WireBias
}

/** The token ids may already be a typed array. */
export function encodeRendered({
  prompt,
  tokens,
  parameters,
  ...rest
}: Omit<RenderedPrompt, "tokens"> & { readonly tokens: ArrayLike<number> }): WireRendered {
  const { logitBias, ...flat } = parameters
  return {
    prompt,
    tokens: tokens instanceof Int32Array ? tokens : new Int32Array(tokens),
    json: JSON.stringify({ ...rest, parameters: flat }),
    logitBias: encodeBias(logitBias),
  }
}

export function decodeRendered({ prompt, tokens, json, logitBias }: WireRendered): RenderedPrompt {
  // Written by `encodeRendered`.
  const { parameters, ...rest } = JSON.parse(json) as Omit<RenderedPrompt, "prompt" | "tokens">
  return {
    ...rest,
    prompt,
    tokens: Array.from(tokens),
    parameters: { ...parameters, logitBias: decodeBias(logitBias) },
  }
}

/** One event of one request. The event `done` ends the request. */
export type RequestEvent<E extends WorkEvent = WorkEvent> =
  | { readonly id: number; readonly event: E }
  /** The request failed and ended. */
  | { readonly id: number; readonly error: WireError }

/** A token of a prompt; the first has no probability. */
export type PromptLogprob = NonNullable<
  Extract<GenerationEvent, { readonly type: "prompt" }>["logprobs"]
>[number]

/**
 * The next log probabilities of a request's prompt, sent as they are computed. Its `prompt` event follows the
 * last of them; {@link EventReader} adds them to it.
 */
interface PartialPromptLogprobs {
  readonly id: number
  readonly promptLogprobs: readonly PromptLogprob[]
}

/** What a worker reports about a step. */
export type WorkerEvent<E extends WorkEvent> = RequestEvent<E> | PartialPromptLogprobs

/**
 * The same encoded for sending: as JSON if it contains log probabilities, which are several objects per
 * token.
 */
export type WireEvents<E extends WorkEvent> = readonly WorkerEvent<E>[] | string

export function encodeEvents<E extends WorkEvent>(events: readonly WorkerEvent<E>[]): WireEvents<E> {
  return events.some(hasLogprobs) ? JSON.stringify(events) : events
}

function hasLogprobs(entry: WorkerEvent<WorkEvent>): boolean {
  return "promptLogprobs" in entry || ("event" in entry && "logprobs" in entry.event)
}

/** Decodes the events of one worker. */
export class EventReader<E extends WorkEvent> {
  readonly #promptLogprobs = new Map<number, PromptLogprob[]>()

  read(events: WireEvents<E>): readonly RequestEvent<E>[] {
    // Written by `encodeEvents`.
    const entries = typeof events === "string" ? (JSON.parse(events) as WorkerEvent<E>[]) : events
    return entries.flatMap((entry) => {
      if ("error" in entry) this.forget(entry.id)
      if (!("promptLogprobs" in entry)) return "event" in entry ? this.#complete(entry) : entry
      const promptLogprobs = this.#promptLogprobs.get(entry.id) ?? []
      this.#promptLogprobs.set(entry.id, promptLogprobs)
      for (const token of entry.promptLogprobs) promptLogprobs.push(restored(token))
      return []
    })
  }

  /** Drops collected data of a request that ended or was cancelled. */
  forget(id: number): void {
    this.#promptLogprobs.delete(id)
  }

  #complete(entry: { readonly id: number; readonly event: E }): RequestEvent<E> {
    const { id, event } = entry
    if (event.type === "delta" && "logprobs" in event) event.logprobs?.forEach(restored)
    const promptLogprobs = event.type === "prompt" ? this.#promptLogprobs.get(id) : undefined
    if (promptLogprobs === undefined) return entry
    this.forget(id)
    return { id, event: { ...event, logprobs: promptLogprobs } }
  }
}

/** JSON writes `-Infinity` as `null`. Changes the token in place: it was just parsed. */
function restored<T extends PromptLogprob>(token: T): T {
  if (!("top" in token)) return token
  for (const each of [token, ...token.top] as { logprob: TokenLogprob["logprob"] | null }[])
    each.logprob ??= Number.NEGATIVE_INFINITY
  return token
}
