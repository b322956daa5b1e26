/** `bun run bench:pair --model M --llama-server PATH`: two models that generate at the same time on the same cores. */
import { mkdtemp, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Completion, type Endpoint } from "../src/measure/http/completion"
import { complete } from "./completion"
import { freePort, ServerProcess } from "./server-process"

const HELP = `One stream alone, then two streams of two models at once: ours in one server, the peer's in two.

  bun run bench:pair --model FILE [--llama-server FILE] [--binary FILE] [--repeat N]`

const TOKENS = 200
const NAMES = ["first", "second"] as const
const signal = AbortSignal.timeout(1_200_000)

interface Pair {
  readonly alone: number
  /** The sum of both. */
  readonly together: number
  /** The slower one. */
  readonly least: number
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    "llama-server": { type: "string" },
    binary: { type: "string", default: resolve(import.meta.dir, "../dist/xllm") },
    repeat: { type: "string", default: "3" },
    help: { type: "boolean", default: false },
  },
})

if (values.help || values.model === undefined) console.log(HELP)
else await compare(resolve(values.model), values["llama-server"], Number(values.repeat))

async function compare(model: string, llamaServer: string | undefined, repeat: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-pair-"))
  try {
    for (const name of NAMES) await symlink(model, join(folder, `${name}.gguf`))
    await using ours = await startOurs(folder)
    report("xLLM", await measure(ours.endpoints, repeat))
    if (llamaServer === undefined) return
    await using peers = await startPeers(llamaServer, model, folder)
    report("llama-server", await measure(peers.endpoints, repeat))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Medians over the repetitions, in tokens/s. */
async function measure(endpoints: readonly [Endpoint, Endpoint], repeat: number): Promise<Pair> {
  await Promise.all(endpoints.map((endpoint) => stream(endpoint, "warm up")))
  const pairs: Pair[] = []
  for (let round = 0; round < repeat; round++) {
    const alone = rate(await stream(endpoints[0], `alone ${round}`))
    const both = await Promise.all(endpoints.map((endpoint) => stream(endpoint, `together ${round}`)))
    const rates = both.map(rate)
    pairs.push({ alone, together: rates.reduce((a, b) => a + b), least: Math.min(...rates) })
  }
  const median = (of: (pair: Pair) => number): number => pairs.map(of).sort((a, b) => a - b)[repeat >> 1] ?? 0
  return { alone: median((p) => p.alone), together: median((p) => p.together), least: median((p) => p.least) }
}

function stream(endpoint: Endpoint, start: string): Promise<Completion> {
  return complete(endpoint, { kind: "text", text: `Once upon a time, ${start}` }, TOKENS)
}

/** Tokens/s after the first token. */
function rate({ textAt, finishedAt, completionTokens }: Completion): number {
  return ((completionTokens - 1) / (finishedAt - (textAt[0] ?? 0))) * 1000
}

function report(label: string, { alone, together, least }: Pair): void {
  const share = (value: number): string => `${(value / alone).toFixed(2)} × alone`
  console.log(
    `${label}: alone ${alone.toFixed(1)} tokens/s; two models at once ${together.toFixed(1)} (${share(together)}), ` +
      `the slower ${least.toFixed(1)} (${share(least)})`,
  )
}

interface Servers extends AsyncDisposable {
  readonly endpoints: readonly [Endpoint, Endpoint]
}

async function startOurs(folder: string): Promise<Servers> {
  const port = freePort()
  const command = [
    values.binary,
    "serve",
    ...NAMES,
    "--port",
    `${port}`,
    "--models-dir",
    folder,
    "--ctx",
    "2048",
  ]
  const server = await ServerProcess.start(
    {
      command,
      env: { XLLM_HOME: join(folder, "home") },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "ours"),
    },
    signal,
  )
  const endpoint = (model: string): Endpoint => ({ url: server.url, model, signal })
  return {
    endpoints: [endpoint(NAMES[0]), endpoint(NAMES[1])],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function startPeers(program: string, model: string, folder: string): Promise<Servers> {
  const start = (name: string): Promise<ServerProcess> => {
    const port = freePort()
    const command = [program, "-m", model, "--port", `${port}`, "-c", "4096"]
    return ServerProcess.start({ command, port, healthPath: "/health", logFile: join(folder, name) }, signal)
  }
  const [first, second] = [await start("peer-1"), await start("peer-2")]
  return {
    endpoints: [
      { url: first.url, model: "any", signal },
      { url: second.url, model: "any", signal },
    ],
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]()
      await second[Symbol.asyncDispose]()
    },
  }
}
