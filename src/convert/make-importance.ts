import { rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import type { Importance, ImportanceOptions } from "../domain/quantize"
import { FileFailed } from "../errors/store"
import { partPaths } from "../formats/gguf/split"
import type { JobRequest } from "../protocol/jobs"
import { readImportance } from "./importance"
import { checkOutput, type RunJob } from "./output"

export interface ImportanceRequest {
  /** The first file of a GGUF. */
  readonly source: string
  readonly out: string
  readonly options: ImportanceOptions
  readonly mayReplace?: boolean
  readonly signal?: AbortSignal
  /** Pieces of the text. */
  readonly onProgress?: (done: number, total: number) => void
  readonly runJob: RunJob<Extract<JobRequest, { type: "importance" }>>
}

/**
 * Makes an importance matrix in a process of its own. It is read again before it gets its name.
 * @throws CannotConvert, InvalidModelFile, FileFailed; what `runJob` throws. Nothing is left then
 */
export async function makeImportance(request: ImportanceRequest): Promise<Importance> {
  const { source, out, options, signal, onProgress, runJob } = request
  await checkOutput([out], 0, request.mayReplace === true)
  const text = resolve(options.text)
  await stat(text).catch((error: unknown) => {
    throw new FileFailed("read", options.text, error)
  })
  const target = join(dirname(resolve(out)), `.${basename(out)}.${crypto.randomUUID().slice(0, 8)}.part`)
  try {
    await runJob(
      { type: "importance", paths: partPaths(source), target, options: { ...options, text } },
      { ...(signal !== undefined && { signal }), ...(onProgress !== undefined && { onProgress }) },
    )
    const made = readImportance(target)
    await rename(target, out)
    return { ...made, file: out }
  } finally {
    await rm(target, { force: true }).catch(() => {})
  }
}
