import { ptr } from "bun:ffi"
import { NativeLibraryError } from "../errors/engine"

/** `llama_token_data`: id, logit and probability, 4 bytes each. */
const WORDS = 3

/** `llama_token_data_array`: a pointer, a count, the place of the selected one, and a flag; 8 bytes each. */
const LIST_WORDS = 4

/** A sampled token, and what it was chosen from. */
export interface ShownChoice {
  readonly token: number
  /** The tokens that were left, and their logits as the samplers left them, in any order. */
  readonly tokens: Int32Array
  readonly logits: Float32Array
}

/** The tokens that samplers choose from, as llama.cpp lays them out. */
export class CandidateList {
  readonly #floats: Float32Array
  readonly #ids: Int32Array
  #count = 0
  /** The argument of `llama_sampler_apply`. */
  readonly list = new BigInt64Array(LIST_WORDS)

  /** `capacity`: how many tokens it can take. */
  constructor(readonly capacity: number) {
    const words = new ArrayBuffer(capacity * WORDS * 4)
    this.#floats = new Float32Array(words)
    this.#ids = new Int32Array(words)
  }

  /** All tokens, each with its logit. */
  fill(logits: Float32Array): void {
    for (let id = 0; id < logits.length; id++) this.#put(id, id, logits[id] as number) // an id below the length
    this.#begin(logits.length)
  }

  /** Only `tokens`; `logits`: of the whole vocabulary. */
  fillWith(tokens: ArrayLike<number>, logits: Float32Array): void {
    for (let place = 0; place < tokens.length; place++) {
      const id = tokens[place] as number // a place below the length
      this.#put(place, id, logits[id] as number)
    }
    this.#begin(tokens.length)
  }

  #put(place: number, id: number, logit: number): void {
    this.#ids[place * WORDS] = id
    this.#floats[place * WORDS + 1] = logit
    this.#floats[place * WORDS + 2] = 0
  }

  #begin(count: number): void {
    this.#count = count
    this.list[0] = BigInt(ptr(this.#floats))
    this.list[1] = BigInt(this.#count)
    this.list[2] = -1n // nothing is selected
    this.list[3] = 0n // not sorted
  }

  /** @throws NativeLibraryError if the samplers have not chosen */
  read(): ShownChoice {
    const { first, left, selected } = this.#result()
    const tokens = new Int32Array(left)
    const logits = new Float32Array(left)
    // Index loops: of a large vocabulary nearly all tokens may be left, for every token of an answer.
    for (let place = 0; place < left; place++) {
      const at = (first + place) * WORDS
      tokens[place] = this.#ids[at] as number // within the list
      logits[place] = this.#floats[at + 1] as number
    }
    return { token: tokens[selected] as number, tokens, logits }
  }

  /** The token that the samplers have chosen. @throws NativeLibraryError if they have not */
  get chosen(): number {
    const { first, selected } = this.#result()
    return this.#ids[(first + selected) * WORDS] as number // within the list
  }

  #result(): { readonly first: number; readonly left: number; readonly selected: number } {
    const left = Number(this.list[1])
    const selected = Number(this.list[2])
    // A sampler may leave out the first ones by moving the pointer.
    const first = (Number(this.list[0]) - ptr(this.#floats)) / (WORDS * 4)
    const isWithin = Number.isInteger(first) && first >= 0 && first + left <= this.#count
    if (!isWithin || selected < 0 || selected >= left)
      throw new NativeLibraryError("the samplers chose no token")
    return { first, left, selected }
  }
}
