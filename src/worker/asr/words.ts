/** A word as it was said. Times are in seconds. */
export interface Word {
  /** With the space before it, where there is one. */
  readonly text: string
  readonly start: number
  readonly end: number
}

/** What an engine says of the tokens of a text. */
export interface TimedTokens {
  readonly text: string
  readonly tokens: readonly string[]
  /** Seconds from the start of the stretch, one for each token. */
  readonly timestamps: readonly number[]
  /** Seconds; empty where the engine does not tell. */
  readonly durations: readonly number[]
}

/** A token that nobody says how long it is takes no longer than this. */
const LONGEST_TOKEN_SECONDS = 0.4
/** Scripts that put no spaces between words: each of their signs counts as one. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u
const NOT_SPOKEN = /^[\p{Punctuation}\p{Symbol}]+$/u
/** Belongs to what comes behind it. */
const OPENING = /^[\p{Ps}\p{Pi}]/u

interface Piece {
  text: string
  start: number
  end: number
}

/**
 * The words of a text, with the times of the tokens that they are made of. All of the text is in them. `end`: of the
 * stretch, in seconds.
 */
export function toWords(timed: TimedTokens, end: number): Word[] {
  const words: Piece[] = []
  for (const piece of timedPieces(timed, end)) {
    const last = words.at(-1)
    if (last === undefined || beginsWord(last.text, piece.text)) words.push({ ...piece })
    else {
      // A space is no sound: its word begins with what comes behind it.
      if (last.text.trim() === "") last.start = piece.start
      last.text += piece.text
      // The end of a word is where its sound ends, not the pause that punctuation stands for.
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

/** Tokens as parts of the text: several together where a character is spread over them. */
function timedPieces({ text, tokens, timestamps, durations }: TimedTokens, end: number): Piece[] {
  const pieces: Piece[] = []
  let rest = text
  for (let i = 0; i < tokens.length; i++) {
    // Times may lie in the silence that was put behind the stretch.
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
      // Bytes of a character that is not whole in this token: up to where the next whole token is found.
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

/** What of the text a token stands for; texts may lack the space of their first token. */
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
