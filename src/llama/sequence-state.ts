/** `magic` and the sequence, at the start of every state of one sequence. */
const HEADER_BYTES = 8

/**
 * Of a cell: position, number of sequences (1) and sequence; between the last two, in models whose positions have
 * dimensions, two more coordinates.
 */
const CELL_BYTES = [12, 20]

/** More streams than llama.cpp has sequences, or types than ggml has, are no sign of the expected form. */
const MOST_STREAMS = 256
const MOST_TYPES = 256

/** The cells of one attention memory: from its number of streams on, which is 1 for a unified cache. */
interface CellBlock {
  readonly streams: number
  /** The cell count with all that belongs to it, of the only stream that has cells. */
  readonly start: number
  readonly end: number
  /** Where the next block or the recurrent state begins. */
  readonly next: number
}

/**
 * Fits the state of one sequence to a memory of `streams` streams (1 if it is unified, else one for each
 * sequence), for the sequence of `stream`. A state holds one block of cells for each attention memory (two with
 * sliding windows), each with the number of streams and a cell count per stream; then, in recurrent and hybrid
 * models, the recurrent state, which does not depend on streams. States of another form are returned as they
 * are: llama.cpp refuses them where the number of streams differs.
 */
export function fitState(state: Uint8Array, streams: number, stream: number): Uint8Array {
  const blocks = readBlocks(state)
  if (blocks.every((block) => block.streams === streams)) return state
  const parts: Uint8Array[] = [state.subarray(0, HEADER_BYTES)]
  const index = streams === 1 ? 0 : stream
  for (const block of blocks) {
    const cells = state.subarray(block.start, block.end)
    parts.push(words([streams, ...noCells(index)]), cells, words(noCells(streams - index - 1)))
  }
  parts.push(state.subarray(blocks.at(-1)?.next))
  return Buffer.concat(parts)
}

/** The cell counts of streams without any. */
function noCells(streams: number): readonly number[] {
  return Array<number>(streams).fill(0)
}

function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer)
}

function readBlocks(state: Uint8Array): CellBlock[] {
  const reader = new StateReader(state)
  reader.skip(HEADER_BYTES)
  const blocks: CellBlock[] = []
  for (;;) {
    const block = reader.block()
    if (block === undefined) return blocks
    blocks.push(block)
  }
}

/** Reads the blocks of a state; each method is undefined or false for what does not have the expected form. */
class StateReader {
  readonly #view: DataView
  #at = 0

  constructor(state: Uint8Array) {
    this.#view = new DataView(state.buffer, state.byteOffset, state.byteLength)
  }

  skip(bytes: number): boolean {
    this.#at += bytes
    return this.#at <= this.#view.byteLength
  }

  block(): CellBlock | undefined {
    const streams = this.#word()
    if (streams === undefined || streams === 0 || streams > MOST_STREAMS) return undefined
    let cells: { start: number; end: number } | undefined
    for (let stream = 0; stream < streams; stream++) {
      const start = this.#at
      const count = this.#word()
      if (count === undefined) return undefined
      if (count === 0) continue
      if (cells !== undefined || !this.#stream(count)) return undefined
      cells = { start, end: this.#at }
    }
    return cells && { streams, ...cells, next: this.#at }
  }

  #stream(count: number): boolean {
    const start = this.#at
    return CELL_BYTES.some((bytes) => {
      this.#at = start
      return this.#cells(count, bytes) && this.#data(count)
    })
  }

  #cells(count: number, bytes: number): boolean {
    const first = this.#at
    if (!this.skip(count * bytes)) return false
    for (let cell = first; cell < this.#at; cell += bytes)
      if (this.#view.getUint32(cell + 4, true) !== 1) return false
    return true
  }

  #data(count: number): boolean {
    const isTransposed = this.#word()
    const layers = this.#word()
    if (layers === undefined || isTransposed === undefined || isTransposed > 1) return false
    for (let layer = 0; layer < layers; layer++) if (!this.#rows(count)) return false
    // Without values of their own, some memories end with the keys.
    if (this.#at === this.#view.byteLength) return true
    for (let layer = 0; layer < layers; layer++)
      if (!(isTransposed === 1 ? this.#columns(count) : this.#rows(count))) return false
    return true
  }

  /** Type, bytes of a row, and a row for each cell. */
  #rows(count: number): boolean {
    const type = this.#word()
    const bytes = this.#word()
    const high = this.#word()
    return (
      type !== undefined && type < MOST_TYPES && bytes !== undefined && high === 0 && this.skip(bytes * count)
    )
  }

  /** Type, bytes of an element, number of columns, and a column with an element of each cell for each of them. */
  #columns(count: number): boolean {
    const type = this.#word()
    const bytes = this.#word()
    const columns = this.#word()
    if (type === undefined || type >= MOST_TYPES || bytes === undefined || columns === undefined) return false
    return this.skip(bytes * columns * count)
  }

  #word(): number | undefined {
    if (!this.skip(4)) return undefined
    return this.#view.getUint32(this.#at - 4, true)
  }
}
