import type { Library, NativePointer } from "./library"
import { MarkerCuts } from "./marker-cuts"

/** A handle with which another thread of the same process can open a vocabulary; opaque outside `llama/`. */
export interface VocabularyShare {
  readonly address: NativePointer
}

export interface TokenizeOptions {
  /** Add the tokens that the model needs at the start (BOS) and the end. */
  readonly addSpecial: boolean
  /** Parse the text of control tokens as those tokens; otherwise it is plain text. */
  readonly parseSpecial: boolean
}

/** `enum llama_vocab_type`: SentencePiece, byte-pair, WordPiece, unigram, RWKV, PLaMo-2. */
const TYPE_SPM = 1
const TYPE_BPE = 2

/** `enum llama_token_attr`: unknown, control and user-defined tokens are found in a text before all others. */
const FOUND_FIRST = (1 << 0) | (1 << 3) | (1 << 4)
/** White space in front of the token belongs to it. */
const STRIPS_LEFT = 1 << 7

/** Characters of a text in which there may be so many markers that they take long. */
const LONG_TEXT = 32_768

/** Tokens for which there is room at once: 16 MB. A text with more is tokenized twice. */
const MOST_AT_ONCE = 1 << 22

/** The tokens of one model. Valid as long as its model; safe to use from several threads. */
export class Vocabulary {
  readonly #library: Library
  readonly #ptr: NativePointer
  readonly size: number
  readonly bos: number
  readonly eos: number
  /** Between two texts; below 0: there is none. */
  readonly sep: number
  readonly addsBos: boolean
  readonly addsEos: boolean
  readonly addsSep: boolean
  readonly fillInTheMiddle:
    | {
        readonly prefix: number
        readonly suffix: number
        readonly middle: number
        readonly repository?: number
        readonly file?: number
      }
    | undefined
  readonly #pieces: (Uint8Array | undefined)[]
  readonly #scratch = new Uint8Array(1024)
  readonly #single = new Int32Array(1)
  #cuts: MarkerCuts | undefined

  constructor(library: Library, ptr: NativePointer) {
    this.#library = library
    this.#ptr = ptr
    const { llama } = library
    this.size = llama.llama_vocab_n_tokens(ptr)
    this.bos = llama.llama_vocab_bos(ptr)
    this.eos = llama.llama_vocab_eos(ptr)
    this.sep = llama.llama_vocab_sep(ptr)
    this.addsSep = llama.llama_vocab_get_add_sep(ptr)
    this.addsEos = llama.llama_vocab_get_add_eos(ptr)
    this.addsBos = llama.llama_vocab_get_add_bos(ptr)
    const prefix = llama.llama_vocab_fim_pre(ptr)
    const suffix = llama.llama_vocab_fim_suf(ptr)
    const middle = llama.llama_vocab_fim_mid(ptr)
    const repository = llama.llama_vocab_fim_rep(ptr)
    const file = llama.llama_vocab_fim_sep(ptr)
    this.fillInTheMiddle =
      prefix >= 0 && suffix >= 0 && middle >= 0
        ? { prefix, suffix, middle, ...(repository >= 0 && { repository }), ...(file >= 0 && { file }) }
        : undefined
    this.#pieces = new Array<Uint8Array | undefined>(this.size)
  }

  share(): VocabularyShare {
    return { address: this.#ptr }
  }

  /** The model behind `share` must stay loaded while this is in use. */
  static fromShare(library: Library, share: VocabularyShare): Vocabulary {
    // Only `share()` creates these, in this process.
    return new Vocabulary(library, share.address)
  }

  endsGeneration(token: number): boolean {
    return this.#library.llama.llama_vocab_is_eog(this.#ptr, token)
  }

  isControl(token: number): boolean {
    return this.#library.llama.llama_vocab_is_control(this.#ptr, token)
  }

  /** All tokens that end a generation. */
  endTokens(): number[] {
    const tokens: number[] = []
    for (let token = 0; token < this.size; token++) if (this.endsGeneration(token)) tokens.push(token)
    return tokens
  }

  /** The texts of all control tokens, which messages must not be able to forge. */
  specialTokens(): string[] {
    const texts: string[] = []
    for (let token = 0; token < this.size; token++)
      if (this.isControl(token)) texts.push(new TextDecoder().decode(this.bytes(token)))
    return texts.filter((text) => text !== "")
  }

  /** The bytes of `token`; for control tokens, of their name. May be part of a character. */
  bytes(token: number): Uint8Array {
    return (this.#pieces[token] ??= this.#readPiece(token))
  }

  /** The same, for one look at many tokens: it is not kept. */
  bytesOnce(token: number): Uint8Array {
    return this.#pieces[token] ?? this.#readPiece(token)
  }

  #readPiece(token: number): Uint8Array {
    if (token < 0 || token >= this.size) return new Uint8Array(0)
    const { llama } = this.#library
    const size = llama.llama_token_to_piece(this.#ptr, token, this.#scratch, this.#scratch.length, 0, true)
    if (size >= 0) return this.#scratch.slice(0, size)
    const larger = new Uint8Array(-size)
    llama.llama_token_to_piece(this.#ptr, token, larger, larger.length, 0, true)
    return larger
  }

  /** The bytes of `token` on its own, without the space that some vocabularies put before a text. */
  detokenized(token: number): Uint8Array {
    const { llama } = this.#library
    this.#single[0] = token
    const size = llama.llama_detokenize(
      this.#ptr,
      this.#single,
      1,
      this.#scratch,
      this.#scratch.length,
      false,
      true,
    )
    if (size >= 0) return this.#scratch.slice(0, size)
    const larger = new Uint8Array(-size)
    return larger.subarray(
      0,
      Math.max(0, llama.llama_detokenize(this.#ptr, this.#single, 1, larger, larger.length, false, true)),
    )
  }

  /** The text of tokens as it was before it was tokenized, as far as that can be told. */
  detokenize(tokens: Int32Array): string {
    if (tokens.length === 0) return ""
    const { llama } = this.#library
    const guess = new Uint8Array(8 * tokens.length + 64)
    const size = llama.llama_detokenize(this.#ptr, tokens, tokens.length, guess, guess.length, false, true)
    if (size >= 0) return new TextDecoder().decode(guess.subarray(0, size))
    const exact = new Uint8Array(-size)
    llama.llama_detokenize(this.#ptr, tokens, tokens.length, exact, exact.length, false, true)
    return new TextDecoder().decode(exact)
  }

  /**
   * Bytes of the longest token: a text of n bytes has at least n / this many tokens; see {@link
   * keepsEveryByte}.
   */
  longestTokenBytes(): number {
    let longest = 1
    for (let token = 0; token < this.size; token++) longest = Math.max(longest, this.bytes(token).length)
    return longest
  }

  /** Is every byte of a text part of some token? WordPiece and unigram vocabularies normalize text first. */
  keepsEveryByte(): boolean {
    const type = this.#library.llama.llama_vocab_type(this.#ptr)
    return type === TYPE_SPM || type === TYPE_BPE
  }

  tokenize(text: string, options: TokenizeOptions): Int32Array {
    const encoder = new TextEncoder()
    const slices = this.#slicesOf(text, options)
    if (slices.length === 1) return this.tokenizeBytes(encoder.encode(text), options)
    const parts = slices.map((slice, index) =>
      this.tokenizeBytes(encoder.encode(slice), {
        ...options,
        addSpecial: options.addSpecial && index === 0,
      }),
    )
    const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }

  #slicesOf(text: string, { addSpecial, parseSpecial }: TokenizeOptions): readonly string[] {
    const hasEnd = addSpecial && (this.addsEos || this.addsSep)
    if (!parseSpecial || hasEnd || text.length < LONG_TEXT || !this.keepsEveryByte()) return [text]
    return (this.#cuts ??= this.#markerCuts()).slices(text)
  }

  #markerCuts(): MarkerCuts {
    const { llama } = this.#library
    const markers: string[] = []
    const others: string[] = []
    for (let token = 0; token < this.size; token++) {
      const attributes = llama.llama_vocab_get_attr(this.#ptr, token)
      if ((attributes & FOUND_FIRST) === 0) continue
      const text = new TextDecoder().decode(this.bytes(token))
      if (text === "") continue
      others.push(text)
      if (this.isControl(token) && (attributes & STRIPS_LEFT) === 0) markers.push(text)
    }
    return new MarkerCuts(markers, others)
  }

  tokenizeBytes(bytes: Uint8Array, options: TokenizeOptions): Int32Array {
    const size = bytes.length
    // A vocabulary produces at most one token per byte, plus BOS, EOS and a leading space.
    const guess = new Int32Array(Math.min(size, MOST_AT_ONCE) + 8)
    const count = this.#tokenizeInto(bytes, size, guess, options)
    if (count >= 0) return guess.slice(0, count)
    const exact = new Int32Array(-count)
    return exact.subarray(0, this.#tokenizeInto(bytes, size, exact, options))
  }

  #tokenizeInto(bytes: Uint8Array, size: number, into: Int32Array, options: TokenizeOptions): number {
    const { addSpecial, parseSpecial } = options
    return this.#library.llama.llama_tokenize(
      this.#ptr,
      bytes,
      size,
      into,
      into.length,
      addSpecial,
      parseSpecial,
    )
  }
}
