import type { RequestOptions } from "./request"

/**
 * What is to be done with the tokens that a sequence has cached: kept on disk under a name, read from there, or dropped.
 * It waits until nothing runs in the sequence.
 */
export type SlotRequest = Pick<RequestOptions, "model"> & {
  /** See `GenerationOptions.slot`. */
  readonly slot: number
  /** Only what was cached for requests with the same; absent: for any. */
  readonly cacheOwner?: string
} & ({ readonly action: "save" | "restore"; readonly name: string } | { readonly action: "erase" })

export interface SlotResult {
  /** How many it were. */
  readonly tokens: number
  /** The size of the file; 0: none was used. */
  readonly bytes: number
  readonly ms: number
}
