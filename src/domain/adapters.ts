/** An adapter that a request wants: its name, or its number in the list of those that its model can use. */
export interface AdapterChoice {
  readonly adapter: string | number
  /** How strongly it is applied; 0: not at all. */
  readonly scale: number
}

/** An adapter that a model can use. Its number is its place in their list. */
export interface UsableAdapter {
  /** The file's name without `.gguf`. */
  readonly name: string
  /** How strongly it is applied where a request does not say; 0: not at all. */
  readonly scale: number
  readonly sizeBytes: number
}

/** An adapter to compute with. */
export interface AppliedAdapter {
  /** For messages and lists. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** The same for files of the same content. */
  readonly key: string
  /** Not 0. */
  readonly scale: number
}

/**
 * A text that is the same for sets with the same effect, in whatever order they are given; empty for the set of none.
 * What was computed with one set is no use to another.
 */
export function adapterSetKey(set: readonly Pick<AppliedAdapter, "key" | "scale">[]): string {
  return set
    .map(({ key, scale }) => `${key}*${scale}`)
    .sort()
    .join("+")
}

/** Leaves out what has no effect, and joins what has the same content: llama.cpp would apply it once. */
export function effectiveAdapters(set: readonly AppliedAdapter[]): readonly AppliedAdapter[] {
  const byKey = new Map<string, AppliedAdapter>()
  for (const adapter of set) {
    const scale = adapter.scale + (byKey.get(adapter.key)?.scale ?? 0)
    byKey.set(adapter.key, { ...adapter, scale })
  }
  return [...byKey.values()].filter(({ scale }) => scale !== 0)
}
