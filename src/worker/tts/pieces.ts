import { stopRulesFor } from "./abbreviations"
import type { TextBlock } from "./blocks"
import { beginsWithCapital, splitIntoSentences } from "./sentences"

/** What ends with a piece of text; `nothing`: it is cut within a clause. */
export type PieceEnd = "nothing" | "clause" | "sentence" | TextBlock["ends"]

/** A piece of text synthesized in one call. */
export interface SpeechPiece {
  readonly text: string
  readonly ends: PieceEnd
}

export interface PieceOptions {
  /** Of the text, such as `en-us`. */
  readonly language?: string | undefined
  /** 1: normal. */
  readonly speed?: number
}

/**
 * A longer first sentence is cut after its first clause, to shorten the time to first sound. In characters;
 * about 2.5 s of speech.
 */
const LONG_FIRST = 40
/** A shorter clause is not cut off: it would sound chopped. */
const SHORTEST_CLAUSE = 10
/**
 * The length of the longest piece at normal speed, in letters: about 10 s of speech. The engine's memory grows
 * with the audio of one call, by about 25 MB a second for a Piper voice of medium quality, and is never given back.
 */
const LONGEST_PIECE = 140

/** The duration of a character compared with that of a letter. */
const DIGIT_LETTERS = 6
const IDEOGRAPH_LETTERS = 2.5
const SYMBOL_LETTERS = 8

const CLAUSE_END = /[,;:—–،؛](?=\s)|[，、；：]/g

/** Unpronounceable characters: control characters and marks for display only. */
const UNSPEAKABLE =
  /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffc\ufffd]/gu

/** Splits a text into pieces to synthesize in order. Empty if there is nothing to pronounce. */
export function splitIntoPieces(
  blocks: readonly TextBlock[],
  { language, speed = 1 }: PieceOptions = {},
): SpeechPiece[] {
  const rules = stopRulesFor(language)
  const capitalizes = beginsWithCapital(blocks.map(({ text }) => text).join(" "))
  const longest = Math.max(1, Math.floor(LONGEST_PIECE * Math.min(1, speed)))
  const sentences = blocks.flatMap(({ text, ends }) => {
    const speakable = text.toWellFormed().replace(UNSPEAKABLE, " ").replace(/\s+/g, " ").trim()
    const found = splitIntoSentences({ text: speakable, ends }, rules, capitalizes)
    return found.map((sentence, index): SpeechPiece => ({
      text: sentence,
      ends: index === found.length - 1 ? ends : "sentence",
    }))
  })
  return sentences.flatMap(({ text, ends }, index) => {
    const parts = index === 0 ? cutFirstClause(text) : [text]
    const pieces = parts.flatMap((part) => cutToLength(part, longest))
    return pieces.map((piece, at): SpeechPiece => ({
      text: piece,
      ends: at === pieces.length - 1 ? ends : endOf(piece),
    }))
  })
}

/** The end of a piece inside a sentence. */
function endOf(text: string): PieceEnd {
  return /[\p{P}]$/u.test(text) ? "clause" : "nothing"
}

/** The sentence, or its first clause and the rest. */
function cutFirstClause(sentence: string): string[] {
  if (sentence.length <= LONG_FIRST) return [sentence]
  for (const match of sentence.matchAll(CLAUSE_END)) {
    const end = match.index + match[0].length
    const rest = sentence.slice(end).trim()
    if (end >= SHORTEST_CLAUSE && rest.length >= SHORTEST_CLAUSE) return [sentence.slice(0, end), rest]
  }
  return [sentence]
}

/** Cuts at the last clause or space within the limit, otherwise inside a word. */
function cutToLength(text: string, longest: number): string[] {
  const parts: string[] = []
  let rest = text
  for (let fitting = fittingLength(rest, longest); fitting < rest.length;) {
    const head = rest.slice(0, fitting)
    const clause = [...head.matchAll(CLAUSE_END)].at(-1)
    const clauseEnd = clause === undefined ? 0 : clause.index + clause[0].length
    // Without a clause, the last two parts are about equally long.
    const space = head.lastIndexOf(" ", rest.length <= 2 * fitting ? Math.ceil(rest.length / 2) : fitting)
    const end = clauseEnd >= SHORTEST_CLAUSE ? clauseEnd : space > 0 ? space : fitting
    parts.push(rest.slice(0, end))
    rest = rest.slice(end).trim()
    fitting = fittingLength(rest, longest)
  }
  return rest === "" ? parts : [...parts, rest]
}

/** How much of a text is as long as `longest` letters, in whole characters; at least one. */
function fittingLength(text: string, longest: number): number {
  let letters = 0
  let length = 0
  for (const character of text) {
    letters += lettersOf(character)
    if (letters > longest && length > 0) return length
    length += character.length
  }
  return length
}

function lettersOf(character: string): number {
  if (/[\p{Nd}\p{No}]/u.test(character)) return DIGIT_LETTERS
  if (/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u.test(character)) return IDEOGRAPH_LETTERS
  return /[\p{S}@#%&*/\\]/u.test(character) ? SYMBOL_LETTERS : 1
}
