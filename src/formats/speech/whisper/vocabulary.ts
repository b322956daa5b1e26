import { reasonOf } from "../../../errors/base"
import { InvalidModelFile } from "../../../errors/model"

/**
 * Multilingual vocabularies have at least this many tokens; English-only ones have fewer (OpenAI's
 * `model.py`).
 */
const MULTILINGUAL_TOKENS = 51_865
/** The space in GPT-2's byte alphabet. */
const BLANK = "Ġ"
const SPECIAL = /^<\|.*\|>$/

/** Whisper's tokens by id, in GPT-2's byte alphabet. */
export type WhisperVocabulary = readonly string[]

/** The ids of the special tokens. */
interface SpecialTokens {
  readonly startOfTranscript: number
  readonly endOfText: number
  readonly translate: number
  readonly transcribe: number
  readonly noSpeech: number
  readonly noTimestamps: number
  readonly startOfPrevious: number
  readonly startOfLm: number
  readonly blank: number
  readonly languages: readonly { readonly code: string; readonly token: number }[]
}

/** The lines of a CTranslate2 `vocabulary.txt`, or the list in its `vocabulary.json`. */
export function parseCt2Vocabulary(path: string, text: string): WhisperVocabulary {
  if (!text.trimStart().startsWith("[")) return text.replace(/\r?\n$/, "").split(/\r?\n/)
  const parsed = parseJson(path, text)
  if (Array.isArray(parsed) && parsed.every((token) => typeof token === "string")) return parsed
  throw new InvalidModelFile(path, "it is not a list of tokens")
}

/** The vocabulary in a Hugging Face `tokenizer.json`: `model.vocab` and `added_tokens`. */
export function parseTokenizer(path: string, text: string): WhisperVocabulary {
  const parsed = parseJson(path, text)
  const model = field(parsed, "model")
  const tokens: string[] = []
  for (const [token, id] of Object.entries(field(model, "vocab") ?? {}))
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 1_000_000) tokens[id] = token
  const added = field(parsed, "added_tokens")
  for (const each of Array.isArray(added) ? added : []) {
    const id = field(each, "id")
    const content = field(each, "content")
    if (typeof id === "number" && typeof content === "string" && id >= 0 && id < 1_000_000)
      tokens[id] = content
  }
  if (tokens.length === 0) throw new InvalidModelFile(path, "it has no vocabulary")
  return Array.from(tokens, (token) => token ?? "")
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidModelFile(path, `it is not JSON: ${reasonOf(error)}`)
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}

export function isMultilingual(vocabularySize: number): boolean {
  return vocabularySize >= MULTILINGUAL_TOKENS
}

/** Codes of the languages with tokens in the vocabulary; English only for an English vocabulary. */
export function whisperLanguages(path: string, vocabulary: WhisperVocabulary): string[] {
  return isMultilingual(vocabulary.length)
    ? specialTokens(path, vocabulary).languages.map(({ code }) => code)
    : ["en"]
}

/**
 * The metadata about the vocabulary that sherpa-onnx reads from an encoder; it aborts the process if any is
 * missing.
 */
export function tokenMetadata(
  path: string,
  vocabulary: WhisperVocabulary,
): Readonly<Record<string, string | number>> {
  const tokens = specialTokens(path, vocabulary)
  const multilingual = isMultilingual(vocabulary.length)
  const [first] = tokens.languages
  if (first === undefined) throw new InvalidModelFile(path, "the vocabulary has no token for any language")
  return {
    sot: tokens.startOfTranscript,
    sot_sequence: multilingual
      ? [tokens.startOfTranscript, first.token, tokens.transcribe].join(",")
      : tokens.startOfTranscript,
    eot: tokens.endOfText,
    blank_id: tokens.blank,
    translate: tokens.translate,
    transcribe: tokens.transcribe,
    no_speech: tokens.noSpeech,
    no_timestamps: tokens.noTimestamps,
    sot_prev: tokens.startOfPrevious,
    sot_lm: tokens.startOfLm,
    is_multilingual: multilingual ? 1 : 0,
    all_language_tokens: tokens.languages.map(({ token }) => token).join(","),
    all_language_codes: tokens.languages.map(({ code }) => code).join(","),
  }
}

function specialTokens(path: string, vocabulary: WhisperVocabulary): SpecialTokens {
  const numbers = new Map(vocabulary.map((token, number) => [token, number]))
  const find = (...names: string[]): number => {
    for (const name of names) {
      const number = numbers.get(name)
      if (number !== undefined) return number
    }
    throw new InvalidModelFile(path, `the vocabulary lacks the token '${names[0] ?? ""}'`)
  }
  const startOfTranscript = find("<|startoftranscript|>")
  const translate = find("<|translate|>")
  return {
    startOfTranscript,
    translate,
    endOfText: find("<|endoftext|>"),
    transcribe: find("<|transcribe|>"),
    noSpeech: find("<|nospeech|>", "<|nocaptions|>"),
    noTimestamps: find("<|notimestamps|>"),
    startOfPrevious: find("<|startofprev|>"),
    startOfLm: find("<|startoflm|>"),
    blank: find(BLANK),
    // The language tokens are between these two.
    languages: vocabulary
      .map((token, number) => ({ code: token.slice(2, -2), token: number }))
      .slice(startOfTranscript + 1, translate),
  }
}

/**
 * The text tokens in sherpa-onnx's format: a line each, with the bytes in base64 and the id.
 * @throws InvalidModelFile if a token uses another alphabet
 */
export function whisperTokenLines(path: string, vocabulary: WhisperVocabulary): string {
  const lines: string[] = []
  vocabulary.forEach((token, number) => {
    if (token === "" || SPECIAL.test(token)) return
    const bytes = Array.from(token, (letter) => BYTE_OF.get(letter))
    if (bytes.includes(undefined))
      throw new InvalidModelFile(path, `the token ${number} ('${token}') is not in GPT-2's alphabet`)
    lines.push(`${Buffer.from(bytes as number[]).toString("base64")} ${number}\n`) // checked in the line above
  })
  return lines.join("")
}

/**
 * GPT-2's byte alphabet: printable bytes represent themselves, the others, in order, are the characters from
 * 256 on (`bytes_to_unicode` in its `encoder.py`).
 */
const BYTE_OF: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 256 }, (_, byte) => byte).map((byte, _, all) => {
    const isSeen = (each: number): boolean =>
      (each >= 33 && each <= 126) || (each >= 161 && each <= 172) || each >= 174
    const character = isSeen(byte) ? byte : 256 + all.slice(0, byte).filter((each) => !isSeen(each)).length
    return [String.fromCharCode(character), byte]
  }),
)
