import { taskOf, type WorkRequest } from "../../domain/tasks"

/**
 * Characters per block: short enough that system prompts differ in whole blocks, long enough to keep the number
 * small.
 */
const LINK_LENGTH = 128

/** Blocks remembered: about 500,000 characters, more than a worker's slots cache. */
const MOST_HASHES = 4_096

/**
 * A request's text as a chain of block hashes. Each hash covers the text up to the end of its block, so two
 * requests share as many hashes as they share leading blocks. The engine sees no tokens, but equal prefixes of text
 * have equal first tokens. Only the part of a text that can be remembered is hashed.
 */
export function blockHashes(request: WorkRequest): readonly bigint[] {
  const text = taskOf(request).prefix(request, MOST_HASHES * LINK_LENGTH)
  const hashes: bigint[] = []
  let before = 0n
  const end = Math.min(text.length, MOST_HASHES * LINK_LENGTH)
  for (let start = 0; start < end; start += LINK_LENGTH) {
    before = Bun.hash.xxHash64(text.slice(start, start + LINK_LENGTH), before)
    hashes.push(before)
  }
  return hashes
}

/** What beginnings a worker has seen, the newest ones. */
export class PrefixAffinity {
  /** Oldest first. */
  readonly #hashes = new Set<bigint>()

  /** The number of leading blocks already seen. */
  match(hashes: readonly bigint[]): number {
    const end = hashes.findIndex((block) => !this.#hashes.has(block))
    return end === -1 ? hashes.length : end
  }

  add(hashes: readonly bigint[]): void {
    // Adds the end of the chain first, so that the shared beginning is evicted last.
    for (const block of hashes.toReversed()) {
      this.#hashes.delete(block)
      this.#hashes.add(block)
    }
    for (const oldest of this.#hashes) {
      if (this.#hashes.size <= MOST_HASHES) return
      this.#hashes.delete(oldest)
    }
  }

  clear(): void {
    this.#hashes.clear()
  }
}
