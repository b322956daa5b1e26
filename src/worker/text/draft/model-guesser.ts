import { Batch } from "../../../llama/batch"
import type { Context } from "../../../llama/context"
import type { LoadedText } from "../load"
import { commonPrefix } from "../prompt/cells"
import type { Runtime } from "../runtime"
import type { Sequence } from "../sequence"
import type { DraftModel } from "./draft-model"
import type { GuessingModel } from "./speculation"

/** Tokens of one decode. A longer prompt is read over several steps, so that none of them takes long. */
const BATCH_TOKENS = 512

/** Weight of the newest time in their average. */
const SMOOTHING = 0.2

/** What is cached of one sequence. */
interface DraftSlot {
  readonly id: number
  /** Whose tokens these are; undefined: of one that has ended. */
  owner: Sequence | undefined
  tokens: number[]
  lastUsed: number
}

/** A guess that is wanted. */
export interface WantedGuess {
  readonly sequence: Sequence
  readonly length: number
  /** It ends before a token that the model holds to be less likely. */
  readonly leastProbability: number
}

interface Guess {
  readonly slot: DraftSlot
  readonly length: number
  readonly leastProbability: number
  readonly tokens: number[]
  index: number
  /** Its next token was too unlikely. */
  isOver: boolean
}

/**
 * Guesses by a draft model. Its cache follows the sequences: what was guessed wrong is cut off, what they gained
 * otherwise is computed with the next guess, and a new sequence takes over the longest cached prefix.
 */
export class ModelGuesser {
  readonly #draft: DraftModel
  readonly #runtime: Pick<Runtime, "cache" | "threads">
  readonly #slotCount: number
  readonly #now: () => number
  readonly #batch: Batch
  #context: Context | undefined
  /** Of the model's cache, for which the context was made. */
  #cells = 0
  #slots: DraftSlot[] = []
  #step = 0
  #isOpen = true
  #stepMs: number | undefined

  constructor(
    draft: DraftModel,
    runtime: Pick<Runtime, "cache" | "threads">,
    slotCount: number,
    now: () => number,
  ) {
    this.#draft = draft
    this.#runtime = runtime
    this.#slotCount = slotCount
    this.#now = now
    this.#batch = new Batch(BATCH_TOKENS, slotCount)
  }

  /** Can it guess? There may be no memory for its cache. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** How long a token of a guess takes, in ms; undefined: not known yet. */
  get tokenMs(): number | undefined {
    return this.#stepMs
  }

  /** Gives memory back that the model's own cache no longer needs either. */
  rest(): void {
    if (this.#context !== undefined && this.#cells > this.#runtime.cache.cells) this.#close()
  }

  /** One guess for each that is wanted, of at most that length; empty while a prompt is being read. */
  guess(wanted: readonly WantedGuess[]): readonly (readonly number[])[] {
    const context = this.#open()
    if (context === undefined) return wanted.map(() => [])
    this.#step++
    this.#runtime.threads.adopt(context)
    const guesses: Guess[] = wanted.map(({ sequence, length, leastProbability }) => ({
      slot: this.#slotOf(sequence, context),
      length,
      leastProbability,
      tokens: [],
      index: -1,
      isOver: false,
    }))
    for (const [at, guess] of guesses.entries())
      this.#catchUp(context, guess, wanted[at]?.sequence.tokens ?? [])
    let open = guesses.filter((guess) => this.#goesOn(guess))
    while (open.length > 0 && this.#extend(context, open)) {
      for (const guess of open) this.#take(guess, context.logits(guess.index))
      open = open.filter((guess) => this.#goesOn(guess))
    }
    return guesses.map(({ tokens }) => tokens)
  }

  /** Computes what the sequence has gained, and guesses the first token if that is all of it. */
  #catchUp(context: Context, guess: Guess, tokens: readonly number[]): void {
    const { slot } = guess
    // The last token's logits are needed.
    const kept = commonPrefix(slot.tokens, slot.tokens.length, tokens, tokens.length - 1)
    this.#cut(context, slot, kept)
    const end = Math.min(tokens.length, kept + BATCH_TOKENS)
    const isWhole = end === tokens.length
    this.#batch.clear()
    for (let at = kept; at < end; at++)
      guess.index = this.#batch.add(tokens[at] as number, at, slot.id, isWhole && at === end - 1)
    if (context.decode(this.#batch) !== "done") {
      return this.#forget(context, slot)
    }
    for (let at = kept; at < end; at++) slot.tokens.push(tokens[at] as number)
    if (isWhole) this.#take(guess, context.logits(guess.index))
  }

  /** Computes the newest token of each guess together. */
  #extend(context: Context, guesses: readonly Guess[]): boolean {
    this.#batch.clear()
    const inOrder = guesses.toSorted((a, b) => a.slot.id - b.slot.id)
    for (const guess of inOrder) {
      const token = guess.tokens.at(-1) as number // each has one
      guess.index = this.#batch.add(token, guess.slot.tokens.length, guess.slot.id, true)
    }
    const startedAt = this.#now()
    if (context.decode(this.#batch) !== "done") {
      for (const { slot } of guesses) this.#forget(context, slot)
      return false
    }
    context.logits(0)
    const ms = this.#now() - startedAt
    this.#stepMs = this.#stepMs === undefined ? ms : this.#stepMs + SMOOTHING * (ms - this.#stepMs)
    for (const { slot, tokens } of guesses) slot.tokens.push(tokens.at(-1) as number)
    return true
  }

  /** Takes the next token, unless it is too unlikely. */
  #take(guess: Guess, logits: Float32Array): void {
    const token = this.#likeliest(logits)
    const { leastProbability } = guess
    guess.isOver = leastProbability > 0 && this.#probability(logits, token) < leastProbability
    if (!guess.isOver) guess.tokens.push(token)
  }

  #probability(logits: Float32Array, token: number): number {
    const logit = logits[token] as number
    let sum = 0
    for (let other = 0; other < this.#draft.commonTokens; other++)
      sum += Math.exp((logits[other] as number) - logit)
    return 1 / sum
  }

  #likeliest(logits: Float32Array): number {
    let likeliest = 0
    let largest = Number.NEGATIVE_INFINITY
    for (let token = 0; token < this.#draft.commonTokens; token++) {
      const logit = logits[token] as number
      if (logit > largest) {
        largest = logit
        likeliest = token
      }
    }
    return likeliest
  }

  #goesOn({ tokens, length, isOver }: Guess): boolean {
    const last = tokens.at(-1)
    return (
      !isOver &&
      last !== undefined &&
      tokens.length < length &&
      !this.#draft.model.vocabulary.endsGeneration(last)
    )
  }

  /** The slot of a sequence: its own, that with the longest common prefix, or the one unused for longest. */
  #slotOf(sequence: Sequence, context: Context): DraftSlot {
    let best: DraftSlot | undefined
    let kept = 0
    for (const slot of this.#slots) {
      if (slot.owner === sequence) {
        slot.lastUsed = this.#step
        return slot
      }
      if (slot.owner?.finished === false && slot.owner.slot !== undefined) continue
      const { tokens } = sequence
      const common =
        slot.tokens.length === 0
          ? 0
          : commonPrefix(slot.tokens, slot.tokens.length, tokens, tokens.length - 1)
      if (best === undefined || common > kept || (common === kept && slot.lastUsed < best.lastUsed)) {
        best = slot
        kept = common
      }
    }
    // There are as many slots as sequences run.
    const slot = best ?? (this.#slots[0] as DraftSlot)
    if (kept === 0) this.#forget(context, slot)
    slot.owner = sequence
    slot.lastUsed = this.#step
    return slot
  }

  #cut(context: Context, slot: DraftSlot, length: number): void {
    if (slot.tokens.length <= length) return
    if (context.truncate(slot.id, length)) slot.tokens.length = length
    else this.#forget(context, slot)
  }

  #forget(context: Context, slot: DraftSlot): void {
    if (slot.tokens.length > 0) context.clear(slot.id)
    slot.tokens = []
  }

  /** Its context, remade where the model's cache has another size. */
  #open(): Context | undefined {
    const { cells } = this.#runtime.cache
    if (this.#context !== undefined && this.#cells === cells) return this.#context
    this.#close()
    this.#context = this.#draft.createContext(cells, this.#slotCount)
    this.#cells = cells
    this.#isOpen = this.#context !== undefined
    this.#slots = Array.from({ length: this.#slotCount }, (_, id) => ({
      id,
      owner: undefined,
      tokens: [],
      lastUsed: 0,
    }))
    return this.#context
  }

  #close(): void {
    this.#context?.[Symbol.dispose]()
    this.#context = undefined
    this.#slots = []
  }
}

/** What guesses for a model that has a draft. */
export function guessingModelOf(
  { draft, model }: Pick<LoadedText, "draft" | "model">,
  runtime: Runtime,
  slots: number,
  now: () => number,
): GuessingModel | undefined {
  if (draft === undefined) return undefined
  const guesser = new ModelGuesser(draft, runtime, slots, now)
  return { guesser, share: draft.model.sizeBytes / model.sizeBytes }
}
