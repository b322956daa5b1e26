/** Characters between two cuts: of markers alone, llama.cpp takes 7 ms for as many. */
const SLICE = 16_384

/** More are not looked for; the first are those of the conversation's format. */
const MOST_MARKERS = 256

/**
 * Cuts long texts before markers. llama.cpp's search for markers takes time with the square of their number in one text
 * (30 s for a megabyte of them), and a marker is a boundary for its tokens anyway: slices that begin with one have the same
 * tokens as the whole.
 */
export class MarkerCuts {
  readonly #markers: readonly string[]

  /**
   * @param markers texts of control tokens
   * @param others texts of all tokens that are found before others, these among them
   */
  constructor(markers: readonly string[], others: readonly string[]) {
    this.#markers = markers.slice(0, MOST_MARKERS).filter((marker) => standsAlone(marker, others))
  }

  /** The slices of a text, in order; together they are the text. */
  slices(text: string): readonly string[] {
    if (text.length <= SLICE) return [text]
    const present = this.#markers.filter((marker) => text.includes(marker))
    if (present.length === 0) return [text]
    const any = new RegExp(present.map((marker) => RegExp.escape(marker)).join("|"), "g")
    const slices: string[] = []
    let start = 0
    while (start + SLICE < text.length) {
      any.lastIndex = start + SLICE
      const next = any.exec(text)?.index
      if (next === undefined) break
      slices.push(text.slice(start, next))
      start = next
    }
    slices.push(text.slice(start))
    return slices
  }
}

/** Can no other such text, and no second one of its own, share a part with it? */
function standsAlone(marker: string, others: readonly string[]): boolean {
  return others.every((other) => !overlaps(marker, other) && (other === marker || !other.includes(marker)))
}

function overlaps(one: string, other: string): boolean {
  const most = Math.min(one.length, other.length) - 1
  for (let length = 1; length <= most; length++)
    if (other.endsWith(one.slice(0, length)) || other.startsWith(one.slice(-length))) return true
  return false
}
