import { mkdir, readdir, realpath, rename, rm } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { readSettings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { integer, text } from "../../config/values"
import {
  findQuantization,
  QUANTIZATIONS,
  type Quantization,
  type QuantizeOptions,
} from "../../domain/quantization"
import type { QuantizeResult } from "../../engine/jobs/quantize"
import { UsageError } from "../../errors/cli"
import { Cancelled } from "../../errors/request"
import { FileFailed } from "../../errors/store"
import { type GgufHeader, tensorTypeId } from "../../formats/gguf/types"
import { defineCommand } from "../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../args/flags"
import { isPath } from "../args/model-path"
import { openExistingStore } from "../models/models-folder"
import { workerCommand } from "../serve/compose"
import { formatBytes, percentOf, printable, table, toJson } from "../terminal/output"
import { exitCodeOf, watchSignals } from "../terminal/signals"
import { type Spinner, startSpinner } from "../terminal/spinner"

const DEFAULT_TYPE = "Q4_K_M"

const flags = {
  output: {
    value: text("FILE"),
    description: "the file to write, or the folder for several types (default: beside the others here)",
    short: "o",
  },
  imatrix: { value: text("FILE"), description: "an importance matrix, as llama-imatrix writes it (GGUF)" },
  tensorType: {
    value: text("PATTERN=TYPE"),
    description: "the type of tensors whose names match a regular expression; may be repeated",
    combine: (earlier: string, later: string) => `${earlier}\n${later}`,
  },
  outputTensorType: { value: text("TYPE"), description: "the type of the output tensor" },
  tokenEmbeddingType: { value: text("TYPE"), description: "the type of the token embeddings" },
  pure: switchFlag("give all tensors the same type, and none a better one"),
  allowRequantize: switchFlag("quantize weights that are quantized already, which loses more"),
  keepSplit: switchFlag("write as many files as the model has"),
  threads: { value: integer("N", 1, 1024), description: "threads (default: one per core)", short: "t" },
  dryRun: switchFlag("only show how large the result would be"),
  force: switchFlag("replace files that exist"),
  json: switchFlag("print JSON"),
  ...grouped(storeSettings, "Flags"),
  ...configFlag,
}

type Flags = FlagValues<typeof flags>

export const command = defineCommand({
  name: "quantize",
  summary: "Make a model smaller",
  words: "MODEL [TYPE…]",
  minimumWords: 1,
  details: `Writes the weights of MODEL (a GGUF, or a model's name) with fewer bits each. TYPE is ${DEFAULT_TYPE} unless given; from
large to small there are ${namesOf(false)}.

These need an importance matrix (--imatrix): ${namesOf(true)}. MXFP4 is for the experts of models that have some.

Quantize the original weights (F32, F16, BF16): what was lost once does not come back.`,
  examples: [
    { line: "xllm quantize ./model-F16.gguf", does: `writes ./model.${DEFAULT_TYPE}.gguf` },
    { line: "xllm quantize ./model-F16.gguf Q8_0 -o small.gguf", does: "another type and file" },
    { line: "xllm quantize my-model Q4_K_M,Q6_K --dry-run", does: "how large two types would be" },
  ],
  flags,
  async run({ flags, words: [model = "", ...words], io }) {
    const types = chosenTypes(words, flags)
    const options = optionsOf(flags)
    const settings = await readSettings(flags, io.environment)
    const source = isPath(model)
      ? resolve(model)
      : await (await openExistingStore(settings, io)).store.resolve(model).then(({ path }) => path)
    const [{ quantize }, { readGgufHeader }] = await Promise.all([
      import("../../engine/jobs/quantize"),
      import("../../formats/gguf/read"),
    ])
    const header = readSource(source, model, readGgufHeader)
    const targets = targetsOf(types, source, model, flags.output)
    if (!options.dryRun) await checkTargets(targets, source, flags.force === true)
    const worker = { command: workerCommand("quantize"), runtimeFolder: settings.paths.runtime }
    const threads = flags.threads ?? availableParallelism()
    using signals = watchSignals()
    const spinner = startSpinner(io)
    const done: Row[] = []
    try {
      for (const { type, path } of targets) {
        const job = { source, quantization: type, threads }
        const say = sayingProgress(spinner, type.name)
        const plan = { ...job, target: path, options: { ...options, dryRun: true } }
        const planned = await quantize(worker, plan, () => {}, signals.signal)
        // The header stays about as large as it is.
        const plannedBytes = planned.bytes + header.dataOffset
        const files = options.dryRun
          ? []
          : await writeBeside(path, plannedBytes, options.keepSplit, (target) =>
              quantize(worker, { ...job, target, options }, say, signals.signal),
            )
        const bytes = options.dryRun
          ? plannedBytes
          : files.reduce((sum, file) => sum + Bun.file(file).size, 0)
        done.push({ type: type.name, path: files[0] ?? path, bytes, result: planned })
      }
    } catch (error) {
      spinner.stop()
      if (!(error instanceof Cancelled)) throw error
      io.writeError(`stopped; ${done.length === 0 ? "nothing was written" : "the finished files are kept"}\n`)
      process.exitCode = exitCodeOf(signals.signal)
    } finally {
      spinner.stop()
    }
    if (done.length === 0) return
    io.write(flags.json === true ? toJson(done.map(toBody)) : tableOf(done, options.dryRun))
    for (const { type, result } of done) {
      const note = fallbackNote(type, result)
      if (note !== undefined && flags.json !== true) io.writeError(note)
    }
  },
})

interface Target {
  readonly type: Quantization
  readonly path: string
}

interface Row {
  readonly type: string
  readonly path: string
  readonly bytes: number
  readonly result: QuantizeResult
}

function namesOf(withImatrix: boolean): string {
  const types = QUANTIZATIONS.filter(({ needsImatrix }) => needsImatrix === withImatrix)
  return types.map(({ name }) => name).join(", ")
}

/** `Q4_K_M Q8_0` and `q4_k_m,q8_0` alike. */
function chosenTypes(words: readonly string[], { imatrix }: Flags): readonly Quantization[] {
  const given = words.flatMap((word) => word.split(",")).filter((name) => name.trim() !== "")
  const types = (given.length === 0 ? [DEFAULT_TYPE] : given).map((name) => {
    const type = findQuantization(name)
    if (type !== undefined) return type
    throw new UsageError(
      `there is no quantization '${printable(name)}'; there are ${namesOf(false)}, and with --imatrix ${namesOf(true)}`,
    )
  })
  const lacking = imatrix === undefined ? types.find(({ needsImatrix }) => needsImatrix) : undefined
  if (lacking !== undefined)
    throw new UsageError(`${lacking.name} needs an importance matrix; give one with --imatrix FILE`)
  return [...new Set(types)]
}

function optionsOf(flags: Flags): QuantizeOptions {
  const { outputTensorType, tokenEmbeddingType, imatrix } = flags
  return {
    allowRequantize: flags.allowRequantize === true,
    pure: flags.pure === true,
    keepSplit: flags.keepSplit === true,
    dryRun: flags.dryRun === true,
    tensorTypes: (flags.tensorType?.split("\n") ?? []).map(parseOverride),
    ...(outputTensorType !== undefined && {
      outputType: tensorTypeOf("--output-tensor-type", outputTensorType),
    }),
    ...(tokenEmbeddingType !== undefined && {
      embeddingType: tensorTypeOf("--token-embedding-type", tokenEmbeddingType),
    }),
    ...(imatrix !== undefined && { imatrix: resolve(imatrix) }),
  }
}

function parseOverride(given: string): QuantizeOptions["tensorTypes"][number] {
  const equals = given.lastIndexOf("=")
  if (equals < 1) throw new UsageError(`--tensor-type must be PATTERN=TYPE, got '${printable(given)}'`)
  // llama.cpp's names are lower case, and so it compares.
  const pattern = given.slice(0, equals).toLowerCase()
  return { pattern, type: tensorTypeOf("--tensor-type", given.slice(equals + 1)) }
}

function tensorTypeOf(flag: string, name: string): number {
  const id = tensorTypeId(name)
  if (id === undefined) throw new UsageError(`${flag}: there is no tensor type '${printable(name)}'`)
  return id
}

/** @throws InvalidModelFile, FileFailed */
function readSource(source: string, given: string, read: (path: string) => GgufHeader): GgufHeader {
  try {
    return read(source)
  } catch (error) {
    throw error instanceof Error && "syscall" in error ? new FileFailed("read", given, error) : error
  }
}

/** The file of each type: `model.Q8_0.gguf` for `model-F16.gguf`, here or where `output` says. */
function targetsOf(
  types: readonly Quantization[],
  source: string,
  given: string,
  output: string | undefined,
): readonly Target[] {
  const isFile = output !== undefined && /\.gguf$/i.test(output)
  if (isFile && types.length > 1)
    throw new UsageError(`-o must be a folder for ${types.length} types, got the file '${printable(output)}'`)
  const stem = stemOf(isPath(given) ? basename(source) : given)
  return types.map((type) => ({
    type,
    path: isFile ? resolve(output) : join(resolve(output ?? "."), `${stem}.${type.name}.gguf`),
  }))
}

/** A file's or model's name without its quantization, which the new file has not. */
function stemOf(name: string): string {
  const bare = basename(name.replaceAll(":", "-"))
    .replace(/\.gguf$/i, "")
    .replace(/-\d{5}-of-\d{5}$/, "")
  const [, stem, last = ""] = /^(.+)[-.]([^-.]+)$/.exec(bare) ?? []
  return stem !== undefined && findQuantization(last) !== undefined ? stem : bare
}

async function checkTargets(targets: readonly Target[], source: string, mayReplace: boolean): Promise<void> {
  const real = await realpath(source)
  for (const { path } of targets) {
    const exists = await Bun.file(path).exists()
    if (exists && (await realpath(path)) === real)
      throw new UsageError(`'${printable(path)}' is the model itself; choose another file with -o`)
    if (exists && !mayReplace)
      throw new UsageError(
        `'${printable(path)}' exists; choose another file with -o, or replace it with --force`,
      )
  }
}

/**
 * Has the files written in a folder beside `path`, and moves them to their names when all are complete. Returns their
 * paths.
 * @throws DiskFull before anything is written, FileFailed
 */
async function writeBeside(
  path: string,
  bytes: number,
  isSplit: boolean,
  write: (target: string) => Promise<unknown>,
): Promise<readonly string[]> {
  const folder = dirname(path)
  const hidden = join(folder, `.${basename(path)}.${process.pid}.part`)
  try {
    const { checkDiskSpace } = await import("../../store/pull/transfer/disk-space")
    await checkDiskSpace(folder, bytes)
    await mkdir(hidden)
    await write(join(hidden, isSplit ? basename(path).replace(/\.gguf$/i, "") : basename(path)))
    const names = (await readdir(hidden)).toSorted()
    for (const name of names) await rename(join(hidden, name), join(folder, name))
    return names.map((name) => join(folder, name))
  } catch (error) {
    throw error instanceof Error && "syscall" in error ? new FileFailed("write", path, error) : error
  } finally {
    await rm(hidden, { recursive: true, force: true })
  }
}

/** Shows progress, with the time that is left once it can be told. */
function sayingProgress(spinner: Spinner, type: string) {
  const startedAt = performance.now()
  return ({ done, total }: { readonly done: number; readonly total: number }): void => {
    const passed = performance.now() - startedAt
    const left =
      done === 0 || passed < 2000 ? "" : `, ${Math.ceil(((passed / done) * (total - done)) / 1000)} s left`
    spinner.say(`${type}: ${percentOf(done, total)}% of ${total} tensors${left}`)
  }
}

function tableOf(rows: readonly Row[], isPlan: boolean): string {
  const heading = ["TYPE", "SIZE", "OF THE SOURCE", isPlan ? "WOULD BE" : "FILE"]
  return table(
    heading,
    rows.map(({ type, path, bytes, result }) => [
      type,
      formatBytes(bytes),
      `${percentOf(result.bytes, result.sourceBytes)}%`,
      printable(path),
    ]),
  )
}

function fallbackNote(
  type: string,
  { fallbacks, tensors, fallbackBlock }: QuantizeResult,
): string | undefined {
  if (fallbacks === 0) return undefined
  return (
    `${type}: ${fallbacks} of ${tensors} tensors got a larger type, because their columns are not divisible by ` +
    `${fallbackBlock ?? "its block size"}\n`
  )
}

function toBody({ type, path, bytes, result }: Row) {
  const { sourceBytes, tensors, fallbacks } = result
  return {
    type,
    file: path,
    bytes: Math.round(bytes),
    source_weight_bytes: Math.round(sourceBytes),
    tensors,
    fallback_tensors: fallbacks,
  }
}
