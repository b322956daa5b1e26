import type { EmbeddingRequest, RerankRequest, Truncation } from "../../domain/embedding"
import { InputTooLong, InvalidRequest, Unsupported } from "../../errors/request"
import type { VectorRequest } from "../../domain/tasks"
import { PRODUCTS, TEXTS } from "../../limits"
import type { Vocabulary } from "../../llama/vocabulary"
import type { PairLayout } from "./pairs"
import type { Tokenizer } from "./tokenizer"

export interface TextPreparerParts {
  /** The model's. */
  readonly name: string
  readonly tokenizer: Tokenizer
  readonly vocabulary: Pick<Vocabulary, "size" | "bos" | "eos" | "sep">
  /** The longest text, in tokens. */
  readonly mostTokens: number
  /** Undefined: the model ranks nothing. */
  readonly pairs: PairLayout | undefined
  readonly dimensions: number
  /** Has a text one vector? Otherwise each of its tokens has one. */
  readonly isPooled: boolean
}

/** As tokenizers of embedding models are used elsewhere: with the tokens they add, and texts of control tokens read. */
const AS_TRAINED = { addSpecial: true, parseSpecial: true } as const

/** Turns requests into tokens. */
export class TextPreparer {
  readonly #parts: TextPreparerParts

  constructor(parts: TextPreparerParts) {
    this.#parts = parts
  }

  /**
   * The tokens of each text; fewer once the request is no longer wanted.
   * @throws InputTooLong, InvalidRequest, Unsupported
   */
  prepare(request: VectorRequest, wanted: () => boolean): Promise<readonly Int32Array[]> {
    return request.kind === "rerank" ? this.#pairs(request, wanted) : this.#inputs(request, wanted)
  }

  async #inputs(request: EmbeddingRequest, wanted: () => boolean): Promise<readonly Int32Array[]> {
    const { name, tokenizer, pairs, dimensions, isPooled } = this.#parts
    const { inputs } = request
    if (pairs !== undefined)
      throw new Unsupported(
        `model '${name}' ranks texts and does not embed them; use POST /v1/rerank`,
        "model",
      )
    if (request.dimensions !== undefined && request.dimensions > dimensions)
      throw new InvalidRequest(
        `dimensions must be at most ${dimensions}, the length of this model's vectors, got ${request.dimensions}`,
        "dimensions",
      )
    if (!isPooled && request.takesTokens !== true)
      throw new Unsupported(
        `model '${name}' has a vector for each token (pooling none), which only POST /embedding answers with`,
        "model",
      )
    const isText = (input: (typeof inputs)[number]): input is string => typeof input === "string"
    const readable = inputs.flatMap((input, index) =>
      isText(input) ? [readablePart(input, request, placeOf(index, inputs.length))] : [],
    )
    const tokenized = await tokenizer.tokenize(readable, AS_TRAINED, wanted)
    if (!wanted()) return []
    const texts = tokenized.values()
    const all = inputs.map((input, index) => {
      const place = placeOf(index, inputs.length)
      const tokens = isText(input) ? (texts.next().value ?? new Int32Array(0)) : this.#checked(input, place)
      if (tokens.length === 0) throw new InvalidRequest(`${place} is empty: it has no tokens`, place)
      return this.#fit(tokens, request, place)
    })
    if (!isPooled) refuseManyVectors(all, dimensions)
    return all
  }

  #checked(input: readonly number[], place: string): Int32Array {
    const { size } = this.#parts.vocabulary
    const odd = input.find((token) => token >= size)
    if (odd === undefined) return Int32Array.from(input)
    throw new InvalidRequest(
      `${place} has the token ${odd}, but the model's tokens end at ${size - 1}`,
      place,
    )
  }

  #fit(tokens: Int32Array, request: EmbeddingRequest, place: string): Int32Array {
    const most = this.#mostTokens(request)
    if (tokens.length <= most) return tokens
    if (request.truncation === "no" && request.maxTokens === undefined)
      throw new InputTooLong(place, tokens.length, most)
    return this.#cut(tokens, most, request.truncation)
  }

  /** What encloses a text stays around what is left of it. */
  #cut(tokens: Int32Array, most: number, truncation: Truncation): Int32Array {
    const { bos, eos, sep } = this.#parts.vocabulary
    const last = tokens[tokens.length - 1] ?? -1
    const head = tokens[0] === bos && most > 1 ? 1 : 0
    const tail = (last === eos || last === sep) && most > head + 1 ? 1 : 0
    const inner = tokens.subarray(head, tokens.length - tail)
    const kept = most - head - tail
    const rest = truncation === "end" ? inner.subarray(inner.length - kept) : inner.subarray(0, kept)
    return Int32Array.from([...tokens.subarray(0, head), ...rest, ...tokens.subarray(tokens.length - tail)])
  }

  async #pairs(request: RerankRequest, wanted: () => boolean): Promise<readonly Int32Array[]> {
    const { name, tokenizer, pairs } = this.#parts
    const { truncation, maxTokens } = request
    const query = readablePart(request.query, request, "query")
    const documents = request.documents.map((text, index) =>
      readablePart(text, request, `documents[${index}]`),
    )
    if (pairs === undefined)
      throw new Unsupported(
        `model '${name}' embeds texts and does not rank them; use a reranking model`,
        "model",
      )
    const most = this.#mostTokens(request)
    const cuts = truncation !== "no" || maxTokens !== undefined
    const texts = await tokenizer.tokenize(pairs.texts(query, documents), pairs.options, wanted)
    if (!wanted()) return []
    return documents.map((_, index) => {
      const tokens = pairs.join(texts, index, cuts ? most : Number.POSITIVE_INFINITY)
      if (tokens.length <= most) return tokens
      throw new InputTooLong(`documents[${index}] with the query`, tokens.length, most, `documents[${index}]`)
    })
  }

  #mostTokens({ maxTokens = Number.POSITIVE_INFINITY }: VectorRequest): number {
    return Math.min(maxTokens, this.#parts.mostTokens)
  }
}

/** @throws InvalidRequest */
function refuseManyVectors(texts: readonly Int32Array[], dimensions: number): void {
  const count = texts.reduce((sum, { length }) => sum + length, 0) * dimensions
  if (count <= PRODUCTS.tokenVectorNumbers) return
  throw new InvalidRequest(
    `the vectors of all tokens have ${count} numbers; at most ${PRODUCTS.tokenVectorNumbers} are possible, send fewer texts`,
    "input",
  )
}

function placeOf(index: number, count: number): string {
  return count === 1 ? "input" : `input[${index}]`
}

/**
 * As much of a text as is tokenized: all of it, or, of a very long one that is to be cut, the part that may be kept.
 * @throws InvalidRequest if it is too long and must not be cut
 */
function readablePart(text: string, { truncation, maxTokens }: VectorRequest, place: string): string {
  const { maxLength } = TEXTS.tokenized
  if (text.length <= maxLength) return text
  if (truncation === "no" && maxTokens === undefined)
    throw new InvalidRequest(
      `${place} must have at most ${maxLength} characters, got ${text.length}; shorten it, or have it cut (truncate: true)`,
      place,
    )
  return (truncation === "end" ? text.slice(-maxLength) : text.slice(0, maxLength)).toWellFormed()
}
