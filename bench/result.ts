import type { Metric, Role } from "./load"
import type { Sample } from "./statistics"

/** The results of one server under one load. */
export interface Column {
  readonly role: Role
  readonly label: string
  /** One per repetition; empty if it failed. */
  readonly samples: readonly Sample[]
  readonly median: Sample
  /** Why there are no numbers. */
  readonly failure?: string
}

/** The results of one load on all its servers. */
export interface LoadResult {
  readonly name: string
  readonly title: string
  readonly metrics: readonly Metric[]
  readonly columns: readonly Column[]
}

/** The median of a metric, if that server has one. */
export function valueOf(result: LoadResult, role: Role, metric: string): number | undefined {
  return result.columns.find((column) => column.role === role)?.median[metric]
}
