import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { textAt, toRecord } from "../../../lib/json"
import { type Digest, isDigest } from "../../managed/manifest"
import type { RemoteFile } from "./remote-file"

export const FINISHED_ENDING = ".done"

/** What names a version of a file whose SHA-256 nobody declares; undefined where nothing does. */
function versionOf({ etag, gitOid, sizeBytes }: RemoteFile): string | undefined {
  const name = gitOid ?? etag
  return name === undefined || name.startsWith("W/") ? undefined : `${name} ${sizeBytes}`
}

/**
 * Remembers what a file was, so that whoever waited for the download, or asks again, need not fetch it to find out.
 */
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

/** The SHA-256 of this version of a file, where it was downloaded before. */
export async function finishedAs(folder: string, key: string, file: RemoteFile): Promise<Digest | undefined> {
  const known = await readFinished(join(folder, key + FINISHED_ENDING))
  return known !== undefined && known.version === versionOf(file) ? known.digest : undefined
}

/** What a file of {@link rememberFinished} says. */
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
