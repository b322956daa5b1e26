import { dirname, resolve } from "node:path"
import { readSettings, type Settings } from "../../config/resolve"
import { pullSettings, storeSettings } from "../../config/sections/pull"
import { text } from "../../config/values"
import { UsageError } from "../../errors/cli"
import { Cancelled } from "../../errors/request"
import { FileFailed } from "../../errors/store"
import type { Modelfile } from "../../formats/modelfile/parse"
import { MODEL_TEXTS } from "../../limits"
import type { CreateEvent } from "../../store/create/create"
import type { PullEvent } from "../../store/pull/events"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { jobRunner } from "../jobs/run-job"
import { openStore } from "../models/open-store"
import { warnOfShadow } from "../models/shadowed"
import { readGiven } from "../terminal/given-file"
import type { Io } from "../terminal/io"
import { percentOf } from "../terminal/output"
import { watchSignals } from "../terminal/signals"
import { startSpinner } from "../terminal/spinner"

const DEFAULT_FILE = "Modelfile"

/** Stands for standard input. */
const STDIN = "-"

export const command = defineCommand({
  name: "create",
  summary: "Create a model from a Modelfile",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: `A Modelfile names the base (FROM: a model's name, a GGUF, or the folder of a model, also one from Hugging Face with safetensors) and what comes with the new model:
PARAMETER, TEMPLATE (Jinja, or a Go template as in Ollama's library), SYSTEM, MESSAGE, ADAPTER, LICENSE, REQUIRES. Paths
are relative to the Modelfile. A missing base is pulled; an existing model of that name is replaced.`,
  examples: [
    { line: "xllm create mario", does: "from ./Modelfile" },
    { line: "xllm create mario -f mario.Modelfile", does: "from another file" },
    { line: "xllm show llama3 --modelfile | xllm create copy -f -", does: "from standard input" },
  ],
  flags: {
    file: {
      value: text("FILE"),
      description: `the Modelfile (default ./${DEFAULT_FILE}); - = standard input`,
      short: "f",
    },
    quantize: { value: text("TYPE"), description: "quantize the weights, such as to Q4_K_M", short: "q" },
    json: switchFlag("print progress as JSON, one object per line"),
    ...grouped({ ...storeSettings, ...pullSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [model = ""], io }) {
    const [{ parseModelName }, { createModel }] = await Promise.all([
      import("../../store/names"),
      import("../../store/create/create"),
    ])
    const name = parseModelName(model)
    const { file, folder, modelfile } = await readModelfile(flags.file ?? DEFAULT_FILE, io)
    const settings = await readSettings(flags, io.environment)
    const store = await openStore(settings)
    const reporter = flags.json === true ? jsonReporter(io) : lineReporter(io)
    using signals = watchSignals()
    const pull = async (reference: string): Promise<string> => {
      reporter.stop()
      return await pullBase(reference, settings, flags.json === true, io, signals.signal)
    }
    try {
      const { signal } = signals
      const { report } = reporter
      const { quantize } = flags
      const made = await createModel({
        ...{ store, name, modelfile, file, folder, pull, signal, report },
        ...(quantize !== undefined && { quantize }),
        runJob: jobRunner(settings, "making the model"),
      })
      reporter.stop()
      await warnOfShadow(model, made, store, io)
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error
      io.writeError("stopped; nothing was made, and what was downloaded for it is kept\n")
      process.exitCode = signals.signal.reason === "SIGTERM" ? 143 : 130
    } finally {
      reporter.stop()
    }
  },
})

/** Downloads a model like `pull` does, and returns its name. */
async function pullBase(
  model: string,
  settings: Settings,
  wantsJson: boolean,
  io: Io,
  signal: AbortSignal,
): Promise<string> {
  const [{ createPuller }, { JsonView, pullProgress }] = await Promise.all([
    import("../pull/puller"),
    import("../pull/pull-progress"),
  ])
  const progress = wantsJson ? new JsonView(io.write) : pullProgress(io)
  try {
    const puller = await createPuller(settings)
    const onEvent = (event: PullEvent) => progress.show(event)
    return (await puller.pull({ model, onlyMissing: true, signal, onEvent })).name
  } finally {
    progress.end()
  }
}

interface ReadModelfile {
  /** Its name in messages. */
  readonly file: string
  readonly folder: string
  readonly modelfile: Modelfile
}

async function readModelfile(path: string, io: Io): Promise<ReadModelfile> {
  const [{ parseModelfile }, { decodeModelfile }] = await Promise.all([
    import("../../formats/modelfile/parse"),
    import("../../formats/modelfile/text"),
  ])
  if (path === STDIN) {
    const file = "standard input"
    return { file, folder: process.cwd(), modelfile: parseModelfile(await io.readInput()) }
  }
  const bytes = await readBytes(path, MODEL_TEXTS.modelfileBytes)
  const modelfile = parseModelfile(decodeModelfile(bytes, path))
  return { file: path, folder: dirname(resolve(path)), modelfile }
}

async function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await readGiven(path, "a Modelfile", maxBytes)
  } catch (error) {
    if (path !== DEFAULT_FILE || !(error instanceof FileFailed)) throw error
    throw new UsageError(`${error.message}; name another Modelfile with -f`)
  }
}

interface Reporter {
  report(event: CreateEvent): void
  stop(): void
}

/** Prints lines on stderr, and, on a terminal, the progress of reading a file. */
function lineReporter(io: Io): Reporter {
  let spinner: ReturnType<typeof startSpinner> | undefined
  const stop = (): void => {
    spinner?.stop()
    spinner = undefined
  }
  return {
    report(event) {
      if (event.type === "progress") {
        spinner ??= startSpinner(io)
        const percent = percentOf(event.doneBytes, event.totalBytes)
        return spinner.say(`reading ${event.file}: ${percent}%`)
      }
      stop()
      io.writeError(event.type === "status" ? `${event.status}\n` : `warning: ${event.message}\n`)
    },
    stop,
  }
}

function jsonReporter(io: Io): Reporter {
  let percent = -1
  return {
    report(event) {
      if (event.type === "progress") {
        const { file, doneBytes, totalBytes } = event
        const now = percentOf(doneBytes, totalBytes)
        if (now === percent) return
        percent = now
        return io.write(
          `${JSON.stringify({ status: `reading ${file}`, completed: doneBytes, total: totalBytes })}\n`,
        )
      }
      io.write(
        `${JSON.stringify(event.type === "status" ? { status: event.status } : { warning: event.message })}\n`,
      )
    },
    stop() {},
  }
}
