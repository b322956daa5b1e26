import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { BenchFailure } from "./failure"

export const HELP = `Measures xLLM and a peer with the same requests, one after the other, and prints the ratios.

  bun run bench --model FILE [--llama-server PATH] [--llama-bench PATH] [--json FILE]
  bun run bench --model FILE --peer http://127.0.0.1:8080

  --model FILE          the GGUF that every server that is started here gets
  --binary PATH         xLLM's executable (default: dist/xllm where it exists, else the sources)
  --ours URL            an xLLM that runs already, instead
  --ours-args "…"       more arguments for 'xllm serve'
  --skip-ours           only the peers
  --peer URL            any OpenAI-compatible server that runs already
  --peer-model NAME     what it calls the model (default: the first of its /v1/models)
  --llama-server PATH   start llama-server as the peer, by itself and with -np 16
  --llama-server-args "…"   more arguments for it
  --adapter FILE        a LoRA adapter that every server that is started here gets, for the load 'adapters'
  --llama-bench PATH    also measure generation without any server
  --threads N           llama-bench's threads (default: all cores)
  --repeat N            repetitions of each load; medians are shown (default 3)
  --load NAME           only this load; may be repeated
  --seed N              of the random prompts (default: a fresh one)
  --json FILE           write everything that was measured
  --help

  bun run bench --model model.gguf --llama-server ../llama.cpp/build/bin/llama-server --json bench.json
`

export interface Options {
  readonly model: string
  readonly ours:
    { readonly url: string } | { readonly command: readonly string[]; readonly binary?: string } | null
  readonly oursArguments: readonly string[]
  readonly peer: { readonly url: string; readonly model?: string } | undefined
  readonly llamaServer: string | undefined
  readonly llamaServerArguments: readonly string[]
  readonly llamaBench: string | undefined
  /** Is there an adapter? */
  readonly hasAdapter: boolean
  readonly threads: number
  readonly repeat: number
  /** Empty: all. */
  readonly loads: readonly string[]
  readonly seed: number
  readonly json: string | undefined
}

const FLAGS = {
  model: { type: "string" },
  binary: { type: "string" },
  ours: { type: "string" },
  "ours-args": { type: "string" },
  "skip-ours": { type: "boolean" },
  peer: { type: "string" },
  "peer-model": { type: "string" },
  "llama-server": { type: "string" },
  "llama-server-args": { type: "string" },
  "llama-bench": { type: "string" },
  adapter: { type: "string" },
  threads: { type: "string" },
  repeat: { type: "string" },
  load: { type: "string", multiple: true },
  seed: { type: "string" },
  json: { type: "string" },
  help: { type: "boolean" },
} as const

/**
 * Parses the command line; undefined if it asks for help.
 * @param root the repository, where xLLM is looked for
 * @throws BenchFailure naming the flag
 */
export async function parseOptions(
  argv: readonly string[],
  defaults: { readonly root: string; readonly cores: number; readonly seed: number },
): Promise<Options | undefined> {
  const flags = readFlags(argv)
  if (flags.help) return undefined
  if (flags.model === undefined) throw new BenchFailure("--model FILE is needed; see --help")
  if (flags.peer !== undefined && flags["llama-server"] !== undefined)
    throw new BenchFailure("--peer and --llama-server are two ways to name the same peer; give one")
  const adapter = flags.adapter && (await existingFile("--adapter", flags.adapter))
  const lora = adapter ? ["--lora", adapter] : []
  return {
    hasAdapter: lora.length > 0,
    model: await existingFile("--model", flags.model),
    ours: await chooseOurs(flags, defaults.root),
    oursArguments: [...splitWords(flags["ours-args"]), ...lora],
    peer: flags.peer === undefined ? undefined : peerAt(flags.peer, flags["peer-model"]),
    llamaServer: flags["llama-server"] && (await existingFile("--llama-server", flags["llama-server"])),
    llamaServerArguments: [...splitWords(flags["llama-server-args"]), ...lora],
    llamaBench: flags["llama-bench"] && (await existingFile("--llama-bench", flags["llama-bench"])),
    threads: wholeNumber("--threads", flags.threads, defaults.cores),
    repeat: wholeNumber("--repeat", flags.repeat, 3),
    loads: flags.load ?? [],
    seed: wholeNumber("--seed", flags.seed, defaults.seed),
    json: flags.json && resolve(flags.json),
  }
}

type Flags = ReturnType<typeof readFlags>

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new BenchFailure(`${error instanceof Error ? error.message : error}; see --help`)
  }
}

async function chooseOurs(flags: Flags, root: string): Promise<Options["ours"]> {
  if (flags["skip-ours"]) return null
  if (flags.ours !== undefined) return { url: httpUrl("--ours", flags.ours) }
  if (flags.binary !== undefined) {
    const binary = await existingFile("--binary", flags.binary)
    return { command: [binary], binary }
  }
  const built = resolve(root, "dist/xllm")
  if (await Bun.file(built).exists()) return { command: [built], binary: built }
  return { command: [process.execPath, resolve(root, "src/index.ts")] }
}

function peerAt(url: string, model: string | undefined): { url: string; model?: string } {
  return { url: httpUrl("--peer", url), ...(model !== undefined && { model }) }
}

function httpUrl(flag: string, value: string): string {
  const url = URL.parse(value)
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw new BenchFailure(`${flag} must be a URL such as http://127.0.0.1:8080, got ${value}`)
  return url.href.replace(/(\/v1)?\/*$/, "")
}

async function existingFile(flag: string, path: string): Promise<string> {
  const absolute = resolve(path)
  if (!(await Bun.file(absolute).exists())) throw new BenchFailure(`${flag}: no file ${absolute}`)
  return absolute
}

function wholeNumber(flag: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1)
    throw new BenchFailure(`${flag} must be a whole number from 1 up, got ${value}`)
  return number
}

function splitWords(value: string | undefined): readonly string[] {
  return value?.split(/\s+/).filter((word) => word !== "") ?? []
}
