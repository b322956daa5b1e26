import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { BenchFailure, reasonOf } from "./failure"
import { judge, type Verdict } from "./goal"
import type { Load } from "./load"
import { longArrival } from "./loads/long-arrival"
import { adapters } from "./loads/adapters"
import { sharedPrompt, unrelatedPrompts } from "./loads/many-clients"
import { offeredTools } from "./loads/offered-tools"
import { prefixReuse } from "./loads/prefix-reuse"
import { contendedStream, singleStream } from "./loads/single-stream"
import { describeHost, type Host } from "../src/measure/host"
import { HELP, parseOptions, type Options } from "./options"
import { formatFailures, formatMachine, formatTable, formatVerdicts, hasFailed } from "./report"
import type { LoadResult } from "./result"
import { killAllServers } from "./server-process"
import { prepareText, runLoad, runStages, runStartup, type Session } from "./session"
import { stages } from "./stages"
import { readVersion, startup } from "./startup"
import { createTargets } from "./target"

const LOADS: readonly Load[] = [
  singleStream,
  sharedPrompt,
  unrelatedPrompts,
  longArrival,
  prefixReuse,
  contendedStream,
  offeredTools,
  adapters,
]

async function main(): Promise<number> {
  const options = await parseOptions(process.argv.slice(2), {
    root: resolve(import.meta.dir, ".."),
    cores: availableParallelism(),
    seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 1,
  })
  if (options === undefined) {
    console.log(HELP)
    return 0
  }
  checkLoadNames(options.loads)
  if (options.loads.includes(adapters.name) && !options.hasAdapter)
    throw new BenchFailure(`--load ${adapters.name} needs --adapter FILE; bench/make-adapter.ts makes one`)
  const ending = new AbortController()
  process.once("SIGINT", () => ending.abort(new BenchFailure("interrupted")))
  process.once("SIGTERM", () => ending.abort(new BenchFailure("interrupted")))
  process.once("exit", killAllServers)
  return await measureAndReport(options, ending.signal)
}

async function measureAndReport(options: Options, signal: AbortSignal): Promise<number> {
  const machine = describeHost()
  const workspace = await mkdtemp(join(tmpdir(), "xllm-bench-"))
  try {
    const targets = createTargets(options, workspace)
    const session: Session = { options, targets, workspace, signal, progress: (line) => console.error(line) }
    const versions = await readVersions(session)
    const results = await measure(session)
    const verdicts = judge(results)
    print(options, machine, versions, results, verdicts)
    if (options.json !== undefined)
      await Bun.write(options.json, describeRun(options, machine, versions, results, verdicts))
    return results.some(({ columns }) => columns.some(hasFailed)) ? 1 : 0
  } finally {
    await rm(workspace, { recursive: true, force: true })
  }
}

async function measure(session: Session): Promise<readonly LoadResult[]> {
  const { loads: named, hasAdapter } = session.options
  const wanted = (name: string): boolean =>
    named.length === 0 ? name !== adapters.name || hasAdapter : named.includes(name)
  const loads = LOADS.filter(({ name }) => wanted(name))
  const results: (LoadResult | undefined)[] = []
  if (loads.length > 0 || wanted(stages.name)) {
    const text = await prepareText(session)
    for (const load of loads) results.push(await runLoad(session, load, text))
    if (wanted(stages.name)) results.push(await runStages(session, text))
  }
  if (wanted(startup.name)) results.push(await runStartup(session))
  return results.filter((result) => result !== undefined)
}

function checkLoadNames(names: readonly string[]): void {
  const known = [...LOADS.map(({ name }) => name), stages.name, startup.name]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new BenchFailure(`--load must be one of ${known.join(", ")}, got ${unknown}`)
}

async function readVersions({ targets, signal }: Session): Promise<Readonly<Record<string, string>>> {
  const named = targets.flatMap(({ label, executable }) =>
    executable === undefined ? [] : [{ label, executable }],
  )
  return Object.fromEntries(
    await Promise.all(
      named.map(async ({ label, executable }) => [label, await readVersion(executable, signal)] as const),
    ),
  )
}

function print(
  options: Options,
  machine: Host,
  versions: Readonly<Record<string, string>>,
  results: readonly LoadResult[],
  verdicts: readonly Verdict[],
): void {
  const heading = [
    `Model: ${basename(options.model)}; medians of ${options.repeat}; seed ${options.seed}`,
    `Machine: ${formatMachine(machine)}`,
    ...Object.entries(versions).map(([label, version]) => `${label}: ${version}`),
  ].join("\n")
  const parts = [heading, formatTable(results), formatVerdicts(verdicts, results), formatFailures(results)]
  console.log(parts.filter((part) => part !== "").join("\n\n"))
}

function describeRun(
  options: Options,
  machine: Host,
  versions: Readonly<Record<string, string>>,
  results: readonly LoadResult[],
  verdicts: readonly Verdict[],
): string {
  const model = { file: basename(options.model), bytes: Bun.file(options.model).size }
  const { seed, repeat } = options
  const date = new Date().toISOString()
  return `${JSON.stringify({ date, machine, versions, model, seed, repeat, results, verdicts }, null, 2)}\n`
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`Error: ${reasonOf(error)}`)
  process.exitCode = 1
}
