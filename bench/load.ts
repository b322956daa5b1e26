import type { Endpoint } from "../src/measure/http/completion"
import type { Sample } from "./statistics"
import type { RandomText } from "../src/measure/http/words"

/** The server in a column. `default` is the peer with its default options, `np16` llama-server with 16 slots. */
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
  /** The peers to compare with. */
  readonly peers: readonly Role[]
  /** Creates new prompts; the returned function sends them to one server and measures. */
  prepare(text: RandomText): (endpoint: Endpoint) => Promise<Sample>
}
