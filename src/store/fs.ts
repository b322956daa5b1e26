import { open, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import type { StoreLayout } from "./layout"

/** Longest file name that common file systems support. */
const MAX_PART_BYTES = 255

/**
 * Is it a relative path of plain names, separated by `/`, that stays inside its folder? Names with control
 * characters are refused, since names are shown.
 */
export function isInside(name: string): boolean {
  return name.split("/").every(isPlain)
}

function isPlain(part: string): boolean {
  return !/^\.{0,2}$|[\u0000-\u001f\u007f\\]/.test(part) && Buffer.byteLength(part) <= MAX_PART_BYTES
}

/** Writes a new file to stable storage, so that after the rename it is whole even if the power fails. */
export async function syncedWrite(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx")
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The same for a file written by other means. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Removes a worker's derived files (`derived/<id>`) for a version that no model has any more. */
export async function removeDerived({ derived }: StoreLayout, id: string): Promise<void> {
  await rm(join(derived, id), { recursive: true, force: true })
}

/** The id of a local or of an installed model. */
const MODEL_ID = /^([0-9a-f]{12}|[0-9a-f]{64})$/

/**
 * Removes the derived files of all versions that no model has.
 * @param idleMs minimum time without changes: the files may belong to a model that was named by its path
 */
export async function pruneDerived(
  layout: StoreLayout,
  ids: ReadonlySet<string>,
  idleMs: number,
): Promise<void> {
  for (const id of await readdir(layout.derived).catch((): string[] => [])) {
    if (ids.has(id) || !MODEL_ID.test(id)) continue
    const since = (await stat(join(layout.derived, id)).catch(() => undefined))?.mtimeMs ?? Date.now()
    if (Date.now() - since > idleMs) await removeDerived(layout, id)
  }
}
