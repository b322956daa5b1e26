/** `bun run bench:grammar --model FILE.gguf`: what it costs to keep answers within a grammar. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { writeTinyModel } from "../../tests/support/files/tiny-model"
import { describeHost } from "../../src/measure/host"
import { formatMachine } from "../report"
import { freePort, killAllServers, ServerProcess } from "../server-process"
import { compareMany, compareSingle, type Comparison, type Server } from "./served"
import { measureTokens, type TokenCosts } from "./tokens"

const HELP = `What grammars cost: whole answers of a server with and without, and each token of them in this process.

  bun run bench:grammar --model FILE.gguf [--binary FILE] [--repeat N] [--tokens N] [--large N] [--json FILE]

  --repeat N   answers of each kind (default 5); --tokens N: tokens of each schema (default 400)
  --large N    size of the vocabulary of a random model that is measured as well (default 262144; 0 = none)`

/** The goals: rates within a grammar divided by those without, and ms of one token by the size of the vocabulary. */
const GOALS = { single: 0.97, many: 0.9, small: { p99: 6, longest: 20 }, large: { p99: 30, longest: 100 } }

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    binary: { type: "string", default: resolve(import.meta.dir, "../../dist/xllm") },
    repeat: { type: "string", default: "5" },
    tokens: { type: "string", default: "400" },
    large: { type: "string", default: "262144" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
})

if (values.help || values.model === undefined) console.log(HELP)
else await run(resolve(values.model))

async function run(model: string): Promise<void> {
  process.once("exit", killAllServers)
  const folder = await mkdtemp(join(tmpdir(), "xllm-bench-grammar-"))
  try {
    const machine = describeHost()
    console.log(`Model: ${basename(model)}\nMachine: ${formatMachine(machine)}\n`)
    const comparisons = await compare(model, folder)
    printComparisons(comparisons)
    const tokens = await measureTokens(model, Number(values.tokens))
    printTokens(`Tokens of ${basename(model)}`, tokens, GOALS.small)
    const large =
      Number(values.large) > 0 ? await measureTokens(largeModel(folder), Number(values.tokens)) : []
    if (large.length > 0) printTokens(`Tokens of a random model with ${values.large}`, large, GOALS.large)
    if (values.json !== undefined)
      await Bun.write(values.json, JSON.stringify({ machine, model, comparisons, tokens, large }, null, 2))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compare(model: string, folder: string): Promise<readonly Comparison[]> {
  const signal = AbortSignal.timeout(1_200_000)
  const port = freePort()
  await using process = await ServerProcess.start(
    {
      command: [values.binary, "serve", model, "--port", `${port}`, "--ctx", "1024", "--slots", "16"],
      env: { HOME: folder },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "server.log"),
    },
    signal,
  )
  const server: Server = { url: process.url, model: basename(model, ".gguf"), signal }
  const repeat = Number(values.repeat)
  // The first answers load the model and compile the schemas.
  await compareSingle(server, 1)
  return [...(await compareSingle(server, repeat)), await compareMany(server, repeat)]
}

function largeModel(folder: string): string {
  const shape = { dim: 32, heads: 1, kvHeads: 1, layers: 1, ffn: 32, weights: "q8_0" } as const
  return writeTinyModel(join(folder, "large.gguf"), { ...shape, vocab: Number(values.large), words: true })
    .path
}

function printComparisons(comparisons: readonly Comparison[]): void {
  console.log("| answers | tokens/s without | within | ratio | goal | longest gap without | within |")
  console.log("| --- | --- | --- | --- | --- | --- | --- |")
  for (const { name, free, constrained, ratio, longestFreeGapMs, longestGapMs } of comparisons) {
    const goal = name.includes("streams") ? GOALS.many : GOALS.single
    const cells = [
      name,
      free.toFixed(1),
      constrained.toFixed(1),
      ratio.toFixed(3),
      `≥ ${goal}`,
      `${longestFreeGapMs.toFixed(1)} ms`,
      `${longestGapMs.toFixed(1)} ms`,
    ]
    console.log(`| ${cells.join(" | ")} |`)
  }
}

function printTokens(
  title: string,
  costs: readonly TokenCosts[],
  goal: { p99: number; longest: number },
): void {
  console.log(`\n${title} (goals: p99 ≤ ${goal.p99} ms, at most ${goal.longest} ms)\n`)
  console.log("| schema | compile ms | mean ms | p99 ms | longest ms | checks / token | candidates / token |")
  console.log("| --- | --- | --- | --- | --- | --- | --- |")
  for (const { name, tokens, compileMs, meanMs, p99Ms, longestMs, checks, candidates } of costs) {
    const numbers = [compileMs, meanMs, p99Ms, longestMs, checks / tokens, candidates / tokens]
    console.log(`| ${[name, ...numbers.map((each) => each.toFixed(3))].join(" | ")} |`)
  }
}
