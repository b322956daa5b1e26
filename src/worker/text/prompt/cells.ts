/** An image or a sound in a prompt: the model computes embeddings in place of tokens. */
export interface MediaUnit {
  /** A digest of the content and of all that its embeddings depend on; at least 16 bytes. */
  readonly digest: Uint8Array
  /** How many embeddings, each of which takes a cell of the KV cache as a token does. */
  readonly cells: number
  /** By how much it advances the position; fewer than its cells where positions have several dimensions. */
  readonly positions: number
}

/** Parts of a prompt in their order: runs of tokens, and what stands between them. */
export type PromptUnit = Int32Array | MediaUnit

/** Where a media unit is in a prompt. */
export interface PlacedMedia extends MediaUnit {
  /** The index of its first cell. */
  readonly start: number
}

/** A prompt by the cells that it takes. */
export interface PromptCells {
  /**
   * What is in each cell: the id of a token, or a negative key of media. Prompts with equal values have equal cells,
   * so prefixes are compared without knowing what is in them.
   */
  readonly tokens: Int32Array
  /** In the order of the prompt. */
  readonly media: readonly PlacedMedia[]
}

/** Set in the keys of all cells of a media unit but the first. */
const CONTINUES = 1 << 30

export function layOutCells(units: readonly PromptUnit[]): PromptCells {
  const tokens = new Int32Array(units.reduce((sum, unit) => sum + cellsOf(unit), 0))
  const media: PlacedMedia[] = []
  let at = 0
  for (const unit of units) {
    if (unit instanceof Int32Array) tokens.set(unit, at)
    else {
      for (let cell = 0; cell < unit.cells; cell++) tokens[at + cell] = keyOf(unit, cell)
      media.push({ start: at, ...unit })
    }
    at += cellsOf(unit)
  }
  return { tokens, media }
}

function cellsOf(unit: PromptUnit): number {
  return unit instanceof Int32Array ? unit.length : unit.cells
}

/** Thirty bits of the digest, others in each of the next cells: together they are as good as the digest. */
function keyOf({ digest, cells }: MediaUnit, cell: number): number {
  const words = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  const word = words.getUint32(4 * (cell % Math.floor(digest.byteLength / 4))) ^ cells
  return ~((word & (CONTINUES - 1)) | (cell > 0 ? CONTINUES : 0))
}

/** Does this cell belong to the same media unit as the one before? */
function continuesMedia(key: number | undefined): boolean {
  return key !== undefined && key < 0 && (~key & CONTINUES) !== 0
}

/** The position of a cell, or of the one after the last. Within media only its start has one. */
export function positionOf(media: readonly PlacedMedia[], cell: number): number {
  let position = cell
  for (const { start, cells, positions } of media) {
    if (start >= cell) break
    position -= cells - positions
  }
  // It goes to C, which gets 0 for an integer that is kept as a float.
  return position | 0
}

/** The media unit that a cell belongs to. */
export function mediaAt(media: readonly PlacedMedia[], cell: number): PlacedMedia | undefined {
  return media.find(({ start, cells }) => start <= cell && cell < start + cells)
}

/** Does a prompt that ends before that cell end within a media unit? */
export function cutsMedia(media: readonly PlacedMedia[], cell: number): boolean {
  return media.some(({ start, cells }) => start < cell && cell < start + cells)
}

/** The first media unit that begins after a cell. */
export function mediaAfter(media: readonly PlacedMedia[], cell: number): PlacedMedia | undefined {
  return media.find(({ start }) => start > cell)
}

/** Number of cells that two prompts have in common at their start; media count as a whole. */
export function commonPrefix(
  a: ArrayLike<number>,
  aLength: number,
  b: ArrayLike<number>,
  bLength: number,
): number {
  const limit = Math.min(aLength, bLength)
  let length = 0
  while (length < limit && a[length] === b[length]) length++
  while (length > 0 && (continuesMedia(a[length]) || continuesMedia(b[length]))) length--
  return length
}
