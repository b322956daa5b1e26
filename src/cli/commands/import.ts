import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { homedir } from "node:os"
import { basename, join, resolve } from "node:path"
import type { Environment } from "../../config/environment"
import { readSettings, type Settings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { text } from "../../config/values"
import type { ModelSummary } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import {
  InvalidModelfile,
  InvalidModelFile,
  InvalidModelName,
  UnsupportedModelfile,
} from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { parseSplitName } from "../../formats/gguf/split"
import type { Store } from "../../store/contract"
import type { ModelName } from "../../store/names"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { jobRunner } from "../jobs/run-job"
import { openStore } from "../models/open-store"
import { warnOfShadow } from "../models/shadowed"
import type { Io } from "../terminal/io"
import { formatBytes, percentOf, printable, toJson } from "../terminal/output"
import { watchSignals } from "../terminal/signals"
import { type Spinner, startSpinner } from "../terminal/spinner"

export const command = defineCommand({
  name: "import",
  summary: "Import models from files",
  words: "FILE",
  minimumWords: 0,
  maximumWords: 1,
  details: `FILE is an archive written by 'xllm export' (- for standard input), a GGUF, or a folder: of a speech or image model, or of a
text model from Hugging Face, which is converted.
Everything is verified before anything is installed.

With --from-ollama, all models of a local Ollama are installed; FILE is then its models directory (default: OLLAMA_MODELS
or ~/.ollama/models). The files are hard-linked where the file system allows it.`,
  examples: [
    { line: "xllm import my-model.tar.zst", does: "install it under its original name" },
    { line: "xllm import ./model.gguf --name mine:v1", does: "install a copy of a file as a model" },
    { line: "ssh box xllm export my-model - | xllm import -", does: "from another machine" },
    { line: "xllm import --from-ollama", does: "the models of a local Ollama" },
  ],
  flags: {
    name: {
      value: text("NAME"),
      description: "name of the model (default: the one in the archive, or the file's)",
    },
    force: switchFlag("replace existing models of the same name", "f"),
    fromOllama: switchFlag("import the models of a local Ollama"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [file], io }) {
    const { parseModelName } = await import("../../store/names")
    const name = flags.name === undefined ? undefined : parseModelName(flags.name)
    const settings = await readSettings(flags, io.environment)
    const store = await openStore(settings)
    using signals = watchSignals()
    const spinner = startSpinner(io)
    const imported: string[] = []
    const skipped: Skipped[] = []
    const task: Task = {
      store,
      settings,
      name,
      replace: flags.force === true,
      io,
      spinner,
      signal: signals.signal,
      imported(model) {
        imported.push(model)
        if (!flags.json) io.write(`imported '${model}'\n`)
      },
      skipped(model, reason) {
        skipped.push({ model, reason })
        if (!flags.json) io.writeError(`skipped '${printable(model)}': ${printable(reason)}\n`)
      },
    }
    try {
      if (flags.fromOllama === true) await importAll(file ?? (await ollamaFolder(io.environment)), task)
      else if (file === undefined) throw new UsageError("import needs a FILE, or --from-ollama")
      else await importOne(file, task)
    } finally {
      spinner.stop()
    }
    if (flags.json) io.write(toJson({ imported, skipped }))
  },
})

/** A model that was not imported, and the reason. */
interface Skipped {
  readonly model: string
  readonly reason: string
}

interface Task {
  readonly store: Store
  readonly settings: Settings
  readonly name: ModelName | undefined
  /** Replace models of the same names? */
  readonly replace: boolean
  readonly io: Io
  readonly spinner: Spinner
  readonly signal: AbortSignal
  /** Called for each imported model. */
  imported(model: string): void
  /** Called for each skipped model; the others continue. */
  skipped(model: string, reason: string): void
}

async function importOne(file: string, task: Task): Promise<void> {
  const isArchive = file === "-" || (await isFileOtherThanGguf(file))
  const imported = isArchive ? await importFrom(file, task) : await copyIn(resolve(file), task)
  const { name } = imported
  task.spinner.stop()
  task.imported(name)
  await warnOfShadow(name.replace(/:latest$/, ""), imported, task.store, task.io)
}

/** @throws FileFailed if there is no such file */
async function isFileOtherThanGguf(path: string): Promise<boolean> {
  try {
    const facts = await stat(path)
    if (facts.isDirectory()) return false
    // Bytes read from a pipe would be lost to later readers.
    return !facts.isFile() || (await Bun.file(path).slice(0, 4).text()) !== "GGUF"
  } catch (error) {
    throw new FileFailed("read", path, error)
  }
}

async function importFrom(file: string, { name, io, spinner, ...task }: Task): Promise<ModelSummary> {
  const { importArchive } = await import("../../store/archive/import")
  if (file === "-" && io.stdinIsTerminal) {
    throw new UsageError("refusing to read an archive from a terminal; pipe it in, or name a FILE")
  }
  const facts = file === "-" ? undefined : await stat(file)
  // The size of a pipe's content is unknown.
  const total = facts?.isFile() ? facts.size : undefined
  return await importArchive({
    ...task,
    archive: file === "-" ? "stdin" : file,
    bytes: file === "-" ? io.inputBytes() : readBytes(file),
    ...(name !== undefined && { name }),
    onProgress: (done) => spinner.say(`importing ${partOf(done, total)}`),
  })
}

/**
 * Opened on the first read, so that nothing stays open if it is never read.
 * @throws FileFailed
 */
async function* readBytes(file: string): AsyncGenerator<Uint8Array> {
  try {
    // A file stream yields bytes.
    yield* createReadStream(file) as AsyncIterable<Uint8Array>
  } catch (error) {
    throw new FileFailed("read", file, error)
  }
}

/** @throws UsageError if the file's name is not a valid model name */
function nameFrom(path: string, parse: (text: string) => ModelName): ModelName {
  try {
    return parse(nameOfFile(path))
  } catch (error) {
    if (!(error instanceof InvalidModelName)) throw error
    throw new UsageError(`${error.message}; choose another one with --name`)
  }
}

/** Copies a GGUF or a folder. */
async function copyIn(
  path: string,
  { store, settings, name, replace, signal, spinner }: Task,
): Promise<ModelSummary> {
  const [{ createModel }, { parseModelName }] = await Promise.all([
    import("../../store/create/create"),
    import("../../store/names"),
  ])
  const created = createModel({
    store,
    name: name ?? nameFrom(path, parseModelName),
    replace,
    signal,
    modelfile: { instructions: [{ type: "from", value: path, line: 1 }], problems: [], warnings: [] },
    file: path,
    folder: path,
    runJob: jobRunner(settings, "converting"),
    report(event) {
      if (event.type === "progress") spinner.say(`importing ${partOf(event.doneBytes, event.totalBytes)}`)
    },
  })
  return await created.catch((error: unknown) => {
    throw withoutModelfile(error, path)
  })
}

/** The Modelfile that stands for a file is generated, so no message names a line of it. */
function withoutModelfile(error: unknown, path: string): unknown {
  if (!(error instanceof InvalidModelfile || error instanceof UnsupportedModelfile)) return error
  const [reason = ""] = error.message.split("\n")
  return new InvalidModelFile(path, reason.replace(`${path}:1: `, "").replace(`FROM ${path}: `, ""))
}

/** For a split model: the part of the name that its files share. */
function nameOfFile(path: string): string {
  const file = basename(path)
  return parseSplitName(file)?.stem ?? file.replace(/\.gguf$/i, "")
}

async function importAll(folder: string, { name, spinner, ...task }: Task): Promise<void> {
  if (name !== undefined) throw new UsageError("--name names one model, and --from-ollama imports all")
  const { importFromOllama } = await import("../../store/archive/from-ollama")
  let count = 0
  await importFromOllama({
    ...task,
    folder: resolve(folder),
    report(event) {
      if (event.type === "progress") {
        return spinner.say(`importing ${event.model}: ${partOf(event.done, event.total)}`)
      }
      if (event.type === "skipped") return task.skipped(event.model, event.reason)
      count++
      task.imported(event.model)
    },
  })
  if (count === 0) throw new UsageError(`no model was imported from ${folder}`)
}

/** Ollama's models folder: from its own variable, in the home directory, or in its service's home. */
async function ollamaFolder(environment: Environment): Promise<string> {
  const said = environment["OLLAMA_MODELS"]
  if (said !== undefined && said !== "") return said
  const folders = [join(homedir(), ".ollama/models"), "/usr/share/ollama/.ollama/models"]
  for (const folder of folders) {
    if (
      await stat(folder).then(
        () => true,
        () => false,
      )
    )
      return folder
  }
  throw new UsageError(`no Ollama models found in ${folders.join(" or ")}; name the models directory`)
}

function partOf(done: number, total: number | undefined): string {
  if (total === undefined) return formatBytes(done)
  return `${percentOf(done, total)}% of ${formatBytes(total)}`
}
