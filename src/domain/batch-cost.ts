/** How long a model computes one batch. */
export interface BatchCost {
  readonly tokens: number
  readonly ms: number
}

/** The sizes that are measured: they tell when it pays to have several guessed tokens checked at once. */
export const MEASURED_BATCHES = [1, 2, 4, 8, 16] as const
