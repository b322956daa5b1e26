import type { TokenAlternative, TokenLogprob } from "../../domain/chat"
import type { ReportedToken } from "../render/answer"

/** OpenAI's value for "very unlikely"; JSON has no -Infinity. */
const LEAST_LOGPROB = -9999

interface ChatToken {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
}

/** `logprobs` of a chat choice. */
export interface ChatLogprobs {
  readonly content: readonly (ChatToken & { readonly top_logprobs: readonly ChatToken[] })[]
  readonly refusal: null
}

export function toChatLogprobs(tokens: readonly TokenLogprob[]): ChatLogprobs {
  return {
    content: tokens.map((token) => ({ ...toChatToken(token), top_logprobs: token.top.map(toChatToken) })),
    refusal: null,
  }
}

function toChatToken({ bytes, logprob }: TokenAlternative): ChatToken {
  return { token: tokenText(bytes), logprob: Math.max(LEAST_LOGPROB, logprob), bytes }
}

/** `logprobs` of a completion choice. */
export interface CompletionLogprobs {
  readonly tokens: readonly string[]
  readonly token_logprobs: readonly (number | null)[]
  /** The likeliest tokens at each position, including the chosen one. */
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[]
  /** Where each token begins in the choice's text, in code points. */
  readonly text_offset: readonly number[]
}

/** Builds the `logprobs` of one completion choice piece by piece. */
export class CompletionLogprobsWriter {
  #characters = 0

  write(tokens: readonly ReportedToken[]): CompletionLogprobs {
    return {
      tokens: tokens.map((token) => tokenKey(token.bytes)),
      token_logprobs: tokens.map((token) => ("top" in token ? Math.max(LEAST_LOGPROB, token.logprob) : null)),
      top_logprobs: tokens.map((token) => ("top" in token ? toTopLogprobs(token) : null)),
      text_offset: tokens.map((token) => this.#place(token.bytes)),
    }
  }

  /** The offset of the character that the token starts or continues. */
  #place(bytes: readonly number[]): number {
    const [first] = bytes
    const place = this.#characters - (first !== undefined && isContinuation(first) ? 1 : 0)
    for (const byte of bytes) if (!isContinuation(byte)) this.#characters++
    return Math.max(0, place)
  }
}

function toTopLogprobs(token: TokenLogprob): Readonly<Record<string, number>> {
  const best = new Map<string, number>()
  for (const { bytes, logprob } of [...token.top, token]) {
    const key = tokenKey(bytes)
    // Two tokens may have the same text; keep the likelier one.
    best.set(key, Math.max(LEAST_LOGPROB, logprob, best.get(key) ?? LEAST_LOGPROB))
  }
  return Object.fromEntries(best)
}

/** The key of a token in OpenAI's completions: its text, or `bytes:` and escapes if it is not whole characters. */
function tokenKey(bytes: readonly number[]): string {
  return wholeText(bytes) ?? `bytes:${bytes.map(escapeByte).join("")}`
}

/** The text of a token in OpenAI's chats, with escapes for bytes that are not whole characters. */
export function tokenText(bytes: readonly number[]): string {
  const whole = wholeText(bytes)
  if (whole !== undefined) return whole
  let text = ""
  for (let index = 0; index < bytes.length;) {
    const length = characterLength(bytes[index] ?? 0)
    const character = length === 0 ? undefined : wholeText(bytes.slice(index, index + length))
    text += character ?? escapeByte(bytes[index] ?? 0)
    index += character === undefined ? 1 : length
  }
  return text
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function wholeText(bytes: readonly number[]): string | undefined {
  if (bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes)
  try {
    return utf8.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

/** The byte length of the character that starts with this byte; 0 if none does. */
function characterLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc0) return 0
  if (first < 0xe0) return 2
  return first < 0xf0 ? 3 : 4
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`
}
