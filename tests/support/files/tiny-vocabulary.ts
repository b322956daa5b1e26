/** Options for a test model's vocabulary, besides bytes and pairs. */
export interface TinyVocabularyOptions {
  /** Number of tokens; at least 256 plus the control tokens. */
  readonly size: number
  /** Adds <|fim_prefix|>, <|fim_suffix|> and <|fim_middle|>. */
  readonly fim: boolean
  /** The names of more control tokens. */
  readonly controls?: readonly string[]
  /** Fills the rest with words, as large vocabularies have them, instead of unused tokens. Default false. */
  readonly words?: boolean
}

/** A byte-level BPE vocabulary: control tokens first, then the 256 bytes, then merged pairs of letters. */
export interface TinyVocabulary {
  /** Every token as spelled in the tokenizer file: bytes as GPT-2's printable characters. */
  readonly tokens: readonly string[]
  readonly merges: readonly string[]
  readonly controlCount: number
  /** The id of a control token, or of the token with exactly this text (UTF-8; one byte or one merged pair). */
  idOf(text: string): number
  /** The id of a single-byte token. */
  idOfByte(byte: number): number
}

const CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
const FIM_CONTROLS = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
/** The most frequent English letters first, so that even small vocabularies merge parts of ordinary text. */
const LETTERS = "etaoinshrdlucmfwypvbgkjqxz"

export function tinyVocabulary({
  size,
  fim,
  controls: more = [],
  words = false,
}: TinyVocabularyOptions): TinyVocabulary {
  const controls = [...CONTROLS, ...(fim ? FIM_CONTROLS : []), ...more]
  const bytes = byteAlphabet()
  const pairs = letterPairs(bytes[0x20] ?? " ").slice(0, size - controls.length - bytes.length)
  const tokens = [...controls, ...bytes, ...pairs.map(([first, second]) => first + second)]
  while (tokens.length < size)
    tokens.push(words ? wordOf(tokens.length, bytes[0x20] ?? " ") : `<unused${tokens.length}>`)
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const spell = (text: string): string => [...Buffer.from(text)].map((byte) => bytes[byte]).join("")
  return {
    tokens,
    merges: pairs.map(([first, second]) => `${first} ${second}`),
    controlCount: controls.length,
    idOf(text) {
      const id = controls.includes(text) ? ids.get(text) : ids.get(spell(text))
      if (id === undefined)
        throw new Error(`no single token of the tiny vocabulary is ${JSON.stringify(text)}`)
      return id
    },
    idOfByte: (byte) => controls.length + byte,
  }
}

/**
 * GPT-2's alphabet: printable Latin-1 characters represent themselves, the other bytes are characters from U+0100 on
 * (https://github.com/openai/gpt-2/blob/master/src/encoder.py).
 */
function byteAlphabet(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)
    return String.fromCharCode(printable ? byte : next++)
  })
}

/** A word of five letters, every second one after a space; each number has its own. */
function wordOf(number: number, space: string): string {
  const letters = Array.from({ length: 5 }, (_, place) => LETTERS[Math.floor(number / 26 ** place) % 26])
  return `${number % 2 === 0 ? space : ""}${letters.join("")}`
}

function letterPairs(space: string): (readonly [string, string])[] {
  return [...(space + LETTERS)].flatMap((first) => [...LETTERS].map((second) => [first, second] as const))
}
