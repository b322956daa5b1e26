import { expect, test } from "bun:test"
import { judge } from "../../bench/goal"
import type { Role } from "../../bench/load"
import type { LoadResult } from "../../bench/result"
import type { Sample } from "../../bench/statistics"

function result(name: string, medians: Partial<Record<Role, Sample>>): LoadResult {
  const roles: readonly Role[] = ["ours", "default", "np16", "llama-bench"]
  const columns = roles.flatMap((role) => {
    const median = medians[role]
    return median === undefined ? [] : [{ role, label: role, samples: [median], median }]
  })
  return { name, title: name, metrics: [], columns }
}

test("a rate is compared with its own peer, from below", () => {
  const [verdict, ...others] = judge([
    result("single", { ours: { tokensPerSecond: 98 }, "llama-bench": { tokensPerSecond: 100 } }),
  ])
  expect(others).toEqual([])
  expect(verdict?.reached).toBeCloseTo(0.98)
  expect(verdict?.met).toBe(true)
})

test("a wait is compared from above", () => {
  const verdicts = judge([
    result("arrival", { ours: { longestGap: 500, ttft: 4000 }, default: { longestGap: 4000, ttft: 4000 } }),
  ])
  expect(verdicts.map(({ goal, met }) => [goal.metric, met])).toEqual([
    ["longestGap", false],
    ["ttft", true],
  ])
})

test("the better peer is chosen metric by metric", () => {
  const verdicts = judge([
    result("unrelated", {
      ours: { tokensPerSecond: 100, ttftP50: 3000, ttftP95: 6000 },
      default: { tokensPerSecond: 80, ttftP50: 4000, ttftP95: 8000 },
      np16: { tokensPerSecond: 125, ttftP50: 5000, ttftP95: 5000 },
    }),
  ])
  expect(verdicts.map(({ reached }) => reached)).toEqual([0.8, 0.75, 1.2])
})

test("a peer that was not measured gives no verdict, and neither does half of a pair", () => {
  const ours = { tokensPerSecond: 100, ttftP50: 3000, ttftP95: 6000 }
  expect(judge([result("unrelated", { ours, default: ours })])).toEqual([])
  expect(judge([result("contended", { ours })])).toEqual([])
  expect(judge([result("single", { default: ours, "llama-bench": ours })])).toEqual([])
})

test("limits of our own need no peer", () => {
  const verdicts = judge([result("startup", { ours: { firstAnswer: 101, version: 40 } })])
  expect(verdicts.map(({ met }) => met)).toEqual([false, true])
})
