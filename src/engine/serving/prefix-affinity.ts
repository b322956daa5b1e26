import { taskOf, type WorkRequest } from "../../domain/tasks"

/** Characters of one link: short enough that system prompts differ in whole links, long enough to keep few. */
const LINK_LENGTH = 128

/** Links that are remembered: about 500,000 characters, more than the slots of a worker cache. */
const MOST_HASHES = 4_096

/**
 * A request's text as a chain of hashes: each stands for the text up to its end, so two requests have as many links in
 * common as their texts begin alike. The engine sees no tokens; texts that begin alike have the same first ones. Of a
 * text that is longer than what is remembered only the beginning is looked at.
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

  /** How many links of the chain's beginning are known. */
  match(hashes: readonly bigint[]): number {
    const end = hashes.findIndex((block) => !this.#hashes.has(block))
    return end === -1 ? hashes.length : end
  }

  add(hashes: readonly bigint[]): void {
    // Ends first, so that of a chain the beginning, which others share, is forgotten last.
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
