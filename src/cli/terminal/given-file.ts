import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { UsageError } from "../../errors/cli"
import { FileFailed } from "../../errors/store"
import { readBounded } from "../../lib/system/read-bounded"
import { formatSize } from "../../lib/text/bytes"

/**
 * Reads a file named by the user; a pipe or device is read to its end.
 * @param what what the file should be, as in "a Modelfile"
 * @throws FileFailed, and UsageError if it is larger than any valid file of its kind
 */
export async function readGiven(path: string, what: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = await readBounded(path, maxBytes).catch((error: unknown) => {
    throw new FileFailed("read", path, error)
  })
  if (bytes !== undefined) return bytes
  throw new UsageError(`${path} is larger than the limit for ${what} (${formatSize(maxBytes)})`)
}

/** The absolute path of a file for another process to read. @throws FileFailed, UsageError for a pipe or a device */
export async function existingFile(path: string): Promise<string> {
  const facts = await stat(path).catch((error: unknown) => {
    throw new FileFailed("read", path, error)
  })
  if (facts.isDirectory()) throw new UsageError(`cannot read ${path}: it is a folder, not a file`)
  if (!facts.isFile()) throw new UsageError(`cannot read ${path}: it is a pipe or a device, not a file`)
  return resolve(path)
}
