/** A spoken word. Times are in seconds. */
export interface Word {
  /** Includes the preceding space, if any. */
  readonly text: string
  readonly start: number
  readonly end: number
}

/** The tokens of a text with their times, as reported by an engine. */
export interface TimedTokens {
  readonly text: string
  readonly tokens: readonly string[]
  /** Start times in seconds from the start of the stretch, one per token. */
  readonly timestamps: readonly number[]
  /** In seconds; empty if the engine does not report them. */
  readonly durations: readonly number[]
}

/** Maximum length of a token without a reported duration. */
const LONGEST_TOKEN_SECONDS = 0.4
/** Scripts without spaces between words: each character counts as a word. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u
const NOT_SPOKEN = /^[\p{Punctuation}\p{Symbol}]+$/u
/** Opening punctuation, which belongs to the next word. */
const OPENING = /^[\p{Ps}\p{Pi}]/u

interface Piece {
  text: string
  start: number
  end: number
}

/**
 * Splits a text into words with the times of their tokens; no text is lost. `end`: of the stretch, in
 * seconds.
 */
export function toWords(timed: TimedTokens, end: number): Word[] {
  const words: Piece[] = []
  for (const piece of timedPieces(timed, end)) {
    const last = words.at(-1)
    if (last === undefined || beginsWord(last.text, piece.text)) words.push({ ...piece })
    else {
      // A space has no sound: the word starts with the token after it.
      if (last.text.trim() === "") last.start = piece.start
      last.text += piece.text
      // A word ends with its sound, not with the pause of its punctuation.
      if (!NOT_SPOKEN.test(piece.text.trim())) last.end = piece.end
    }
  }
  return words.filter(({ text }) => text.trim() !== "")
}

function beginsWord(word: string, next: string): boolean {
  if (word.trim() === "") return false
  if (/^\s/.test(next) || OPENING.test(next)) return true
  if (NOT_SPOKEN.test(next)) return false
  const last = [...word].at(-1) ?? ""
  return !OPENING.test(last) && (UNSPACED.test(next) || UNSPACED.test(last))
}

/** The tokens as parts of the text; tokens that share a character are merged. */
function timedPieces({ text, tokens, timestamps, durations }: TimedTokens, end: number): Piece[] {
  const pieces: Piece[] = []
  let rest = text
  for (let i = 0; i < tokens.length; i++) {
    // Times may lie in the silence appended to the stretch.
    const start = Math.min(timestamps[i] ?? end, end)
    const next = timestamps[i + 1] ?? end
    const length = durations[i] ?? LONGEST_TOKEN_SECONDS
    const times = { start, end: Math.max(start, Math.min(next, start + length, end)) }
    const token = tokens[i] ?? ""
    const known = matching(rest, token)
    const last = pieces.at(-1)
    if (known !== undefined) {
      pieces.push({ text: known, ...times })
      rest = rest.slice(known.length)
    } else {
      // The token ends within a character: take the text up to the next token that matches.
      const until = nextWhole(rest, tokens, i + 1)
      if (last !== undefined && until === 0) last.end = times.end
      else pieces.push({ text: rest.slice(0, until), ...times })
      rest = rest.slice(until)
    }
  }
  const last = pieces.at(-1)
  if (last !== undefined) last.text += rest
  return pieces
}

/** The part of the text that a token represents; a text may lack the space of its first token. */
function matching(rest: string, token: string): string | undefined {
  if (token === "") return ""
  if (rest.startsWith(token)) return token
  const bare = token.trimStart()
  return bare !== "" && rest.startsWith(bare) ? bare : undefined
}

function nextWhole(rest: string, tokens: readonly string[], from: number): number {
  const token = tokens[from]
  if (token === undefined) return rest.length
  if (token.includes("\ufffd") || token === "") return 0
  const at = rest.indexOf(token)
  return at < 0 ? 0 : at
}
