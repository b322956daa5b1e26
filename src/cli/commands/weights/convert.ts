import { stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { readSettings, type Settings } from "../../../config/resolve"
import { storeSettings } from "../../../config/sections/pull"
import { bytes, oneOf, text } from "../../../config/values"
import type { ConversionPlan } from "../../../convert/plan"
import { UsageError } from "../../../errors/cli"
import { defineCommand } from "../../args/command"
import { configFlag, grouped, switchFlag } from "../../args/flags"
import { isPath } from "../../args/model-path"
import { jobRunner } from "../../jobs/run-job"
import { openStore } from "../../models/open-store"
import type { Io } from "../../terminal/io"
import { formatBytes, percentOf, printable, toJson } from "../../terminal/output"
import { exitCodeOf, watchSignals } from "../../terminal/signals"
import { type Spinner, startSpinner } from "../../terminal/spinner"

export const command = defineCommand({
  name: "convert",
  summary: "Convert models between Hugging Face's format and GGUF",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: `MODEL is a folder with a config.json, a tokenizer and weights in safetensors files, as models are published on Hugging Face,
or hf:owner/name for such a model itself, with @revision for another version; only the files that are needed are downloaded.
It becomes a GGUF, which is read again, and checked by llama.cpp, before it gets its name.

A GGUF, or an installed model, becomes such a folder; if it is quantized, its weights are widened.`,
  examples: [
    { line: "xllm convert ./SmolLM2-135M", does: "to SmolLM2-135M-BF16.gguf, in the type of the source" },
    { line: "xllm convert ./my-model -q Q4_K_M -o my-model.gguf", does: "and quantize it" },
    { line: "xllm convert ./my-model --as my-model", does: "install it as a model" },
    { line: "xllm convert hf:HuggingFaceTB/SmolLM2-135M -q Q8_0", does: "download it first" },
    { line: "xllm convert ./my-model --dry-run", does: "show what would be written" },
    { line: "xllm convert ./my-model.gguf -o my-model", does: "to a folder for transformers" },
    { line: "xllm convert ./my-lora --base my-model", does: "a LoRA adapter" },
  ],
  flags: {
    out: {
      value: text("FILE"),
      description: "the GGUF (default: named after the folder, in this one)",
      short: "o",
    },
    to: { value: oneOf("gguf", "hf"), description: "the format (default: the other one)" },
    as: { value: text("NAME"), description: "install the result as a model instead" },
    base: { value: text("MODEL"), description: "the model that a LoRA adapter is for" },
    outtype: {
      value: oneOf("auto", "f32", "f16", "bf16", "q8_0"),
      description: "type of the weights (default auto: that of the source)",
    },
    quantize: { value: text("TYPE"), description: "quantize the result, such as to Q4_K_M", short: "q" },
    pre: {
      value: text("NAME"),
      description: "how the tokenizer divides texts, where that is not recognized",
    },
    name: {
      value: text("NAME"),
      description: "name of the model in the file (default: from its card or its folder)",
    },
    shard: { value: bytes, description: "write several files, none with more weights than this" },
    dryRun: switchFlag("show what would be written, and write nothing"),
    force: switchFlag("replace existing files", "f"),
    json: switchFlag("print JSON"),
    ...grouped(storeSettings, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [source = ""], io }) {
    checkFlags(flags)
    const settings = await readSettings(flags, io.environment)
    using signals = watchSignals()
    const spinner = startSpinner(io)
    try {
      const task: ConvertTask = { flags, settings, io, spinner, signal: signals.signal }
      if (await isFolder(source)) return await fromFolder({ path: source, shown: source }, task)
      if (await isOnHub(source, task)) return await fromHub(source, task)
      if (flags.to === "gguf") throw new UsageError(`'${source}' is no folder of a model from Hugging Face`)
      await fromGguf(source, task)
    } catch (error) {
      spinner.stop()
      if (!signals.signal.aborted) throw error
      io.writeError("stopped; nothing was written\n")
      process.exitCode = exitCodeOf(signals.signal)
    } finally {
      spinner.stop()
    }
  },
})

/** A folder, and what messages call it. */
interface SourceFolder {
  readonly path: string
  readonly shown: string
  /** On Hugging Face. */
  readonly repository?: string
}

/** Folders with a LoRA adapter have this file. */
const ADAPTER_CONFIG = "adapter_config.json"

/** As large as the files that transformers writes. */
const FOLDER_SHARD_BYTES = 5e9

interface ConvertTask {
  readonly flags: {
    readonly to?: "gguf" | "hf"
    readonly base?: string
    readonly out?: string
    readonly as?: string
    readonly outtype?: "auto" | "f32" | "f16" | "bf16" | "q8_0"
    readonly quantize?: string
    readonly pre?: string
    readonly name?: string
    readonly shard?: number
    readonly dryRun?: boolean
    readonly force?: boolean
    readonly json?: boolean
  }
  readonly settings: Settings
  readonly io: Io
  readonly spinner: Spinner
  readonly signal: AbortSignal
}

/** @throws UsageError for flags that exclude each other */
function checkFlags({ out, as }: ConvertTask["flags"]): void {
  if (out !== undefined && as !== undefined)
    throw new UsageError("--out writes a file, and --as installs a model: give one of them")
}

/** @throws UsageError for a file that may be a pickle */
async function isFolder(source: string): Promise<boolean> {
  if (/\.(bin|pt|pth|ckpt|pkl|safetensors)$/i.test(source))
    throw new UsageError(
      source.endsWith(".safetensors")
        ? `'${source}' is only a file of a model: name its folder`
        : `'${source}' may be a pickle, which is never read: name the folder of a model with safetensors files`,
    )
  const facts = await stat(source).catch(() => undefined)
  return facts?.isDirectory() ?? false
}

/** Does it name a repository, and no installed model? */
async function isOnHub(source: string, { flags, settings }: ConvertTask): Promise<boolean> {
  if (!/^(?:hf:|(?:https:\/\/)?(?:hf\.co|huggingface\.co)\/)/.test(source)) return false
  if (flags.to === "gguf" || source.includes("@") || source.startsWith("https:")) return true
  const store = await openStore(settings)
  return await store.resolve(source).then(
    () => false,
    () => true,
  )
}

/** A repository, whose files are downloaded first. */
async function fromHub(source: string, task: ConvertTask): Promise<void> {
  if (task.flags.to === "hf") throw new UsageError(`'${source}' is a model in Hugging Face's format already`)
  task.spinner.stop()
  const { fetchSnapshot } = await import("../../jobs/fetch-snapshot")
  await using snapshot = await fetchSnapshot(source, {
    ...task,
    dryRun: task.flags.dryRun === true,
    wantsJson: task.flags.json === true,
  })
  if (snapshot === undefined) return
  const { path, repository } = snapshot
  const spinner = startSpinner(task.io)
  try {
    await fromFolder({ path, shown: `hf:${repository}`, repository }, { ...task, spinner })
  } finally {
    spinner.stop()
  }
  await snapshot.forget()
}

async function fromFolder(source: SourceFolder, task: ConvertTask): Promise<void> {
  if (task.flags.to === "hf") throw new UsageError(`'${source.shown}' is a folder already`)
  const isAdapter = await Bun.file(join(source.path, ADAPTER_CONFIG)).exists()
  return await (isAdapter ? fromAdapter(source, task) : convertFolder(source, task))
}

/** A LoRA adapter instead of a model. */
async function fromAdapter(
  source: SourceFolder,
  { flags, settings, io, signal, spinner }: ConvertTask,
): Promise<void> {
  if (flags.as !== undefined || flags.quantize !== undefined)
    throw new UsageError("--as and --quantize are for models, and this is an adapter")
  const { convertAdapter } = await import("../../jobs/convert-adapter")
  spinner.stop()
  await convertAdapter({
    ...{ source, settings, io, signal, base: flags.base, out: flags.out },
    dryRun: flags.dryRun === true,
    mayReplace: flags.force === true,
    wantsJson: flags.json === true,
  })
}

/** The other way: a folder for transformers. */
async function fromGguf(model: string, { flags, settings, ...task }: ConvertTask): Promise<void> {
  const { outtype = "auto" } = flags
  if (flags.as !== undefined || flags.quantize !== undefined || outtype === "q8_0")
    throw new UsageError("--as, --quantize and q8_0 are for conversions to GGUF")
  const { convertGguf } = await import("../../jobs/to-folder")
  const path = isPath(model) ? resolve(model) : (await (await openStore(settings)).resolve(model)).path
  await convertGguf({
    ...task,
    settings,
    path,
    out: flags.out ?? (isPath(model) ? undefined : model.replaceAll(/[/:]/g, "-")),
    type: outtype,
    shardBytes: flags.shard ?? FOLDER_SHARD_BYTES,
    dryRun: flags.dryRun === true,
    wantsJson: flags.json === true,
  })
}

async function convertFolder(source: SourceFolder, task: ConvertTask): Promise<void> {
  const { flags, io, spinner, settings } = task
  const [{ planGguf }, { HfFolder }, { checkPreTokenizer }, { findQuantizeType }] = await Promise.all([
    import("../../../convert/plan"),
    import("../../../convert/source/folder"),
    import("../../../convert/tokenizer/pre-tokenizer"),
    import("../../../convert/quantize-types"),
  ])
  const type = flags.quantize === undefined ? undefined : findQuantizeType(flags.quantize)
  spinner.say("reading the model")
  const folder = await HfFolder.open(source.path, source.shown)
  await using plan = await planGguf(folder, {
    outType: flags.outtype ?? "auto",
    ...(flags.pre !== undefined && { pre: checkPreTokenizer(flags.pre) }),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(source.repository !== undefined && { repository: source.repository }),
  })
  spinner.hide()
  if (flags.json !== true)
    for (const warning of plan.warnings) io.writeError(`warning: ${printable(warning)}\n`)
  const typeName = type?.name ?? plan.type
  const out = flags.out ?? `${folder.name}-${typeName}.gguf`
  if (flags.dryRun === true)
    return showPlan(plan, type === undefined ? out : `${out} (then quantized to ${typeName})`, task)
  if (flags.as === undefined) {
    const paths = await write(plan, resolve(out), typeName, task)
    return showResult(paths, undefined, plan, task)
  }
  const store = await openStore(settings)
  await using workspace = await store.blobs.openWorkspace()
  const [first = ""] = await write(plan, join(workspace.path, "model.gguf"), typeName, task)
  showResult([], await install(first, flags.as, task), plan, task)
}

/** Writes the GGUF of a plan, quantized where that was asked for. */
async function write(
  plan: ConversionPlan,
  out: string,
  typeName: string,
  task: ConvertTask,
): Promise<readonly string[]> {
  const { flags, settings, spinner, signal } = task
  const [{ convertToGguf }, { findQuantizeType }, { checkOutput }] = await Promise.all([
    import("../../../convert/convert"),
    import("../../../convert/quantize-types"),
    import("../../../convert/output"),
  ])
  const request = {
    plan,
    mayReplace: flags.force === true,
    signal,
    runJob: jobRunner(settings, "the check of the result"),
    onProgress: ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) =>
      spinner.say(`converting: ${percentOf(doneBytes, totalBytes)}% of ${formatBytes(totalBytes)}`),
  }
  const shard = flags.shard !== undefined && { shardBytes: flags.shard }
  if (flags.quantize === undefined || plan.type === typeName)
    return await convertToGguf({ ...request, out, ...shard })
  if (flags.shard !== undefined) throw new UsageError("--shard cannot be combined with --quantize")
  await checkOutput([out], plan.bytes, flags.force === true)
  const { quantizeGguf } = await import("../../../convert/quantize")
  const { rm } = await import("node:fs/promises")
  const whole = `${out}.${crypto.randomUUID().slice(0, 8)}.part`
  try {
    await convertToGguf({ ...request, out: whole })
    const { paths } = await quantizeGguf({
      source: whole,
      out,
      type: findQuantizeType(typeName),
      options: {},
      mayReplace: flags.force === true,
      signal,
      runJob: jobRunner(settings, "quantizing"),
      onProgress: ({ done, total }) => spinner.say(`quantizing: ${done} of ${total} tensors`),
    })
    return paths
  } finally {
    await rm(whole, { force: true }).catch(() => {})
  }
}

async function install(
  path: string,
  name: string,
  { settings, spinner, signal, flags }: ConvertTask,
): Promise<string> {
  const [{ createModel }, { parseModelName }] = await Promise.all([
    import("../../../store/create/create"),
    import("../../../store/names"),
  ])
  signal.throwIfAborted()
  const { name: installed } = await createModel({
    store: await openStore(settings),
    name: parseModelName(name),
    replace: flags.force === true,
    signal,
    modelfile: { instructions: [{ type: "from", value: path, line: 1 }], problems: [], warnings: [] },
    file: path,
    folder: path,
    report: (event) => {
      if (event.type === "progress") spinner.say("installing")
    },
  })
  return installed
}

function showPlan(plan: ConversionPlan, out: string, { io, flags, spinner }: ConvertTask): void {
  spinner.stop()
  if (flags.json === true)
    return io.write(
      toJson({
        architecture: plan.architecture,
        type: plan.type,
        tensors: plan.tensors.length,
        parameters: plan.parameters,
        bytes: plan.bytes,
        out,
        warnings: plan.warnings,
      }),
    )
  io.write(
    `${plan.architecture}, ${plan.tensors.length} tensors, ${plan.parameters} parameters, ${plan.type}\n` +
      `would write ${printable(out)}, ${formatBytes(plan.bytes)}\n`,
  )
}

function showResult(
  paths: readonly string[],
  model: string | undefined,
  plan: ConversionPlan,
  { io, flags, spinner }: ConvertTask,
): void {
  spinner.stop()
  if (flags.json === true)
    return io.write(
      toJson({
        architecture: plan.architecture,
        tensors: plan.tensors.length,
        parameters: plan.parameters,
        ...(model === undefined ? { paths } : { model }),
        warnings: plan.warnings,
      }),
    )
  if (model !== undefined) return io.write(`installed '${model}'\n`)
  for (const path of paths) io.write(`wrote ${printable(path)}\n`)
}
