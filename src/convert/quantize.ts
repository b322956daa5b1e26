import { readdir, rename, rm, mkdir, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { CannotConvert } from "../errors/convert"
import { FileFailed } from "../errors/store"
import { readGgufHeader } from "../formats/gguf/read"
import { partPaths } from "../formats/gguf/split"
import type { QuantizeOptions } from "../domain/quantize"
import type { JobRequest } from "../protocol/jobs"
import { checkOutput, type RunJob } from "./output"
import type { QuantizeType } from "./quantize-types"

/** Progress of quantizing, by tensors. */
export interface QuantizeProgress {
  readonly done: number
  readonly total: number
  readonly tensor: string
}

export interface QuantizeRequest {
  /** The first file of a GGUF. */
  readonly source: string
  /** What messages call it; absent: its path. */
  readonly shownAs?: string
  readonly out: string
  readonly type: QuantizeType
  readonly options: Omit<QuantizeOptions, "fileType">
  readonly mayReplace?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: QuantizeProgress) => void
  readonly runJob: RunJob<Extract<JobRequest, { type: "quantize" }>>
}

/** What quantizing does, or did. */
export interface QuantizeResult {
  readonly paths: readonly string[]
  /** Of all files; where nothing was written, as llama.cpp says it beforehand. */
  readonly bytes: number
  readonly tensors: number
  /** Tensors with a larger type than was asked for. */
  readonly fallbacks: number
  /** Why: numbers of columns, and what they cannot be divided by. */
  readonly fallbackReasons: readonly string[]
}

const TENSOR_LINE = /^\[\s*(\d+)\/\s*(\d+)\]\s+(\S+)/
const FALLBACK_LINE = /ncols\s+(\d+) not divisible by\s+(\d+)/
const SIZE_LINE = /quant size\s+=\s+([\d.]+) MiB/
/** Types whose numbers were not rounded before. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(["F32", "F16", "BF16", "I8", "I16", "I32", "I64", "F64"])

/**
 * Quantizes a model in a process of its own. What is written gets its name when it is complete.
 * @throws CannotConvert, DiskFull, FileFailed; what `runJob` throws. Nothing is left then
 */
export async function quantizeGguf(request: QuantizeRequest): Promise<QuantizeResult> {
  const { source, out, type, options } = request
  refuseSource(request)
  const planned = await dryRun(request)
  const keepsParts = options.keepSplit === true && partPaths(source).length > 1
  const names = keepsParts ? partNames(source, out) : [basename(out)]
  const folder = dirname(resolve(out))
  const paths = names.map((name) => join(folder, name))
  for (const path of paths)
    if (partPaths(source).some((part) => resolve(part) === path))
      throw new CannotConvert(
        path,
        "the result would replace the model that it is made from; name another with -o",
      )
  if (options.dryRun === true) return { ...planned, paths }
  await checkOutput(paths, planned.bytes, request.mayReplace === true)
  const work = join(folder, `.${basename(out)}.${crypto.randomUUID().slice(0, 8)}.part`)
  try {
    await mkdir(work)
    const target = join(work, keepsParts ? basename(out).replace(/\.gguf$/i, "") : basename(out))
    const result = await run(request, target, { ...options, fileType: type.fileType })
    const written = (await readdir(work)).sort()
    for (const name of written) readGgufHeader(join(work, name))
    const sizes = await Promise.all(written.map(async (name) => (await stat(join(work, name))).size))
    for (const [index, name] of written.entries())
      await rename(join(work, name), paths[index] ?? join(folder, name))
    return { ...result, paths, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  } catch (error) {
    throw error instanceof Error && "syscall" in error && !("code" in error && "status" in error)
      ? new FileFailed("write", out, error)
      : error
  } finally {
    // Whatever went wrong before is what counts.
    await rm(work, { recursive: true, force: true }).catch(() => {})
  }
}

/** What it would do, for the size. */
async function dryRun(request: QuantizeRequest): Promise<QuantizeResult> {
  const options = { ...request.options, fileType: request.type.fileType, dryRun: true }
  return await run({ ...request, onProgress: () => {} }, request.out, options)
}

async function run(
  { source, signal, onProgress, runJob }: QuantizeRequest,
  target: string,
  options: QuantizeOptions,
): Promise<QuantizeResult> {
  let [bytes, tensors, fallbacks] = [0, 0, 0]
  const reasons = new Set<string>()
  const onLine = (text: string) => {
    const [, done, total, tensor] = TENSOR_LINE.exec(text) ?? []
    if (tensor !== undefined) {
      tensors = Number(total)
      onProgress?.({ done: Number(done), total: tensors, tensor })
    }
    const [, columns, divisor] = FALLBACK_LINE.exec(text) ?? []
    if (columns !== undefined && divisor !== undefined) {
      fallbacks++
      reasons.add(`${columns} columns are not divisible by ${divisor}`)
    }
    const size = SIZE_LINE.exec(text)?.[1]
    if (size !== undefined) bytes = Math.ceil(Number(size) * 1024 ** 2)
  }
  await runJob(
    { type: "quantize", source, target, options },
    { onLine, ...(signal !== undefined && { signal }) },
  )
  return { paths: [target], bytes, tensors, fallbacks, fallbackReasons: [...reasons] }
}

/** @throws CannotConvert for a model that is quantized already, or a type that needs an importance matrix */
function refuseSource({ source, shownAs = source, type, options }: QuantizeRequest): void {
  const isImportant = options.importance !== undefined
  if (type.needsImportance === true && !isImportant)
    throw new CannotConvert(
      type.name,
      "this type needs an importance matrix, which says what weights matter: give one with --imatrix",
    )
  if (options.mayRequantize === true) return
  const found = partPaths(source)
    .flatMap((path) => readGgufHeader(path).tensors)
    .find(({ type: { name } }) => !PLAIN_TYPES.has(name))
  if (found === undefined) return
  throw new CannotConvert(
    shownAs,
    `it is quantized already (${found.type.name}), and loses more each time; use the original, or --allow-requantize`,
  )
}

function partNames(source: string, out: string): readonly string[] {
  const stem = basename(out).replace(/\.gguf$/i, "")
  return partPaths(source).map((path) => basename(path).replace(/^.*(-\d{5}-of-\d{5}\.gguf)$/i, `${stem}$1`))
}
