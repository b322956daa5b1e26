import { columnsFor, inGib, rounded, rowsOf } from "../columns"
import { factsText } from "../facts-text"
import type { BenchReport, BenchTest } from "../report"
import { comparedModels } from "../summary"
import { barChart, htmlText, plot, type Series } from "./svg"

/** Both themes; bars keep their colours on paper. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1d232b;--soft:#5b6673;--line:#d9dee4;--back:#fff;--warn:#a14a00;
--c0:#1f6feb;--c1:#d9480f;--c2:#2b8a3e;--c3:#9c36b5;--c4:#0b7285;--c5:#e67700;--c6:#c2255c;--c7:#495057}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--line:#343c46;--back:#15191e;--warn:#ffb067;
--c0:#6ea8fe;--c1:#ff922b;--c2:#69db7c;--c3:#da77f2;--c4:#66d9e8;--c5:#ffd43b;--c6:#f783ac;--c7:#adb5bd}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}small,.soft{color:var(--soft);font-weight:400}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
.wide{overflow-x:auto}.warn{color:var(--warn)}
figure{margin:1rem 0;break-inside:avoid}figcaption{font-weight:600}svg{width:100%;height:auto;max-width:45rem}
svg text{font-size:12px;fill:var(--ink)}svg .label{text-anchor:end}svg .tick{text-anchor:middle;fill:var(--soft)}
.grid{stroke:var(--line)}.whisker{stroke:var(--ink);fill:none}.line{fill:none;stroke-width:2}
.legend span{margin-right:1rem}.legend i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em}
${Array.from({ length: 8 }, (_, index) => `.s${index}{fill:var(--c${index});background:var(--c${index})}.l${index}{stroke:var(--c${index})}`).join("")}
pre{overflow-x:auto;font-size:.85rem;border:1px solid var(--line);padding:.6rem;white-space:pre-wrap}
@media print{*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{max-width:none;margin:0}.wide{overflow:visible}table{font-size:.7rem}}
`

/** A report as one file that needs nothing else: no script, no font, no network. */
export function htmlReport(report: BenchReport): string {
  const names = report.models.map(({ name }) => name).join(", ")
  const title = `xLLM: ${names === "" ? "measurement" : names}`
  const parts = [
    `<h1>${htmlText(title)}</h1>`,
    `<p class="soft">${htmlText(machineOf(report))}<br>${htmlText(report.created)} · <code>xllm ${htmlText(report.parameters.command.join(" "))}</code></p>`,
    ...problemsOf(report),
    ...chartsOf(report),
    ...tablesOf(report),
    ...answersOf(report),
    ...(report.profile === undefined
      ? []
      : [`<h2>What was found</h2><pre>${htmlText(factsText(report.profile))}</pre>`]),
    `<script type="application/json" id="xllm-bench">${jsonForHtml(report)}</script>`,
  ]
  return (
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${htmlText(title)}</title>` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">` +
    `<style>${STYLE}</style></head><body><main>\n${parts.join("\n")}\n</main></body></html>\n`
  )
}

/** JSON within a script element: nothing in it can end the element or begin a comment. */
function jsonForHtml(report: BenchReport): string {
  return JSON.stringify(report).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

function machineOf({ host, engine }: BenchReport): string {
  const gpus = host.gpus.map(({ name, memory }) => `, ${name} (${inGib(memory)})`).join("")
  return `${host.cpu}, ${host.cores} cores, ${inGib(host.ram)}${gpus}, ${host.os}; load ${host.load}; xLLM ${engine.xllm}, llama.cpp ${engine.llama_cpp}`
}

function problemsOf({ warnings, failures, interrupted }: BenchReport): readonly string[] {
  return [
    ...warnings,
    ...failures.map(({ model, error }) => `failed: ${model}: ${error}`),
    ...(interrupted ? ["interrupted: what was measured until then"] : []),
  ].map((problem) => `<p class="warn">${htmlText(problem)}</p>`)
}

function chartsOf(report: BenchReport): readonly string[] {
  const { tests, profile } = report
  const direct = tests.filter(({ via }) => via === "worker")
  const depths = seriesBy(
    direct,
    ({ depth }) => depth,
    (test) => `${test.model} ${test.prompt > 0 ? `pp${test.prompt}` : `tg${test.generated}`}`,
  )
  const streams = seriesBy(
    tests.filter(({ via, rate }) => via !== "worker" && rate === undefined),
    ({ concurrency }) => concurrency,
    (test) => `${test.model} pp${test.prompt}+tg${test.generated}`,
  )
  const bars = [...Map.groupBy(tests, ({ unit }) => unit)].map(([unit, rows]) =>
    barChart(
      "Medians, with the median absolute deviation",
      unit,
      rows.map(({ model, name, median, mad }) => ({
        label: report.models.length > 1 ? `${name} ${model}` : name,
        value: median,
        low: median - mad,
        high: median + mad,
      })),
    ),
  )
  return [
    ...bars,
    ...line("Speed by tokens in the context", "tokens in the context", depths),
    ...line("Speed by requests at the same time", "requests at the same time", streams),
    ...(profile === undefined
      ? []
      : [
          barChart("Memory by part", "MiB", [
            { label: "weights", value: profile.memory.weights / 2 ** 20 },
            { label: "KV cache of the longest conversation", value: profile.conversation.kv / 2 ** 20 },
            { label: "compute buffers", value: profile.memory.compute / 2 ** 20 },
          ]),
        ]),
    ...qualityPlot(report),
  ]
}

function line(title: string, xLabel: string, series: readonly Series[]): readonly string[] {
  return series.length === 0 ? [] : [plot({ title, xLabel, yLabel: "tokens/s", isLine: true }, series)]
}

/** Series with more than one place on the axis; others are in the bars. */
function seriesBy(
  tests: readonly BenchTest[],
  place: (test: BenchTest) => number,
  name: (test: BenchTest) => string,
): readonly Series[] {
  return [...Map.groupBy(tests, name)].flatMap(([series, rows]) => {
    if (new Set(rows.map(place)).size < 2) return []
    const points = rows.map((row) => ({
      x: place(row),
      y: row.median,
      low: row.median - row.mad,
      high: row.median + row.mad,
    }))
    return [{ name: series, points }]
  })
}

function qualityPlot(report: BenchReport): readonly string[] {
  const points = comparedModels(report).flatMap(({ model, size, bitsPerByte }) =>
    bitsPerByte === undefined ? [] : [{ x: size / 2 ** 30, y: bitsPerByte, label: model }],
  )
  if (points.length < 2) return []
  const options = {
    title: "Quality against size",
    xLabel: "GiB",
    yLabel: "bits per byte; less is better",
    isLine: false,
  }
  return [plot(options, [{ name: "models", points }])]
}

function tablesOf(report: BenchReport): readonly string[] {
  const columns = columnsFor(report)
  const { compare = [], quality = [], memory } = report
  return [
    ...htmlTable(
      "Tests",
      columns.map(({ name }) => name),
      rowsOf(report).map((row) => columns.map(({ shown }) => shown(row))),
    ),
    ...htmlTable(
      "Differences",
      ["test", "base", "other", "ratio", "95 % interval", "p", "pairs", "verdict"],
      compare.map(({ metric, base, other, ratio, ci: [low, high], p, n, verdict }) => [
        metric,
        base,
        other,
        ratio.toFixed(3),
        `${low.toFixed(3)}..${high.toFixed(3)}`,
        p.toFixed(3),
        String(n),
        verdict,
      ]),
    ),
    ...htmlTable(
      "Quality",
      ["model", "text", "tokens", "perplexity", "bits per byte", "KL divergence", "99 %", "same top token"],
      quality.map(({ model, text, tokens, perplexity, perplexity_error, bits_per_byte, divergence }) => [
        model,
        text,
        String(tokens),
        `${perplexity.toFixed(3)} ± ${perplexity_error.toFixed(3)}`,
        bits_per_byte.toFixed(4),
        divergence === undefined ? "" : `${divergence.mean.toFixed(5)} ± ${divergence.error.toFixed(5)}`,
        divergence === undefined ? "" : divergence.p99.toFixed(5),
        divergence === undefined ? "" : `${(100 * divergence.same_top).toFixed(1)} %`,
      ]),
    ),
    ...htmlTable(
      "Memory",
      ["model", "load", "RAM at most", "VRAM"],
      memory.map(({ model, load_seconds, peak_ram, vram }) => [
        model,
        load_seconds === undefined ? "" : `${rounded(load_seconds)} s`,
        peak_ram === undefined ? "" : inGib(peak_ram),
        vram === undefined ? "" : inGib(vram),
      ]),
    ),
  ]
}

function htmlTable(
  title: string,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  if (rows.length === 0) return []
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${htmlText(cell)}</${tag}>`).join("")}</tr>`
  const body = rows.map((row) => line(row, "td")).join("\n")
  return [`<h2>${htmlText(title)}</h2><div class="wide"><table>${line(heading, "th")}\n${body}</table></div>`]
}

function answersOf({ answers = [] }: BenchReport): readonly string[] {
  return answers.map(
    ({ prompt, answers: given }) =>
      `<h2>${htmlText(prompt)}</h2>` +
      given
        .map(({ model, text }) => `<p class="soft">${htmlText(model)}</p><pre>${htmlText(text)}</pre>`)
        .join(""),
  )
}
