import { CONVERT } from "../../limits"

/** llama.cpp's kinds of tokens. */
export const TOKEN = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** A vocabulary as a GGUF has it. */
export interface GgufVocabulary {
  /** `tokenizer.ggml.model`. */
  readonly model: "gpt2" | "llama" | "bert" | "t5"
  /** `tokenizer.ggml.pre`. */
  readonly pre: string
  readonly tokens: readonly string[]
  readonly types: Int32Array
  /** Of pieces. */
  readonly scores?: Float32Array
  readonly merges?: readonly string[]
  /** Keys of its own. */
  readonly addSpacePrefix?: boolean
  readonly removeExtraWhitespace?: boolean
  readonly charsmap?: Uint8Array
}

/** The tokens of a vocabulary by their ids; ids without a token get a text of their own. */
export class TokenRows {
  readonly tokens: string[]
  readonly types: Int32Array
  readonly scores: Float32Array

  constructor(size: number) {
    if (size > CONVERT.tokens) throw new RangeError("too many tokens")
    this.tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`)
    this.types = new Int32Array(size).fill(TOKEN.unused)
    this.scores = new Float32Array(size).fill(-10_000)
  }

  /** Ids beyond the size are left out: embeddings have no rows for them. */
  set(id: number, text: string, type: number, score?: number): void {
    if (id >= this.tokens.length) return
    this.tokens[id] = text
    this.types[id] = type
    if (score !== undefined) this.scores[id] = score
  }
}

/** Tokens that control a model although their files do not say that they are special. */
const SPECIAL_TEXTS: ReadonlySet<string> = new Set(["<pad>", "<mask>", "<2mass>", "[@BOS@]"])

export function looksSpecial(text: string): boolean {
  return (
    SPECIAL_TEXTS.has(text) ||
    (text.startsWith("<|") && text.endsWith("|>")) ||
    (text.startsWith("<｜") && text.endsWith("｜>")) ||
    (text.startsWith("<unused") && text.endsWith(">"))
  )
}

/** llama.cpp looks for tokens that are no control tokens in the text as it is, with spaces. */
export function plainText(text: string): string {
  return text.replaceAll("▁", " ")
}
