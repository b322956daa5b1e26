/** `bun bench/vision.ts --model M [--llama-server PATH]`: what a picture costs, and what it costs others. */
import { mkdtemp, rm, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { readGgufHeader } from "../src/formats/gguf/read"
import { type Endpoint, type SentPrompt, timeToFirstToken } from "../src/measure/http/completion"
import { median } from "../src/measure/statistics"
import { tiledPicture } from "../tests/support/vision/pictures"
import { writeTower } from "../tests/support/vision/tiny-projectors"
import { complete } from "./completion"
import { freePort, ServerProcess } from "./server-process"

const HELP = `A question about a picture, another about the same, and a stream beside one: ours and the peer's by turns.

  bun bench/vision.ts --model FILE [--llama-server FILE] [--projector FILE] [--binary FILE] [--size N] [--repeat N]

Without a projector one with random weights is made for the model: 8 layers, 512 wide, 1,024 patches of a picture. What is
said is nonsense then, but costs the same.`

const TOKENS = 4
/** Of the stream beside which a picture is encoded. */
const STREAM_TOKENS = 400
const PIECES_BEFORE = 20
const signal = AbortSignal.timeout(3_600_000)

interface Costs {
  /** Milliseconds to the first token of the first question about a picture, and of the second. */
  readonly first: number
  readonly second: number
  /** The longest milliseconds between two pieces of another stream meanwhile, and between others. */
  readonly gap: number
  readonly usualGap: number
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    projector: { type: "string" },
    "llama-server": { type: "string" },
    binary: { type: "string", default: resolve(import.meta.dir, "../dist/xllm") },
    size: { type: "string", default: "512" },
    repeat: { type: "string", default: "5" },
    help: { type: "boolean", default: false },
  },
})

if (values.help || values.model === undefined) console.log(HELP)
else await compare(resolve(values.model), Number(values.size), Number(values.repeat))

async function compare(model: string, size: number, repeat: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "xllm-vision-"))
  try {
    const models = join(folder, "models", "seeing")
    await Bun.$`mkdir -p ${models}`.quiet()
    await symlink(model, join(models, "seeing.gguf"))
    const projector = join(models, "mmproj-seeing.gguf")
    if (values.projector === undefined) writeTower(projector, towerFor(model))
    else await symlink(resolve(values.projector), projector)
    await using ours = await startOurs(folder)
    const servers: [string, Endpoint, Costs[]][] = [
      ["xLLM", { url: ours.url, model: "seeing/seeing", signal }, []],
    ]
    await using peer =
      values["llama-server"] === undefined
        ? undefined
        : await startPeer(values["llama-server"], model, projector, folder)
    if (peer !== undefined) servers.push(["llama-server", { url: peer.url, model: "any", signal }, []])
    for (const [, endpoint] of servers) await complete(endpoint, question(size, 0, "warm up"), TOKENS)
    for (let round = 1; round <= repeat; round++)
      for (const [, endpoint, costs] of servers) costs.push(await measure(endpoint, size, round))
    report(servers.map(([name, , costs]) => [name, costs]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(endpoint: Endpoint, size: number, round: number): Promise<Costs> {
  const first = timeToFirstToken(await complete(endpoint, question(size, round, "What is this?"), TOKENS))
  const second = timeToFirstToken(await complete(endpoint, question(size, round, "Which colours?"), TOKENS))
  let other: Promise<{ readonly sentAt: number; readonly textAt: readonly number[] }> | undefined
  const stream = await complete(
    endpoint,
    { kind: "text", text: `Once upon a time, ${round}` },
    STREAM_TOKENS,
    (pieces) => {
      if (pieces === PIECES_BEFORE)
        other = complete(endpoint, question(size, -round, "What is that?"), TOKENS)
    },
  )
  const picture = await other
  if (picture === undefined) throw new Error("the stream ended before the picture was sent")
  const until = picture.textAt[0] ?? Infinity
  const gaps = stream.textAt.slice(1).map((at, index) => ({ at, ms: at - (stream.textAt[index] ?? at) }))
  const longest = (chosen: readonly { readonly ms: number }[]) => Math.max(0, ...chosen.map(({ ms }) => ms))
  const isMeanwhile = ({ at, ms }: { readonly at: number; readonly ms: number }) =>
    at > picture.sentAt && at - ms < until
  return {
    first,
    second,
    gap: longest(gaps.filter(isMeanwhile)),
    usualGap: longest(gaps.filter((gap) => !isMeanwhile(gap))),
  }
}

/** The picture first, so that two questions about one have it in common. */
function question(size: number, seed: number, text: string): SentPrompt {
  const url = `data:image/bmp;base64,${Buffer.from(tiledPicture(size, size, seed)).toString("base64")}`
  const content = [{ type: "image_url", image_url: { url } } as const, { type: "text", text } as const]
  return { kind: "chat", messages: [{ role: "user", content }] }
}

function report(servers: readonly (readonly [name: string, costs: readonly Costs[]])[]): void {
  const medians = servers.map(([name, costs]) => {
    const of = (key: keyof Costs) => median(costs.map((cost) => cost[key]))
    const all = { first: of("first"), second: of("second"), gap: of("gap"), usualGap: of("usualGap") }
    const ms = (value: number) => `${value.toFixed(0)} ms`
    console.log(
      `${name}: first token after ${ms(all.first)}; of the second question after ${ms(all.second)} ` +
        `(${(all.second / all.first).toFixed(3)} × the first); the longest gap in another stream ${ms(all.gap)}, ` +
        `otherwise ${ms(all.usualGap)}`,
    )
    return all
  })
  const [ours, peer] = medians
  if (ours !== undefined && peer !== undefined)
    console.log(
      `xLLM / llama-server: first token ${(ours.first / peer.first).toFixed(2)}, gap ${(ours.gap / peer.gap).toFixed(2)}`,
    )
}

function towerFor(model: string) {
  const { metadata } = readGgufHeader(model)
  const architecture = String(metadata.get("general.architecture"))
  const projection = Number(metadata.get(`${architecture}.embedding_length`))
  return { size: 512, patch: 16, width: 512, feedForward: 2048, heads: 8, layers: 8, projection }
}

function startOurs(folder: string): Promise<ServerProcess> {
  const port = freePort()
  const serve = ["serve", "--port", `${port}`, "--models-dir", join(folder, "models"), "--ctx", "4096"]
  return ServerProcess.start(
    {
      command: [values.binary, ...serve, "--slots", "2"],
      env: { XLLM_HOME: join(folder, "home") },
      port,
      healthPath: "/v0/health/ready",
      logFile: join(folder, "ours"),
    },
    signal,
  )
}

function startPeer(
  program: string,
  model: string,
  projector: string,
  folder: string,
): Promise<ServerProcess> {
  const port = freePort()
  const files = ["-m", model, "--mmproj", projector]
  return ServerProcess.start(
    {
      command: [
        program,
        ...files,
        "--port",
        `${port}`,
        "-c",
        "8192",
        "-np",
        "2",
        "--image-max-tokens",
        "1024",
      ],
      port,
      healthPath: "/health",
      logFile: join(folder, "peer"),
    },
    signal,
  )
}
