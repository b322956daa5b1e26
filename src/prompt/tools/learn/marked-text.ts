import type { Marker, MarkerPart } from "../syntax"

/**
 * A rendered text in which the names, ids and values that were put in are replaced by one character each, of the
 * private use area: what is left between them are the template's own markers.
 */
export const MARK = {
  name: "\uE000",
  id: "\uE001",
  /** A number that counts the calls from 0, or from 1. */
  indexFrom0: "\uE002",
  indexFrom1: "\uE003",
  /** All arguments, where they are one JSON object. */
  arguments: "\uE004",
  /** Names and values of the first and the second argument. */
  firstArgument: "\uE005",
  secondArgument: "\uE006",
  value: "\uE007",
} as const

const PARTS: Readonly<Record<string, MarkerPart>> = {
  [MARK.name]: { type: "name" },
  [MARK.id]: { type: "id" },
  [MARK.indexFrom0]: { type: "index", first: 0 },
  [MARK.indexFrom1]: { type: "index", first: 1 },
  [MARK.firstArgument]: { type: "argument" },
  [MARK.secondArgument]: { type: "argument" },
}

/** @throws Error if a value or arguments are within the text: they cannot be part of a marker */
export function toMarker(marked: string): Marker {
  return marked
    .split(/([\uE000-\uE0FF])/)
    .filter((part) => part !== "")
    .map((part) => {
      if (!/[\uE000-\uE0FF]/.test(part)) return { type: "text", text: part }
      const known = PARTS[part]
      if (known === undefined) throw new Error("a value is within a marker")
      return known
    })
}

type Span = readonly [from: number, to: number]

/** `<…>` and `[…]` of published templates, and the markers of MiniMax. */
const TAG = /\]<\][^\]<>\n]{1,40}\[>\[|<[^<>\n]{1,80}>|\[\/?[A-Z_]{2,30}\]|\[e~\[|\]~!?b\[?\]?/g

/** A text, and where its markers are, which no cut may divide. */
export class MarkedText {
  readonly text: string
  readonly #spans: readonly Span[]

  constructor(text: string, controls: readonly string[] = []) {
    this.text = text
    const tags = [...text.matchAll(TAG)].map((tag): Span => [tag.index, tag.index + tag[0].length])
    this.#spans = [...tags, ...controls.flatMap((control) => occurrences(text, control))]
  }

  /** Moves a position that is within a marker to its end. */
  after(position: number): number {
    return this.#spans.reduce((at, [from, to]) => (at > from && at < to ? to : at), position)
  }

  /** Moves a position that is within a marker to its start. */
  before(position: number): number {
    return this.#spans.reduceRight((at, [from, to]) => (at > from && at < to ? from : at), position)
  }

  /**
   * The same; and a marker right after a word stays with the word, which it may end (`<|open|>tools<|sep|>`). What is
   * before `from` does not count.
   */
  cutAfter(position: number, from: number): number {
    const at = this.after(position)
    if (at <= from || !/\w/.test(this.text[at - 1] ?? "")) return at
    return this.#spans.find(([start]) => start === at)?.[1] ?? at
  }

  /** The end of the first marker that begins at `position` or later. */
  nextEnd(position: number): number {
    return this.#sorted().find(([from]) => from >= position)?.[1] ?? position
  }

  /** The first marker; `undefined` if there is none. */
  firstMarker(): string | undefined {
    const [first] = this.#sorted()
    return first && this.text.slice(...first)
  }

  lastMarker(): string | undefined {
    const last = this.#sorted().at(-1)
    return last && this.text.slice(...last)
  }

  #sorted(): Span[] {
    return this.#spans.toSorted(([a], [b]) => a - b)
  }
}

function occurrences(text: string, wanted: string): Span[] {
  const found: Span[] = []
  if (wanted === "") return found
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length))
    found.push([at, at + wanted.length])
  return found
}

export function commonPrefixLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length)
  let length = 0
  while (length < most && left[length] === right[length]) length++
  return length
}

export function commonSuffixLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length)
  let length = 0
  while (length < most && left[left.length - 1 - length] === right[right.length - 1 - length]) length++
  return length
}

/** A piece of a text by its positions. */
export interface Piece {
  readonly of: MarkedText
  readonly from: number
  readonly to: number
}

export function textOfPiece({ of, from, to }: Piece): string {
  return of.text.slice(from, to)
}

/**
 * How many characters at their ends two pieces share, without part of a marker.
 * @param keepsWords a marker right after a word counts as part of what the word is part of
 */
export function sharedEnd(left: Piece, right: Piece, keepsWords = true): number {
  const length = commonSuffixLength(textOfPiece(left), textOfPiece(right))
  const cut = ({ of, from, to }: Piece): number =>
    to - Math.min(to, keepsWords ? of.cutAfter(to - length, from) : of.after(to - length))
  return Math.min(length, cut(left), cut(right))
}

/** How many characters at their starts two pieces share, without part of a marker. */
export function sharedStart(left: Piece, right: Piece): number {
  const length = commonPrefixLength(textOfPiece(left), textOfPiece(right))
  const cut = ({ of, from }: Piece): number => Math.max(from, of.before(from + length)) - from
  return Math.min(length, cut(left), cut(right))
}
