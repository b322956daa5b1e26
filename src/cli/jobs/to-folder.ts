import { rm } from "node:fs/promises"
import { basename, resolve } from "node:path"
import type { Settings } from "../../config/resolve"
import { parseSplitName, partPaths } from "../../formats/gguf/split"
import { readGgufHeader } from "../../formats/gguf/read"
import type { Io } from "../terminal/io"
import { formatBytes, percentOf, printable, toJson } from "../terminal/output"
import type { Spinner } from "../terminal/spinner"
import { jobRunner } from "./run-job"

export interface ToFolderTask {
  /** The first file of a GGUF. */
  readonly path: string
  readonly out: string | undefined
  readonly type: "auto" | "f32" | "f16" | "bf16"
  readonly shardBytes: number
  readonly dryRun: boolean
  readonly wantsJson: boolean
  readonly settings: Settings
  readonly io: Io
  readonly spinner: Spinner
  readonly signal: AbortSignal
}

const PLAIN: ReadonlySet<string> = new Set(["F32", "F16", "BF16", "F64"])

/** Turns a GGUF into a folder for transformers; a quantized one is made 16 or 32 bits wide by llama.cpp first. */
export async function convertGguf(task: ToFolderTask): Promise<void> {
  const { path, io, spinner, signal } = task
  const [{ GgufSource }, { convertToFolder }, { className }] = await Promise.all([
    import("../../convert/folder/gguf-source"),
    import("../../convert/folder/to-folder"),
    import("../../convert/folder/hf-config"),
  ])
  const type = typeOf(task)
  const file = basename(path)
  const out = resolve(task.out ?? parseSplitName(file)?.stem ?? file.replace(/\.gguf$/i, ""))
  let name: string
  {
    await using source = await GgufSource.open(path)
    name = className(source)
  }
  if (task.dryRun) {
    spinner.stop()
    return io.write(
      task.wantsJson
        ? toJson({ class: name, type, out })
        : `${name}, ${type}: would write ${printable(out)}\n`,
    )
  }
  const isPlain = tensorTypes(path).every((each) => PLAIN.has(each))
  const whole = `${out}.${crypto.randomUUID().slice(0, 8)}.part`
  try {
    if (!isPlain) await widen(task, whole, type)
    await using source = await GgufSource.open(isPlain ? path : whole)
    const { files, warnings } = await convertToFolder({
      source,
      out,
      type,
      shardBytes: task.shardBytes,
      signal,
      onProgress: (done, total) =>
        spinner.say(`converting: ${percentOf(done, total)}% of ${formatBytes(total)}`),
    })
    spinner.stop()
    if (task.wantsJson) return io.write(toJson({ class: name, type, out, files, warnings }))
    for (const warning of warnings) io.writeError(`warning: ${printable(warning)}\n`)
    io.write(`wrote ${printable(out)}\n`)
    if (warnings.length > 0) process.exitCode = 2
  } finally {
    await rm(whole, { force: true }).catch(() => {})
  }
}

/** Dequantizes with llama.cpp. */
async function widen(
  { path, settings, signal, spinner }: ToFolderTask,
  out: string,
  type: string,
): Promise<void> {
  const [{ quantizeGguf }, { findQuantizeType }] = await Promise.all([
    import("../../convert/quantize"),
    import("../../convert/quantize-types"),
  ])
  await quantizeGguf({
    source: path,
    out,
    type: findQuantizeType(type),
    options: { mayRequantize: true, isPure: true },
    signal,
    runJob: jobRunner(settings, "dequantizing"),
    onProgress: ({ done, total }) => spinner.say(`dequantizing: ${done} of ${total} tensors`),
  })
}

function tensorTypes(path: string): readonly string[] {
  return partPaths(path).flatMap((part) => readGgufHeader(part).tensors.map(({ type }) => type.name))
}

/** BF16 where the source is, and otherwise F16. */
function typeOf({ type, path }: ToFolderTask): "F32" | "F16" | "BF16" {
  if (type === "auto") return tensorTypes(path).includes("BF16") ? "BF16" : "F16"
  return type.toUpperCase() as "F32" | "F16" | "BF16"
}
