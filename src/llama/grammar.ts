import { ptr } from "bun:ffi"
import { NativeLibraryError } from "../errors/engine"
import { cString, type Library, type NativePointer } from "./library"
import type { VocabularyShare } from "./vocabulary"

/** A grammar on its way to another thread of the process; its receiver owns it. Opaque outside `llama/`. */
export interface GrammarShare {
  readonly address: NativePointer
}

/** `llama_token_data`: id, logit and probability, 4 bytes each. */
const CANDIDATE_WORDS = 3

/** `llama_token_data_array`: a pointer, two 64-bit numbers and a flag. */
const LIST_BYTES = 32

/** The state of llama.cpp's grammar after the tokens accepted so far. */
export class NativeGrammar implements Disposable {
  readonly #library: Library
  #ptr: NativePointer | null
  #candidates = new Float32Array(0)
  #ids = new Int32Array(0)
  readonly #list = new BigUint64Array(LIST_BYTES / 8)

  private constructor(library: Library, address: NativePointer) {
    this.#library = library
    this.#ptr = address
  }

  /** `source`: GBNF, already checked. Undefined if llama.cpp refuses it; it has logged why. */
  static compile(library: Library, vocabulary: VocabularyShare, source: string): NativeGrammar | undefined {
    const address = library.llama.llama_sampler_init_grammar(
      vocabulary.address,
      cString(source),
      cString("root"),
    )
    return address === null ? undefined : new NativeGrammar(library, address)
  }

  /** Takes over a grammar that another thread has shared. */
  static fromShare(library: Library, share: GrammarShare): NativeGrammar {
    return new NativeGrammar(library, share.address)
  }

  /** Gives it to another thread; this object is then of no use. */
  share(): GrammarShare {
    const address = this.#address
    this.#ptr = null
    return { address }
  }

  clone(): NativeGrammar {
    const address = this.#library.llama.llama_sampler_clone(this.#address)
    if (address === null) throw new NativeLibraryError("the grammar could not be copied")
    return new NativeGrammar(this.#library, address)
  }

  /** May the token come next? */
  allows(token: number): boolean {
    this.#reserve(1)
    this.#ids[0] = token
    this.#candidates[1] = 0
    this.#apply(1)
    return this.#candidates[1] === 0
  }

  /** Those of `tokens` that may come next, in their order. Takes 15 to 25 µs a token and alternative. */
  allowed(tokens: ArrayLike<number>): number[] {
    const count = tokens.length
    if (count === 0) return []
    this.#reserve(count)
    for (let at = 0; at < count; at++) {
      this.#ids[at * CANDIDATE_WORDS] = tokens[at] ?? 0
      this.#candidates[at * CANDIDATE_WORDS + 1] = 0
    }
    this.#apply(count)
    const left: number[] = []
    for (let at = 0; at < count; at++)
      if (this.#candidates[at * CANDIDATE_WORDS + 1] === 0) left.push(tokens[at] ?? 0)
    return left
  }

  #apply(count: number): void {
    this.#list[0] = BigInt(ptr(this.#candidates))
    this.#list[1] = BigInt(count)
    this.#list[2] = 0xffff_ffff_ffff_ffffn // nothing is selected: -1
    this.#list[3] = 0n
    this.#library.llama.llama_sampler_apply(this.#address, this.#list)
  }

  /** Goes on with a token, which must be allowed: llama.cpp ends the process for any other. */
  accept(token: number): void {
    this.#library.llama.llama_sampler_accept(this.#address, token)
  }

  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#library.llama.llama_sampler_free(this.#ptr)
    this.#ptr = null
  }

  get #address(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the grammar is disposed")
    return this.#ptr
  }

  #reserve(count: number): void {
    if (this.#ids.length >= count * CANDIDATE_WORDS) return
    const words = new ArrayBuffer(count * CANDIDATE_WORDS * 4)
    this.#candidates = new Float32Array(words)
    this.#ids = new Int32Array(words)
  }
}
