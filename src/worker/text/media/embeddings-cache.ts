import type { EncodedUnit } from "./projector"

/** The embeddings of pictures and sounds that were shown lately, up to a number of bytes. */
export class EmbeddingsCache {
  readonly #mostBytes: number
  /** By digest, in hexadecimal; most recently used last. */
  readonly #units = new Map<string, EncodedUnit>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(digest: string): EncodedUnit | undefined {
    const unit = this.#units.get(digest)
    if (unit === undefined) return undefined
    this.#units.delete(digest)
    this.#units.set(digest, unit)
    return unit
  }

  add(unit: EncodedUnit): void {
    const digest = unit.digest.toHex()
    this.#remove(digest)
    this.#units.set(digest, unit)
    this.#bytes += bytesOf(unit)
    for (const oldest of this.#units.keys()) {
      if (this.#bytes <= this.#mostBytes) return
      this.#remove(oldest)
    }
  }

  #remove(digest: string): void {
    const unit = this.#units.get(digest)
    if (unit === undefined) return
    this.#units.delete(digest)
    this.#bytes -= bytesOf(unit)
  }
}

function bytesOf({ embeddings }: EncodedUnit): number {
  return embeddings.byteLength
}
