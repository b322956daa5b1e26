import type { Endpoint } from "./completion"
import type { Sample } from "./statistics"
import type { RandomText } from "./words"

/** Whose numbers a column holds. `default` is the peer as it comes, `np16` llama-server with 16 slots. */
export type Role = "ours" | "default" | "np16" | "llama-bench"

export interface Metric {
  readonly name: string
  readonly label: string
  readonly unit: "tokens/s" | "ms" | "ratio" | "MB"
}

/** One kind of traffic. */
export interface Load {
  readonly name: string
  readonly title: string
  readonly metrics: readonly Metric[]
  /** Which peers it is compared with. */
  readonly peers: readonly Role[]
  /** Makes fresh prompts; what it returns sends them to one server and says what came of it. */
  prepare(text: RandomText): (endpoint: Endpoint) => Promise<Sample>
}
