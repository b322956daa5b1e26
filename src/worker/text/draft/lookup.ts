import type { AnswerPool } from "./answer-pool"
import { LEAST_MATCH, MOST_MATCH, NgramIndex } from "./ngram-index"

/** What the choices of a request have in common to guess from. */
export class SharedTexts {
  readonly prompt: ArrayLike<number>
  readonly promptIndex = new NgramIndex()
  /** The text that the client expects; absent: it has said nothing. */
  readonly prediction: ArrayLike<number> | undefined
  readonly predictionIndex = new NgramIndex()

  constructor(prompt: ArrayLike<number>, prediction?: ArrayLike<number>) {
    this.prompt = prompt
    this.prediction = prediction
    this.promptIndex.extend(prompt, prompt.length)
    if (prediction !== undefined) this.predictionIndex.extend(prediction, prediction.length)
  }
}

/** How sure the beginning of an answer is to be that of the expected text: as after a match of this length. */
const EXPECTED_MATCH = 12

/**
 * Guesses how an answer goes on, as it went on where its newest tokens stood last: in its prompt and in itself, in the
 * text that the client expects, and in answers before it.
 */
export class TextLookup {
  readonly #texts: SharedTexts
  readonly #pool: AnswerPool | undefined
  readonly #key: string
  readonly #own: NgramIndex
  #source: ArrayLike<number> | undefined
  #place = 0
  /** The number of tokens that match; it grows while the guess goes on to be right. */
  #matched = 0
  #predicted = 0

  constructor(texts: SharedTexts, key: string, pool: AnswerPool | undefined) {
    this.#texts = texts
    this.#pool = pool
    this.#key = key
    this.#own = new NgramIndex(texts.prompt.length)
    if (texts.prediction !== undefined && texts.prediction.length > 0)
      this.#guess(texts.prediction, 0, EXPECTED_MATCH)
  }

  /** Is there a guess? */
  get guesses(): boolean {
    return this.#source !== undefined
  }

  /** How many tokens before the guess match. */
  get matched(): number {
    return this.#matched
  }

  /** Tokens of the expected text that came. */
  get predicted(): number {
    return this.#predicted
  }

  /** The guessed token; undefined: none. */
  get next(): number | undefined {
    const token = this.#source?.[this.#place]
    return token === undefined || token < 0 ? undefined : token
  }

  /** The answer goes on with `token`. */
  advance(token: number): void {
    const isRight = token === this.next
    if (isRight && this.#source === this.#texts.prediction) this.#predicted++
    this.#place++
    this.#matched = Math.min(MOST_MATCH, this.#matched + 1)
    if (!isRight || this.next === undefined) this.#source = undefined
  }

  /** Takes in what an answer has gained, and looks for a guess if there is none. */
  renew(tokens: readonly number[]): void {
    const { length } = tokens
    this.#own.extend(tokens, length)
    if (this.#source !== undefined) return
    this.#matched = LEAST_MATCH - 1
    const { prompt, promptIndex, prediction, predictionIndex } = this.#texts
    if (this.#own.find(tokens, tokens, length)) this.#guess(tokens, this.#own.place, this.#own.matched)
    // The answer's tokens begin with the prompt's, so that a guess may go on beyond its end.
    if (promptIndex.find(prompt, tokens, length) && promptIndex.matched > this.#matched)
      this.#guess(tokens, promptIndex.place, promptIndex.matched)
    if (
      prediction !== undefined &&
      predictionIndex.find(prediction, tokens, length) &&
      predictionIndex.matched > this.#matched
    )
      this.#guess(prediction, predictionIndex.place, predictionIndex.matched)
    const found = this.#pool?.find(this.#key, tokens, length, this.#matched)
    if (found !== undefined) this.#guess(found.text, found.place, found.matched)
    if (this.next === undefined) this.#source = undefined
  }

  #guess(source: ArrayLike<number>, place: number, matched: number): void {
    this.#source = source
    this.#place = place
    this.#matched = matched
  }

  /** Appends up to `most` guessed tokens to `draft`, which is empty. `tokens`: the answer so far. */
  fill(draft: number[], most: number, tokens: readonly number[]): void {
    const source = this.#source
    if (source === undefined) return
    const isOwn = source === tokens
    for (let at = this.#place; draft.length < most; at++) {
      // A guess from the answer's own end repeats itself.
      const token = at < source.length ? source[at] : isOwn ? draft[at - source.length] : undefined
      if (token === undefined || token < 0) return
      draft.push(token)
    }
  }
}
