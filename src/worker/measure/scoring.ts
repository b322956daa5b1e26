import { ModelLoadFailed } from "../../errors/model"
import { InvalidRequest } from "../../errors/request"
import { Batch } from "../../llama/batch"
import type { Context } from "../../llama/context"
import type { MeasuredContext, WindowScores } from "../../measure/work"
import { type MeasuredModel, openContext } from "./loaded"
import { divergence, logSumExp, topOf } from "./log-probs"

/** The most bytes of logits that one decode yields, for each model. */
const LOGITS_BYTES = 64 * 1024 ** 2

/** At least so many windows' tokens must a text have. */
const LEAST_WINDOWS = 1

/** One model's place in a text. */
interface Reader {
  readonly measured: MeasuredModel
  readonly context: Context
  readonly tokens: Int32Array
  readonly batch: Batch
}

/**
 * Scores a text in windows: each begins with an empty cache, and the second half of its tokens counts. With two models
 * of one vocabulary both compute the same tokens side by side, so that only a few rows of logits exist at a time; models
 * of different vocabularies are scored one after the other.
 * @throws InvalidRequest where the text is too short
 */
export class Scoring implements Disposable {
  readonly #readers: readonly Reader[]
  readonly #windowTokens: number
  readonly #rows: number
  /** Of the model with the fewest. */
  readonly windows: number

  constructor(
    models: readonly MeasuredModel[],
    { text, windowTokens, context }: { text: string; windowTokens: number; context: MeasuredContext },
  ) {
    this.#windowTokens = windowTokens
    const widest = Math.max(...models.map(({ model }) => model.vocabulary.size))
    const fitting = Math.floor(LOGITS_BYTES / (widest * Float32Array.BYTES_PER_ELEMENT))
    this.#rows = Math.max(1, Math.min(fitting, windowTokens, context.batchTokens))
    this.#readers = models.map((measured) => ({
      measured,
      context: openContext(measured, windowTokens, this.#rows, context),
      tokens: measured.model.vocabulary.tokenize(text, { addSpecial: true, parseSpecial: false }),
      batch: new Batch(Math.max(this.#rows, context.batchTokens), 1),
    }))
    const fewest = Math.min(...this.#readers.map(({ tokens }) => tokens.length))
    this.windows = Math.floor(fewest / windowTokens)
    if (this.windows < LEAST_WINDOWS)
      throw new InvalidRequest(
        `the text has ${fewest} tokens; at least ${windowTokens * LEAST_WINDOWS} are needed to score it`,
        "text",
      )
  }

  /** The scores of one window, by model. */
  window(index: number, sameVocabulary: boolean): readonly WindowScores[] {
    const [base, other] = this.#readers
    if (base === undefined) return []
    if (other === undefined) return [this.#alone(base, index)]
    return sameVocabulary
      ? this.#together(base, other, index)
      : [this.#alone(base, index), this.#alone(other, index)]
  }

  #alone(reader: Reader, index: number): WindowScores {
    const scores: number[] = []
    this.#eachRow([reader], index, ([logits], next) => {
      if (logits !== undefined) scores.push(logSumExp(logits) - (logits[next] ?? 0))
    })
    return this.#scoresOf(reader, index, scores)
  }

  #together(base: Reader, other: Reader, index: number): readonly WindowScores[] {
    const scores: [number[], number[]] = [[], []]
    const divergences: number[] = []
    let sameTop = 0
    this.#eachRow([base, other], index, ([one, two], next) => {
      if (one === undefined || two === undefined) return
      const [sumOne, sumTwo] = [logSumExp(one), logSumExp(two)]
      scores[0].push(sumOne - (one[next] ?? 0))
      scores[1].push(sumTwo - (two[next] ?? 0))
      divergences.push(divergence(one, sumOne, two, sumTwo))
      if (topOf(one) === topOf(two)) sameTop++
    })
    return [
      this.#scoresOf(base, index, scores[0]),
      { ...this.#scoresOf(other, index, scores[1]), divergences: Float64Array.from(divergences), sameTop },
    ]
  }

  #scoresOf({ measured, tokens }: Reader, index: number, scores: readonly number[]): WindowScores {
    const { vocabulary } = measured.model
    const end = (index + 1) * this.#windowTokens
    let bytes = 0
    for (let at = end - scores.length; at < end; at++) bytes += vocabulary.bytesOnce(tokens[at] ?? 0).length
    return { tokens: scores.length, bytes, negativeLogProbs: Float64Array.from(scores) }
  }

  /** Calls `visit` with the readers' logits for each scored token of the window, and that token. */
  #eachRow(
    readers: readonly Reader[],
    index: number,
    visit: (logits: readonly Float32Array[], next: number) => void,
  ): void {
    const size = this.#windowTokens
    const start = index * size
    const first = size >> 1
    for (const { context } of readers) context.clear(0)
    for (const reader of readers) this.#read(reader, start, 0, first, 0)
    // The last token has no successor in its window.
    for (let at = first; at < size - 1; at += this.#rows) {
      const count = Math.min(this.#rows, size - 1 - at)
      for (const reader of readers) this.#read(reader, start, at, count, count)
      for (let row = 0; row < count; row++) {
        const next = readers[0]?.tokens[start + at + row + 1] ?? 0
        visit(
          readers.map(({ context }) => context.logits(row)),
          next,
        )
      }
    }
  }

  /** Reads tokens of the window; with logits either of all (`outputs` = `count`) or of none. */
  #read(
    { measured, context, tokens, batch }: Reader,
    start: number,
    at: number,
    count: number,
    outputs: number,
  ): void {
    const { vocabulary } = measured.model
    for (let done = 0; done < count; done += batch.capacity) {
      batch.clear()
      for (let i = done; i < Math.min(count, done + batch.capacity); i++) {
        const position = at + i
        // Each window begins like a text of its own.
        const token = position === 0 && vocabulary.addsBos ? vocabulary.bos : (tokens[start + position] ?? 0)
        batch.add(token, position, 0, outputs > 0)
      }
      if (context.decode(batch) !== "done")
        throw new ModelLoadFailed(measured.name, "llama.cpp could not compute a step")
    }
  }

  [Symbol.dispose](): void {
    for (const { context } of this.#readers) context[Symbol.dispose]()
  }
}
