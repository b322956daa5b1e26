import { basename } from "node:path"
import { CannotConvert } from "../errors/convert"
import type { GgufHeader } from "../formats/gguf/types"
import { readGgufHeader } from "../formats/gguf/read"
import { countGgufParts, ggufPartPaths, writeGgufModel } from "../formats/gguf/write"
import { checkOutput, type RunJob } from "./output"
import type { ConversionPlan } from "./plan"

/** Progress of a conversion, in bytes of tensors that were written. */
export interface ConvertProgress {
  readonly doneBytes: number
  readonly totalBytes: number
  readonly tensor: string
}

export interface ConvertRequest {
  readonly plan: ConversionPlan
  /** Of the file, or of the first one where there are several. */
  readonly out: string
  readonly shardBytes?: number
  readonly mayReplace?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ConvertProgress) => void
  /** Has llama.cpp look at the result. */
  readonly runJob?: RunJob<{ readonly type: "check"; readonly paths: readonly string[] }>
}

/** The paths that {@link convertToGguf} writes. */
export function outputPaths({ plan, out, shardBytes }: ConvertRequest): readonly string[] {
  return ggufPartPaths(out, countGgufParts(plan.tensors, shardBytes))
}

/**
 * Writes the GGUF of a plan. It is read again, and llama.cpp looks at it, before it gets its name.
 * @returns the paths of its files
 * @throws CannotConvert, DiskFull, FileFailed, and what reading the source throws; nothing is left then
 */
export async function convertToGguf(request: ConvertRequest): Promise<readonly string[]> {
  const { plan, out, shardBytes, signal, onProgress, runJob } = request
  await checkOutput(outputPaths(request), plan.bytes, request.mayReplace === true)
  return await writeGgufModel(out, plan.fields, plan.tensors, {
    ...(shardBytes !== undefined && { shardBytes }),
    ...(signal !== undefined && { signal }),
    onProgress: (doneBytes, tensor) => onProgress?.({ doneBytes, totalBytes: plan.bytes, tensor }),
    check: async (paths) => {
      compare(
        plan,
        paths.map((path) => readGgufHeader(path)),
        out,
      )
      await runJob?.({ type: "check", paths }, signal === undefined ? {} : { signal })
    },
  })
}

function compare(plan: ConversionPlan, headers: readonly GgufHeader[], out: string): void {
  const tensors = headers.flatMap((header) => header.tensors)
  const isSame = plan.tensors.every(({ name, type, shape }, index) => {
    const written = tensors[index]
    return written?.name === name && written.type.name === type && written.shape.join() === shape.join()
  })
  const keys = headers[0]?.metadata.size ?? 0
  if (!isSame || tensors.length !== plan.tensors.length || keys < plan.fields.length)
    throw new CannotConvert(basename(out), "what was written is not what was planned")
}
