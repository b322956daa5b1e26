import { processEnvironment } from "../config/environment"
import { asXllmError, traceOf } from "../errors/base"
import { UsageError } from "../errors/cli"
import { nearest } from "../lib/text/nearest"
import { version } from "../version"
import type { Command } from "./args/command"
import { columns } from "./args/help"
import { HIDDEN_COMMAND } from "./completion/completion-protocol"
import { failureText } from "./terminal/failure"
import { type Io, processIo } from "./terminal/io"

interface CommandEntry {
  readonly summary: string
  /** Loads the module only when it is needed, so that the program starts quickly. */
  load(): Promise<{ readonly command: Command }>
}

/** All public commands. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  serve: { summary: "Start the server", load: () => import("./commands/serve") },
  run: { summary: "Chat with a model, or ask it one question", load: () => import("./commands/run") },
  speak: { summary: "Text to speech", load: () => import("./commands/media/speak") },
  transcribe: { summary: "Transcribe audio", load: () => import("./commands/media/transcribe") },
  image: { summary: "Generate images", load: () => import("./commands/media/image") },
  pull: { summary: "Download a model", load: () => import("./commands/pull") },
  list: { summary: "List the models on disk", load: () => import("./commands/list") },
  show: { summary: "Show details of a model", load: () => import("./commands/show") },
  create: { summary: "Create a model from a Modelfile", load: () => import("./commands/create") },
  convert: {
    summary: "Convert models between Hugging Face's format and GGUF",
    load: () => import("./commands/weights/convert"),
  },
  quantize: { summary: "Make a model's weights smaller", load: () => import("./commands/weights/quantize") },
  imatrix: {
    summary: "Find out which weights matter, for smaller types",
    load: () => import("./commands/weights/imatrix"),
  },
  rm: { summary: "Delete models from disk", load: () => import("./commands/rm") },
  embed: { summary: "Turn texts into vectors", load: () => import("./commands/embed") },
  cp: { summary: "Copy a model under a new name (shares files)", load: () => import("./commands/cp") },
  keys: { summary: "Manage trusted signing keys", load: () => import("./commands/keys") },
  cache: {
    summary: "List the prompts kept on disk, or delete them",
    load: () => import("./commands/cache"),
  },
  ps: { summary: "List the models a server has loaded", load: () => import("./commands/ps") },
  licenses: {
    summary: "Show what this program contains, and under which licenses",
    load: () => import("./commands/licenses"),
  },
  benchmark: {
    summary: "Measure how fast models are",
    load: () => import("./commands/measure/benchmark"),
  },
  profile: {
    summary: "Find out what a model costs, and its best settings",
    load: () => import("./commands/measure/profile"),
  },
  compare: {
    summary: "Compare models by speed and quality",
    load: () => import("./commands/measure/compare"),
  },
  config: { summary: "Show the effective settings", load: () => import("./commands/config") },
  export: { summary: "Export a model to one file", load: () => import("./commands/export") },
  import: { summary: "Import models from files", load: () => import("./commands/import") },
  stop: { summary: "Unload a model from a server", load: () => import("./commands/stop") },
  completion: {
    summary: "Print a shell completion script",
    load: () => import("./commands/completion"),
  },
}

/** Other names that people try. */
const aliases: Readonly<Record<string, string>> = { ls: "list", start: "serve", draw: "image" }

/** Runs the command line `argv` (without the program's name). Every error becomes a line on stderr and exit code 1. */
export async function main(argv: readonly string[]): Promise<void> {
  const [name = "", ...rest] = argv
  if (name === "worker") return await startWorker(rest)
  const io = processIo()
  try {
    await dispatch(name, rest, io)
  } catch (error) {
    if (io.outputClosed.aborted) return
    io.writeError(`Error: ${failureText(error, io.environment)}\n`)
    process.exitCode = 1
  }
}

/** Ends the program on uncaught errors too, with our messages instead of the runtime's. */
export function watchUncaught(): void {
  const environment = processEnvironment()
  const end = (error: unknown) => {
    process.stderr.write(`Error: ${failureText(error, environment)}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", end)
  process.on("unhandledRejection", end)
}

/** Hidden: the server starts its workers with it. */
async function startWorker(argv: readonly string[]): Promise<void> {
  const { command } = await import("./worker")
  try {
    await command(argv)
  } catch (error) {
    const known = asXllmError(error)
    process.stderr.write(`Error: ${[known.message, traceOf(known)].filter(Boolean).join("\n")}\n`)
    // Immediately: the channel to the parent would keep a failed worker alive.
    process.exit(1)
  }
}

async function dispatch(name: string, rest: readonly string[], io: Io): Promise<void> {
  switch (name) {
    case "--version":
    case "-v":
    case "version":
      return io.write(await versionText())
    case "":
    case "--help":
    case "-h":
      return io.write(overview(io.columns))
    case "help":
      return io.write(
        rest[0] === undefined || asksForHelp(rest[0])
          ? overview(io.columns)
          : (await loadCommand(rest[0])).help(io.columns),
      )
    case HIDDEN_COMMAND:
      return await completeWords(rest, io)
    default:
      checkName(name)
      return await runNamed([name, ...rest], io)
  }
}

function asksForHelp(word: string): boolean {
  return word === "--help" || word === "-h" || word === "help"
}

/** Hidden: shells call it for completion. */
async function completeWords(words: readonly string[], io: Io): Promise<void> {
  const { complete } = await import("./completion/complete")
  await complete(words, io, {
    commands: Object.keys(commands),
    find: async (name) => {
      const known = aliases[name] ?? name
      return Object.hasOwn(commands, known) ? (await loadCommand(known)).usage : undefined
    },
  })
}

/** Loads the command's module only after citty has found it. */
async function runNamed(argv: readonly string[], io: Io): Promise<void> {
  const { runCommand } = await import("citty")
  const names = [...Object.keys(commands), ...Object.keys(aliases)]
  const subCommands = names.map((name) => [name, async () => (await loadCommand(name)).withIo(io)] as const)
  await runCommand({ subCommands: Object.fromEntries(subCommands) }, { rawArgs: [...argv] })
}

async function loadCommand(name: string): Promise<Command> {
  return (await checkName(name).load()).command
}

/** citty suggests no similar names, and accepts inherited properties such as `constructor`. @throws UsageError */
function checkName(name: string): CommandEntry {
  const known = aliases[name] ?? name
  const entry = Object.hasOwn(commands, known) ? commands[known] : undefined
  if (entry === undefined) throw unknownCommand(name)
  return entry
}

function unknownCommand(name: string): UsageError {
  const what = name.startsWith("-") ? "flag" : "command"
  const near = nearest(name, [...Object.keys(commands), "help", "--help", "--version"])
  const hint = near === undefined ? "see 'xllm --help'" : `did you mean '${near}'?`
  return new UsageError(`unknown ${what} '${name}'; ${hint}`)
}

function overview(terminal: number | undefined): string {
  const rows = Object.entries(commands).map(([name, { summary }]): [string, string] => [name, summary])
  return `Run LLMs, text-to-speech, speech-to-text and image models on this machine.

Usage:
  xllm COMMAND [ARGUMENTS] [FLAGS]

Commands:
${columns(rows, terminal)}
Flags:
${columns(
  [
    ["-h, --help", "show this help; 'xllm COMMAND --help' shows that of a command"],
    ["-v, --version", "show the versions of xLLM and llama.cpp"],
  ],
  terminal,
)}
Examples:
${columns(
  [
    ["xllm pull Qwen/Qwen3-0.6B-GGUF", "download a model"],
    ["xllm run ./model.gguf", "chat with a model"],
    ["xllm serve ./model.gguf", "serve it through an OpenAI-compatible HTTP API"],
  ],
  terminal,
)}`
}

async function versionText(): Promise<string> {
  const { llamaVersion } = await import("../native/llama-version")
  const { hasMtmd } = await import("../native/mtmd-files")
  const vision = (await hasMtmd()) ? "" : "without libmtmd: models see and hear nothing\n"
  return `xllm ${version}\nllama.cpp ${llamaVersion()}\n${vision}`
}
