import type { Role } from "./load"
import { valueOf, type LoadResult } from "./result"

/** A target for one of our metrics: a value in its own unit, or a multiple of a peer's value. */
export interface Goal {
  readonly load: string
  readonly metric: string
  readonly bound: "at least" | "at most"
  readonly value: number
  /** Absent: `value` itself is the limit. `better`: the better of `default` and `np16` in this metric. */
  readonly of?: Role | "better"
}

export interface Verdict {
  readonly goal: Goal
  /** In the goal's terms: the ratio, or the value. */
  readonly reached: number
  readonly met: boolean
}

const goals: readonly Goal[] = [
  { load: "single", metric: "tokensPerSecond", bound: "at least", value: 0.97, of: "llama-bench" },
  { load: "shared", metric: "tokensPerSecond", bound: "at least", value: 1.9, of: "default" },
  { load: "shared", metric: "tokensPerSecond", bound: "at least", value: 3.5, of: "np16" },
  { load: "shared", metric: "ttftP95", bound: "at most", value: 0.22, of: "default" },
  { load: "unrelated", metric: "tokensPerSecond", bound: "at least", value: 0.9, of: "better" },
  { load: "unrelated", metric: "ttftP50", bound: "at most", value: 0.7, of: "better" },
  { load: "unrelated", metric: "ttftP95", bound: "at most", value: 1.15, of: "better" },
  { load: "arrival", metric: "longestGap", bound: "at most", value: 0.1, of: "default" },
  { load: "arrival", metric: "ttft", bound: "at most", value: 1.15, of: "default" },
  { load: "prefix", metric: "warmToCold", bound: "at most", value: 0.02 },
  { load: "contended", metric: "tokensPerSecond", bound: "at least", value: 2, of: "default" },
  { load: "tools", metric: "offeredToPlain", bound: "at least", value: 0.98 },
  { load: "adapters", metric: "one", bound: "at least", value: 1, of: "default" },
  { load: "adapters", metric: "mixedToSame", bound: "at least", value: 0.6 },
  { load: "startup", metric: "firstAnswer", bound: "at most", value: 100 },
  { load: "startup", metric: "version", bound: "at most", value: 40 },
  { load: "startup", metric: "idleMemory", bound: "at most", value: 90 },
  { load: "startup", metric: "binary", bound: "at most", value: 150 },
]

/** Evaluates the goals for which there are measurements. */
export function judge(results: readonly LoadResult[]): readonly Verdict[] {
  return goals.flatMap((goal) => {
    const result = results.find((candidate) => candidate.name === goal.load)
    const ours = result && valueOf(result, "ours", goal.metric)
    const unit = result && unitOf(goal, result)
    if (ours === undefined || unit === undefined) return []
    const reached = ours / unit
    return [{ goal, reached, met: goal.bound === "at least" ? reached >= goal.value : reached <= goal.value }]
  })
}

/** The value that the goal is a multiple of; undefined if that peer was not measured. */
function unitOf(goal: Goal, result: LoadResult): number | undefined {
  if (goal.of === undefined) return 1
  if (goal.of !== "better") return valueOf(result, goal.of, goal.metric)
  const both = [valueOf(result, "default", goal.metric), valueOf(result, "np16", goal.metric)]
  const known = both.filter((value) => value !== undefined)
  if (known.length < both.length) return undefined
  return goal.bound === "at least" ? Math.max(...known) : Math.min(...known)
}
