import type { EncodedUnit } from "./projector"

/** Computed embeddings by the digests of their units, the least recently used first. */
export class EmbeddingsCache {
  readonly #mostBytes: number
  readonly #units = new Map<string, EncodedUnit>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get(digest: Uint8Array): EncodedUnit | undefined {
    const key = digest.toHex()
    const unit = this.#units.get(key)
    if (unit === undefined) return undefined
    this.#units.delete(key)
    this.#units.set(key, unit)
    return unit
  }

  add(unit: EncodedUnit): void {
    const key = unit.digest.toHex()
    this.#drop(key)
    this.#units.set(key, unit)
    this.#bytes += unit.embeddings.byteLength
    for (const oldest of this.#units.keys()) {
      if (this.#bytes <= this.#mostBytes) break
      this.#drop(oldest)
    }
  }

  clear(): void {
    this.#units.clear()
    this.#bytes = 0
  }

  #drop(key: string): void {
    this.#bytes -= this.#units.get(key)?.embeddings.byteLength ?? 0
    this.#units.delete(key)
  }
}
