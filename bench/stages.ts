import { join } from "node:path"
import { type Endpoint } from "../src/measure/http/completion"
import { complete } from "./completion"
import { BenchFailure } from "./failure"
import type { Metric, Role } from "./load"
import { freePort, ServerProcess } from "./server-process"
import type { Sample } from "./statistics"
import type { Executable } from "./target"
import type { RandomText } from "../src/measure/http/words"

/** Longer than the cache that a server starts with has for one conversation. */
const LONG_TOKENS = 1240
const STREAM_TOKENS = 96
/** More than a conversation's share of the first cache. */
const GROWING_TOKENS = 640
/** The long prompt is sent after this many pieces of the running stream. */
const PIECES_BEFORE = 8

/** Where the time goes from nothing to a long conversation, and to the same one after a restart. */
export const stages = {
  name: "stages",
  title: "stage by stage, cold process",
  metrics: [
    { name: "start", label: "start to first 200", unit: "ms" },
    { name: "load", label: "rest of the load", unit: "ms" },
    { name: "firstToken", label: "first token after it", unit: "ms" },
    { name: "growth", label: "longest gap of a stream that outgrows its cache", unit: "ms" },
    {
      name: "beside",
      label: `the same of one beside a ${LONG_TOKENS}-token prompt, for which it grows`,
      unit: "ms",
    },
    { name: "grown", label: "the same beside an equal prompt, in the grown cache", unit: "ms" },
    { name: "save", label: "stop, with prompts saved", unit: "ms" },
    { name: "restore", label: `the same ${LONG_TOKENS}-token prompt after a restart`, unit: "ms" },
  ] satisfies readonly Metric[],
  peers: [] satisfies readonly Role[],
}

/** The fields that are read of an answer of our own server. */
interface Answer {
  readonly timings: {
    readonly load_ms: number
    readonly prompt_ms: number
    readonly cache_disk_n?: number
  }
}

interface LoadedBody {
  readonly models: readonly { readonly counters: { readonly kv_growths: number } }[]
}

export interface StagesInput {
  readonly executable: Executable
  readonly modelPath: string
  /** What the server calls the model. */
  readonly model: string
  /** An empty folder: the server's home. */
  readonly home: string
  readonly signal: AbortSignal
}

/** Starts a server twice, and takes the time of each stage. */
export async function measureStages(input: StagesInput, text: RandomText): Promise<Sample> {
  const long = text.next(LONG_TOKENS)
  const another = text.next(LONG_TOKENS)
  const first = await start(input)
  const endpoint = { url: first.url, model: input.model, signal: input.signal }
  let begun: Omit<Sample, "growth" | "save" | "restore">
  try {
    const sentAt = performance.now()
    const { timings } = await ask(endpoint, text.next(16))
    const firstToken = performance.now() - sentAt - timings.load_ms
    const beside = await gapBeside(endpoint, text, long)
    await checkGrowths(endpoint)
    const grown = await gapBeside(endpoint, text, another)
    begun = { start: first.startMs, load: timings.load_ms, firstToken, beside, grown }
  } catch (error) {
    await first[Symbol.asyncDispose]()
    throw error
  }
  const stoppedAt = performance.now()
  await first[Symbol.asyncDispose]()
  const save = performance.now() - stoppedAt
  const restore = await restoreMs(input, text, long)
  return { ...begun, growth: await growthGap(input, text), save, restore }
}

async function start({ executable, modelPath, home, signal }: StagesInput): Promise<ServerProcess> {
  const port = freePort()
  const command = [...executable.serve(port), modelPath]
  const env = { ...executable.env, XLLM_HOME: home }
  const server = { command, env, port, healthPath: executable.healthPath, logFile: join(home, "server.log") }
  return await ServerProcess.start(server, signal)
}

/** A stream runs while a long prompt arrives, for which the cache has no room the first time. */
async function gapBeside(endpoint: Endpoint, text: RandomText, long: string): Promise<number> {
  const underWay = Promise.withResolvers<void>()
  const stream = complete(endpoint, { kind: "text", text: text.next(16) }, STREAM_TOKENS, (pieces) => {
    if (pieces === PIECES_BEFORE) underWay.resolve()
  })
  stream.catch(underWay.reject)
  await underWay.promise
  const [{ textAt }] = await Promise.all([stream, ask(endpoint, long)])
  return longestGap(textAt)
}

/** A stream alone, which grows longer than its share. */
async function growthGap(input: StagesInput, text: RandomText): Promise<number> {
  await using server = await start(input)
  const endpoint = { url: server.url, model: input.model, signal: input.signal }
  const { textAt } = await complete(endpoint, { kind: "text", text: text.next(16) }, GROWING_TOKENS)
  await checkGrowths(endpoint)
  return longestGap(textAt)
}

function longestGap(textAt: readonly number[]): number {
  return Math.max(0, ...textAt.slice(1).map((at, index) => at - (textAt[index] ?? at)))
}

async function checkGrowths({ url, signal }: Endpoint): Promise<void> {
  const response = await fetch(`${url}/v0/ps`, { signal })
  // Our own server's answer has this type.
  const { models } = (await response.json()) as LoadedBody
  if (!models.some(({ counters }) => counters.kv_growths > 0))
    throw new BenchFailure("the KV cache did not grow; nothing to measure")
}

/** Reading the prompt from disk and evaluating what is left of it. */
async function restoreMs(input: StagesInput, text: RandomText, long: string): Promise<number> {
  await using server = await start(input)
  const endpoint = { url: server.url, model: input.model, signal: input.signal }
  await ask(endpoint, text.next(16))
  const { timings } = await ask(endpoint, long)
  if (timings.cache_disk_n === undefined) throw new BenchFailure("the prompt was not read from disk")
  return timings.prompt_ms
}

async function ask({ url, model, signal }: Endpoint, prompt: string): Promise<Answer> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt, max_tokens: 1, temperature: 0 }),
    signal,
  })
  if (!response.ok) throw new BenchFailure(`the server answered ${response.status}: ${await response.text()}`)
  // Our own server's answer has this type.
  return (await response.json()) as Answer
}
