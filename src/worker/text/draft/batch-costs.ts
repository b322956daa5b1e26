import type { BatchCost } from "../../../domain/batch-cost"

/** Before anything is measured: what most machines and quantisations are better than, in units of one token. */
const CAUTIOUS: readonly BatchCost[] = [
  { tokens: 1, ms: 1 },
  { tokens: 2, ms: 2 },
  { tokens: 4, ms: 3 },
  { tokens: 8, ms: 4.5 },
  { tokens: 16, ms: 7 },
]

/** What batches of any size cost, between and beyond those that were measured. */
export class BatchCosts {
  readonly #table: readonly BatchCost[]
  /** Are these times of this machine, in ms? */
  readonly isMeasured: boolean

  constructor(table: readonly BatchCost[] = []) {
    this.isMeasured = isUsable(table)
    this.#table = this.isMeasured ? rising(table) : CAUTIOUS
  }

  ms(tokens: number): number {
    const table = this.#table
    let at = 1
    while (at < table.length - 1 && (table[at] as BatchCost).tokens < tokens) at++
    const [before, after] = [table[at - 1] as BatchCost, table[at] as BatchCost]
    return before.ms + ((tokens - before.tokens) * (after.ms - before.ms)) / (after.tokens - before.tokens)
  }
}

function isUsable(table: readonly BatchCost[]): boolean {
  return (
    table.length >= 2 &&
    table.every(
      ({ tokens, ms }, at) => ms > 0 && Number.isFinite(ms) && tokens > (table[at - 1]?.tokens ?? 0),
    )
  )
}

/** A larger batch never costs less: what seems so was disturbed. */
function rising(table: readonly BatchCost[]): readonly BatchCost[] {
  let most = 0
  return table.map(({ tokens, ms }) => ({ tokens, ms: (most = Math.max(most, ms)) }))
}
