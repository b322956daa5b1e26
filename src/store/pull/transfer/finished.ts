import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { textAt, toRecord } from "../../../lib/json"
import { type Digest, isDigest } from "../../managed/manifest"
import type { RemoteFile } from "./remote-file"

export const FINISHED_ENDING = ".done"

/** Identifies a version of a file without a declared SHA-256; undefined where nothing does. */
function versionOf({ etag, gitOid, sizeBytes }: RemoteFile): string | undefined {
  const name = gitOid ?? etag
  return name === undefined || name.startsWith("W/") ? undefined : `${name} ${sizeBytes}`
}

/** Records a finished file's digest, so that waiting or later downloads need not fetch it to find out. */
export async function rememberFinished(
  folder: string,
  key: string,
  file: RemoteFile,
  digest: Digest,
): Promise<void> {
  const version = versionOf(file)
  if (version === undefined) return
  const path = join(folder, key + FINISHED_ENDING)
  await writeFile(`${path}.${process.pid}.tmp`, JSON.stringify({ version, digest }), { mode: 0o600 })
  await rename(`${path}.${process.pid}.tmp`, path)
}

/** The SHA-256 of this version of a file, if it was downloaded before. */
export async function finishedAs(folder: string, key: string, file: RemoteFile): Promise<Digest | undefined> {
  const known = await readFinished(join(folder, key + FINISHED_ENDING))
  return known !== undefined && known.version === versionOf(file) ? known.digest : undefined
}

/** Reads a file written by {@link rememberFinished}. */
export async function readFinished(
  path: string,
): Promise<{ readonly version: string; readonly digest: Digest } | undefined> {
  try {
    const known = toRecord(JSON.parse(await readFile(path, "utf8")))
    const [version, digest = ""] = [textAt(known, "version"), textAt(known, "digest")]
    return version !== undefined && isDigest(digest) ? { version, digest } : undefined
  } catch {
    return undefined
  }
}
