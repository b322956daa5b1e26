/** `bun run bench:guessing --model FILE.gguf`: what it brings to check guessed tokens several at a time. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { BenchFailure } from "../failure"
import { formatMachine } from "../report"
import { freePort, killAllServers, ServerProcess } from "../server-process"
import { writeDeeperModel } from "../../tests/support/files/deeper-model"
import { describeHost } from "../../src/measure/host"
import { median } from "../../src/measure/statistics"
import { TASKS } from "./prompts"

const HELP = `What guessing ahead brings: off, auto (where it pays) and always, one after the other in one server.

  bun run bench:guessing --model FILE.gguf [--draft FILE.gguf] [--binary FILE] [--peer URL] [--repeat N] [--tokens N]
                         [--streams N] [--json FILE]

  --draft FILE   a smaller model with the same vocabulary
  --deeper N     the model with N blocks more, which change nothing, guessed by the model itself: always right
  --peer URL     a llama-server that runs already, with its own way of guessing
  --repeat N     answers of each kind (default 5); --tokens N: of each answer (default 140)
  --streams N    answers at the same time in the last rows (default 16; 0 = none)`

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    draft: { type: "string" },
    deeper: { type: "string" },
    binary: { type: "string", default: resolve(import.meta.dir, "../../dist/xllm") },
    peer: { type: "string" },
    repeat: { type: "string", default: "5" },
    tokens: { type: "string", default: "140" },
    streams: { type: "string", default: "16" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
})

const MODES = ["off", "auto", "always"] as const
type Mode = (typeof MODES)[number]

interface Row {
  readonly name: string
  /** tokens/s of each repetition. */
  readonly rates: Readonly<Record<Mode | "peer", readonly number[]>>
  /** Of the guessed tokens, in `auto` and `always`. */
  readonly accepted: Readonly<Record<Mode, string>>
}

/** What is read of an answer. */
interface Answer {
  readonly timings: {
    readonly predicted_per_second: number
    readonly draft_n?: number
    readonly draft_n_accepted?: number
  }
}

if (values.help || values.model === undefined) console.log(HELP)
else await run(resolve(values.model))

async function run(model: string): Promise<void> {
  process.once("exit", killAllServers)
  const folder = await mkdtemp(join(tmpdir(), "xllm-bench-guessing-"))
  try {
    const machine = describeHost()
    console.log(`Model: ${basename(model)}\nMachine: ${formatMachine(machine)}\n`)
    const rows = await measure(...chosen(model, folder), folder)
    print(rows)
    if (values.json !== undefined)
      await Bun.write(values.json, JSON.stringify({ machine, model, rows }, null, 2))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The model to measure, and its draft. */
function chosen(model: string, folder: string): readonly [model: string, draft: string | undefined] {
  if (values.deeper === undefined)
    return [model, values.draft === undefined ? undefined : resolve(values.draft)]
  const target = join(folder, `${basename(model, ".gguf")}-deeper.gguf`)
  return [writeDeeperModel(model, target, Number(values.deeper)), model]
}

async function measure(
  model: string,
  draftModel: string | undefined,
  folder: string,
): Promise<readonly Row[]> {
  const port = freePort()
  const draft = draftModel === undefined ? [] : ["--model-draft", draftModel]
  await using process = await ServerProcess.start(
    {
      command: [values.binary, "serve", model, "--port", `${port}`, "--ctx", "2048", ...draft],
      env: { HOME: folder },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "server.log"),
    },
    AbortSignal.timeout(120_000),
  )
  // Loads it; the worker then measures its batches as soon as it is idle.
  await ask(process.url, "Hello", "off", "warm")
  await Bun.sleep(5000)
  const rows: Row[] = []
  for (const { name, prompt } of TASKS) {
    const once = emptyRow(name)
    const again = emptyRow(`${name}, again`)
    for (let repetition = 0; repetition < Number(values.repeat); repetition++) {
      for (const mode of inTurn(repetition)) {
        // What was answered before is forgotten with its salt.
        const salt = `${name} ${mode} ${repetition}`
        note(once, mode, await ask(process.url, prompt, mode, salt))
        note(again, mode, await ask(process.url, prompt, mode, salt))
      }
      if (values.peer !== undefined) once.rates.peer.push(rateOf(await ask(values.peer, prompt)))
    }
    rows.push(shown(once), shown(again))
    console.error(name)
  }
  if (Number(values.streams) > 0) rows.push(...(await measureStreams(process.url)))
  return rows
}

/** All tokens of many answers at the same time, by the time from the first request to the last answer. */
async function measureStreams(url: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const { name, prompt } of TASKS) {
    const row = emptyRow(`${name}, ${values.streams} streams`)
    for (let repetition = 0; repetition < Number(values.repeat); repetition++)
      for (const mode of inTurn(repetition)) {
        const startedAt = performance.now()
        const answers = await Promise.all(
          Array.from({ length: Number(values.streams) }, (_, stream) =>
            ask(url, `${stream + 1}. ${prompt}`, mode, `${name} ${mode} ${repetition} ${stream}`),
          ),
        )
        const tokens = Number(values.streams) * Number(values.tokens)
        row.rates[mode].push((tokens * 1000) / (performance.now() - startedAt))
        for (const answer of answers) count(row, mode, answer)
      }
    rows.push(shown(row))
    console.error(row.name)
  }
  return rows
}

/** Every repetition has another order. */
function inTurn(repetition: number): readonly Mode[] {
  const first = repetition % MODES.length
  return [...MODES.slice(first), ...MODES.slice(0, first)]
}

async function ask(url: string, prompt: string, mode?: Mode, salt?: string): Promise<Answer> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content: prompt }],
      temperature: 0,
      max_tokens: Number(values.tokens),
      // Every answer has as many tokens.
      ignore_eos: true,
      ...(mode !== undefined && { "speculative.type": mode === "always" ? alwaysBy() : mode }),
      ...(salt !== undefined && { cache_salt: salt }),
    }),
  })
  if (!response.ok) throw new BenchFailure(`${url} answered ${response.status}: ${await response.text()}`)
  // Both servers have these fields.
  return (await response.json()) as Answer
}

function alwaysBy(): string {
  return values.draft === undefined && values.deeper === undefined ? "ngram" : "draft"
}

interface OpenRow {
  readonly name: string
  readonly rates: Record<Mode | "peer", number[]>
  readonly drafted: Record<Mode, number>
  readonly accepted: Record<Mode, number>
}

function emptyRow(name: string): OpenRow {
  return {
    name,
    rates: { off: [], auto: [], always: [], peer: [] },
    drafted: { off: 0, auto: 0, always: 0 },
    accepted: { off: 0, auto: 0, always: 0 },
  }
}

function note(row: OpenRow, mode: Mode, answer: Answer): void {
  row.rates[mode].push(rateOf(answer))
  count(row, mode, answer)
}

function count(row: OpenRow, mode: Mode, { timings }: Answer): void {
  row.drafted[mode] += timings.draft_n ?? 0
  row.accepted[mode] += timings.draft_n_accepted ?? 0
}

function rateOf({ timings }: Answer): number {
  return timings.predicted_per_second
}

function shown({ name, rates, drafted, accepted }: OpenRow): Row {
  const share = (mode: Mode): string => (drafted[mode] === 0 ? "-" : `${accepted[mode]} of ${drafted[mode]}`)
  return { name, rates, accepted: { off: share("off"), auto: share("auto"), always: share("always") } }
}

function print(rows: readonly Row[]): void {
  console.log("| answer | off | auto | always | peer | right in auto | right in always |")
  console.log("| --- | --- | --- | --- | --- | --- | --- |")
  for (const { name, rates, accepted } of rows) {
    const off = median(rates.off)
    const cell = (of: readonly number[]): string =>
      of.length === 0 ? "-" : `${median(of).toFixed(1)} (${(median(of) / off).toFixed(2)} ×)`
    const cells = [off.toFixed(1), cell(rates.auto), cell(rates.always), cell(rates.peer)]
    console.log(`| ${[name, ...cells, accepted.auto, accepted.always].join(" | ")} |`)
  }
}
