import { expect, test } from "bun:test"
import { judge } from "../../bench/goal"
import { formatFailures, formatTable, formatVerdicts } from "../../bench/report"
import type { LoadResult } from "../../bench/result"

const arrival: LoadResult = {
  name: "arrival",
  title: "a long prompt arrives",
  metrics: [
    { name: "longestGap", label: "longest gap", unit: "ms" },
    { name: "ttft", label: "TTFT", unit: "ms" },
  ],
  columns: [
    { role: "ours", label: "xLLM", samples: [], median: { longestGap: 300, ttft: 4400 } },
    { role: "default", label: "peer", samples: [], median: { longestGap: 4000, ttft: 4000 } },
  ],
}

test("the table has a row for each metric and our ratio in the peer's column", () => {
  expect(formatTable([arrival]).split("\n")).toEqual([
    "| load                  | metric      | xLLM   | peer                   |",
    "| ---                   | ---         | ---    | ---                    |",
    "| a long prompt arrives | longest gap | 300 ms | 4.00 s (ours 0.0750 ×) |",
    "|                       | TTFT        | 4.40 s | 4.00 s (ours 1.10 ×)   |",
  ])
})

test("a server that failed shows it in its column and says why below", () => {
  const failed = { role: "default", label: "peer", samples: [], median: {}, failure: "HTTP 500" } as const
  const result = { ...arrival, columns: [...arrival.columns.slice(0, 1), failed] }
  expect(formatTable([result])).toContain("| 300 ms | failed |")
  expect(formatFailures([result])).toBe("failed: arrival on peer: HTTP 500")
})

test("goals are listed with what was reached, in the goal's own terms", () => {
  const lines = formatVerdicts(judge([arrival]), [arrival]).split("\n")
  expect(lines[2]).toMatch(/met +\| arrival \| longest gap \| 0\.0750 × peer +\| at most 0\.100 ×/)
  expect(lines[3]).toMatch(/met +\| arrival \| TTFT +\| 1\.10 × peer +\| at most 1\.15 ×/)
})

test("nothing to judge prints nothing", () => {
  expect(formatVerdicts([], [])).toBe("")
})
