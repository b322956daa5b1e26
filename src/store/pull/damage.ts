import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import type { Store } from "../contract"
import type { Digest, ManifestFile } from "../managed/manifest"

/** Bytes hashed at a time: about 0.5 ms, so that the event loop stays free. */
const CHUNK_BYTES = 512 * 1024
/** How much is hashed before a failed load is reported: a few seconds' worth. */
const HASTY_BYTES = 8 * 1024 ** 3

/** Whether a file is intact, by path, size and time. Files do not repair themselves. */
const known = new Map<string, boolean>()

/**
 * The files of an installed model that are missing or changed since it was installed; none for a local model, whose
 * expected content is unknown.
 * @param isHasty compares very large files by size alone
 * @throws ModelNotFound
 */
export async function findDamage(
  store: Pick<Store, "manifest" | "blobs">,
  name: string,
  { isHasty, signal }: { readonly isHasty: boolean; readonly signal?: AbortSignal },
): Promise<readonly ManifestFile[]> {
  const damaged: ManifestFile[] = []
  for (const file of (await store.manifest(name))?.files ?? []) {
    signal?.throwIfAborted()
    if (!(await isIntact(store.blobs.pathOf(file.digest), file, isHasty))) damaged.push(file)
  }
  return damaged
}

async function isIntact(
  path: string,
  { digest, sizeBytes }: ManifestFile,
  isHasty: boolean,
): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  if (stats?.size !== sizeBytes) return false
  if (isHasty && sizeBytes > HASTY_BYTES) return true
  const stamp = `${digest}:${stats.ino}:${stats.size}:${stats.mtimeMs}`
  const isRight = (isHasty ? known.get(stamp) : undefined) ?? (await digestOf(path)) === digest
  known.set(stamp, isRight)
  return isRight
}

async function digestOf(path: string): Promise<Digest | undefined> {
  const hash = new Bun.CryptoHasher("sha256")
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk)
    return `sha256:${hash.digest("hex")}`
  } catch {
    // An unreadable file counts as damaged.
    return undefined
  }
}
