import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { lockFile } from "../../../lib/system/file-lock"
import type { Blobs } from "../../contract"
import { digestOfFileName } from "../../managed/blobs"
import { LOCK_ENDING } from "./download-lock"
import { FINISHED_ENDING, readFinished } from "./finished"
import { PARTIAL_ENDINGS, readIdentity, removePartial } from "./partial-file"

/**
 * Removes partial files that cannot be resumed: unidentifiable data, and downloads of blobs that are present
 * meanwhile. Leaves downloads that are running or can be resumed.
 */
export async function cleanPartials(blobs: Blobs): Promise<void> {
  const folder = blobs.partialFolder
  const entries = await readdir(folder).catch(() => [])
  for (const key of new Set(entries.map(keyOf).filter((key) => OWN_KEY.test(key)))) {
    const base = join(folder, key)
    const digest = digestOfFileName(key)
    const isThere = digest !== undefined && (await blobs.has(digest))
    if (!isThere && (await readIdentity(base)) !== undefined) continue
    const finished = await readFinished(base + FINISHED_ENDING)
    if (finished !== undefined && (await blobs.has(finished.digest))) continue
    await whileUnused(base, async () => {
      await removePartial(base)
      await rm(base + FINISHED_ENDING, { force: true })
      const temporary = entries.filter((entry) => keyOf(entry) === key && entry.endsWith(TEMPORARY))
      for (const entry of temporary) await rm(join(folder, entry), { force: true })
    })
  }
}

/** Removes earlier versions of a file whose content has changed. Returns whether any of them had data. */
export async function dropOtherVersions(folder: string, key: string, reference: string): Promise<boolean> {
  const entries = await readdir(folder).catch(() => [])
  let found = false
  for (const other of new Set(entries.map(keyOf))) {
    const base = join(folder, other)
    if (other === key || (await readIdentity(base))?.reference !== reference) continue
    await whileUnused(base, async () => {
      await removePartial(base)
      found = true
    })
  }
  return found
}

const TEMPORARY = ".tmp"

/** The names that {@link partialKey} creates; any other file in the folder belongs to something else. */
const OWN_KEY = /^(sha256-[0-9a-f]{64}|named-[0-9a-f]{40})$/

/** `sha256-ab….json.12.tmp` → `sha256-ab…` */
function keyOf(entry: string): string {
  const endings = [...PARTIAL_ENDINGS, FINISHED_ENDING, LOCK_ENDING]
  const at = endings.map((ending) => entry.indexOf(ending)).filter((index) => index !== -1)
  return at.length === 0 ? entry : entry.slice(0, Math.min(...at))
}

async function whileUnused(base: string, work: () => Promise<void>): Promise<void> {
  using lock = await lockFile(base + LOCK_ENDING, 0)
  if (!lock.held) return
  await work()
  await rm(base + LOCK_ENDING, { force: true })
}
