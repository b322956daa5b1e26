import { describe, expect, test } from "bun:test"
import { Compile } from "typebox/compile"
import { barsOf, formatReport, REPORT_FORMATS } from "../../src/measure/format"
import { htmlReport } from "../../src/measure/page/html"
import { compareReports } from "../../src/measure/regression"
import { BenchReport } from "../../src/measure/report"
import { comparedModels } from "../../src/measure/summary"
import { reportOf, timed } from "../support/reports"

const EVIL = 'a"|</script><img src=x onerror=alert(1)>\u001b[31m'

const check = Compile(BenchReport)
const served = timed("pp512+tg128 c4", [50, 52, 54], {
  via: "http",
  generated: 128,
  concurrency: 4,
  per_stream: 13,
  first_token_ms: { p50: 80, p99: 120 },
  between_tokens_ms: { p50: 9, p99: 21 },
  goodput: { limit_ms: 100, per_second: 0.4, share: 0.9 },
  notes: ["ignores ignore_eos: 2 of 12 answers were shorter"],
})
const loaded = {
  backend: "CPU",
  threads: 4,
  gpu_layers: 0,
  batch: 2048,
  ubatch: 512,
  flash_attention: "auto",
  cache_type_k: "f16",
  cache_type_v: "f16",
}
const report = reportOf([
  timed("pp512", [100, 110, 120], { loaded_with: loaded, unstable: ["contended: something"] }),
  served,
])

describe("a report", () => {
  test("is of its own schema, as JSON too", () => {
    expect(check.Check(report)).toBe(true)
    const again: unknown = JSON.parse(formatReport(report, "json"))
    expect(again).toEqual(report)
    expect(check.Check({ ...report, tests: [{ ...served, samples: [] }] })).toBe(false)
  })

  test("as a table has llama-bench's columns and what is missing there, and says what disturbed it", () => {
    const [heading = "", first = "", second = ""] = formatReport(report, "table").split("\n")
    for (const column of [
      "model",
      "size",
      "params",
      "backend",
      "threads",
      "test",
      "min..max",
      "TTFT",
      "ITL",
      "state",
    ])
      expect(heading).toContain(column)
    expect(first).toContain("1.00 GiB")
    expect(first).toContain("110 ± 14.8 tokens/s")
    expect(first).toContain("unstable: contended: something")
    expect(second).toContain("80.0 / 120")
    expect(second).toContain("0.400/s (90 % within 100 ms)")
    expect(second).toContain("ignores ignore_eos")
  })

  test("as Markdown is one table whose cells cannot end it", () => {
    const lines = formatReport(reportOf([timed("a|b", [1])]), "md").split("\n")
    expect(lines[0]).toStartWith("| model")
    expect(lines[1]).toMatch(/^\| -+ \|/)
    expect(lines[2]).toContain("a\\|b")
  })

  test("as CSV always has the same columns, and no cell becomes a formula", () => {
    const [heading = "", row = ""] = formatReport(reportOf([timed('=x"y', [1, 2])]), "csv").split("\n")
    expect(heading).toStartWith("model,name,via,prompt,generated,depth,concurrency,unit,backend,threads")
    expect(row).toStartWith(`m,"'=x""y",worker,512,0,0,1,tokens/s`)
    expect(row).toContain("1 2")
    expect(formatReport(report, "csv").split("\n")[0]).toBe(heading)
  })

  test("as JSON lines has one test in each, with its model and machine", () => {
    const lines = formatReport(report, "jsonl").trimEnd().split("\n")
    expect(lines.length).toBe(2)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { schema: "xllm.bench/1", name: "pp512", model: { digest: "d" }, host: { cores: 8 } },
      { name: "pp512+tg128 c4", via: "http" },
    ])
  })

  test("says what failed and that it was interrupted, in formats for people", () => {
    const broken = reportOf([served], { failures: [{ model: "x", error: "no" }], interrupted: true })
    for (const format of ["table", "md"] as const) {
      expect(formatReport(broken, format)).toContain("failed: x: no")
      expect(formatReport(broken, format)).toContain("interrupted")
    }
  })

  test("lets no name move the cursor", () => {
    for (const format of REPORT_FORMATS.filter((each) => each === "table" || each === "md"))
      expect(formatReport(reportOf([timed(EVIL, [1])]), format)).not.toContain("\u001b")
    expect(barsOf(reportOf([timed(EVIL, [1]), timed("b", [2])]))).not.toContain("\u001b")
  })

  test("draws bars of the medians", () => {
    const bars = barsOf(reportOf([timed("one", [10]), timed("half", [5])]))
    const count = (name: string) => (new RegExp(`${name} +(█*)`).exec(bars)?.[1] ?? "").length
    expect(count("one")).toBe(24)
    expect(count("half")).toBe(12)
  })
})

describe("the page", () => {
  const evil = reportOf([timed(EVIL, [1, 2, 3]), timed("pp512 @ d64", [2], { depth: 64 }), served], {
    failures: [{ model: EVIL, error: EVIL }],
    answers: [{ prompt: EVIL, answers: [{ model: EVIL, text: EVIL }] }],
  })
  const page = htmlReport(evil)

  test("contains its report, from which it can be made again", () => {
    const [, json = ""] = /<script type="application\/json" id="xllm-bench">(.*?)<\/script>/s.exec(page) ?? []
    expect(JSON.parse(json)).toEqual(evil)
  })

  test("runs and fetches nothing, whatever names say", () => {
    expect(page).not.toContain("<img")
    expect(page.match(/<script/g)?.length).toBe(1)
    expect(page).not.toMatch(/(src|href)\s*=\s*["']?https?:/)
    expect(page).toContain("default-src 'none'")
  })

  test("has charts for light, dark and paper", () => {
    expect(page).toContain("prefers-color-scheme:dark")
    expect(page).toContain("@media print")
    expect(page.match(/<svg /g)?.length).toBe(2)
    expect(page).not.toContain("NaN")
  })
})

describe("models that are compared", () => {
  const two = reportOf(
    [
      timed("pp256", [100]),
      timed("tg32", [10], { prompt: 0, generated: 32 }),
      timed("pp256", [100.5], { model: "n" }),
      timed("tg32", [20], { model: "n", prompt: 0, generated: 32 }),
    ],
    { models: ["m", "n"].map((name, index) => ({ ...report.models[0]!, name, size: 2 ** 30 - index })) },
  )

  test("are dominated by one that is nowhere worse", () => {
    expect(comparedModels(two).map(({ dominatedBy }) => dominatedBy)).toEqual([["n"], []])
  })

  test("are not where each is better in something", () => {
    const quality = ["m", "n"].map((model, index) => ({
      model,
      text: "t",
      windows: 1,
      tokens: 10,
      perplexity: 5,
      perplexity_error: 1,
      bits_per_byte: 1 + index,
    }))
    expect(comparedModels({ ...two, quality }).map(({ dominatedBy }) => dominatedBy)).toEqual([[], []])
    expect(htmlReport({ ...two, quality })).toContain("Quality against size")
  })
})

test("two reports are compared test by test; of times, less is faster", () => {
  const old = reportOf([
    timed("pp512", [100, 101, 99, 100, 100]),
    timed("step", [1, 1.01, 0.99, 1, 1], { unit: "s/step" }),
    timed("gone", [1, 1, 1, 1, 1]),
  ])
  const now = reportOf([
    timed("pp512", [80, 81, 79, 80, 80]),
    timed("step", [0.5, 0.51, 0.49, 0.5, 0.5], { unit: "s/step" }),
  ])
  expect(compareReports(old, now).map(({ metric, verdict }) => [metric, verdict])).toEqual([
    ["pp512 (worker)", "slower"],
    ["step (worker)", "faster"],
  ])
  expect(compareReports(now, now).every(({ verdict }) => verdict === "no difference shown")).toBe(true)
})
