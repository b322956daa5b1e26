import { stat, statfs } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { CannotConvert } from "../errors/convert"
import { DiskFull, FileFailed } from "../errors/store"
import type { JobRequest } from "../protocol/jobs"

/** A job in another process: llama.cpp's own code blocks, and may end the process that it is in. */
export type RunJob<Request> = (
  request: Request,
  options: {
    readonly signal?: AbortSignal
    readonly onLine?: (text: string) => void
    readonly onProgress?: (done: number, total: number) => void
  },
) => Promise<void>

/** Runs any job. */
export type JobRunner = RunJob<JobRequest>

/** Checks that files can be written, and that they replace nothing unless they may. @throws CannotConvert, DiskFull */
export async function checkOutput(
  paths: readonly string[],
  neededBytes: number,
  mayReplace: boolean,
): Promise<void> {
  const folder = dirname(resolve(paths[0] ?? "."))
  for (const path of paths) {
    const facts = await stat(path).catch(() => undefined)
    if (facts === undefined) continue
    if (!facts.isFile()) throw new CannotConvert(path, "it exists, and is not a file")
    if (!mayReplace)
      throw new CannotConvert(path, "the file exists; replace it with --force, or name another with -o")
  }
  const { bavail, bsize } = await statfs(folder).catch((error: unknown) => {
    throw new FileFailed("write", paths[0] ?? folder, error)
  })
  const freeBytes = bavail * bsize
  if (neededBytes > freeBytes) throw new DiskFull(folder, { neededBytes, freeBytes })
}
