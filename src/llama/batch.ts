import { ptr } from "bun:ffi"

/** The input of one decode: tokens with their positions and sequences. Reused for every step. */
export class Batch {
  readonly capacity: number
  readonly tokens: Int32Array
  readonly positions: Int32Array
  readonly sequenceCounts: Int32Array
  readonly sequencePointers: BigUint64Array
  readonly outputs: Int8Array
  /** Backing memory of `sequencePointers`: index i contains i. */
  readonly #sequences: Int32Array
  readonly #sequencesAddress: number
  #size = 0

  /** `capacity`: maximum number of tokens; `sequences`: number of sequence ids, counted from 0. */
  constructor(capacity: number, sequences: number) {
    this.capacity = capacity
    this.tokens = new Int32Array(capacity)
    this.positions = new Int32Array(capacity)
    this.sequenceCounts = new Int32Array(capacity).fill(1)
    this.sequencePointers = new BigUint64Array(capacity)
    this.outputs = new Int8Array(capacity)
    this.#sequences = Int32Array.from({ length: sequences }, (_, id) => id)
    this.#sequencesAddress = ptr(this.#sequences)
  }

  get size(): number {
    return this.#size
  }

  clear(): void {
    this.#size = 0
  }

  /** Appends a token and returns its index, which selects its logits if `output` is set. */
  add(token: number, position: number, sequence: number, output: boolean): number {
    const index = this.#size++
    this.tokens[index] = token
    this.positions[index] = position
    this.sequencePointers[index] = BigInt(this.#sequencesAddress + sequence * Int32Array.BYTES_PER_ELEMENT)
    this.outputs[index] = output ? 1 : 0
    return index
  }
}
