import { open, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import type { StoreLayout } from "./layout"

/** The longest name of a file that common file systems have. */
const MAX_PART_BYTES = 255

/**
 * Is it a relative path of plain names, with `/` between them, which stays in the folder that it is put into? Names
 * without control characters only: they are shown.
 */
export function isInside(name: string): boolean {
  return name.split("/").every(isPlain)
}

function isPlain(part: string): boolean {
  return !/^\.{0,2}$|[\u0000-\u001f\u007f\\]/.test(part) && Buffer.byteLength(part) <= MAX_PART_BYTES
}

/** Writes a new file so that it is whole, also after the power failed, once it is renamed. */
export async function syncedWrite(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx")
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The same for a file that another way of writing has made. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What a worker made of a version of a model (`derived/<id>`), once no model has that version any more. */
export async function removeDerived({ derived }: StoreLayout, id: string): Promise<void> {
  await rm(join(derived, id), { recursive: true, force: true })
}

/** Of a model that was dropped in, or of an installed one. */
const MODEL_ID = /^([0-9a-f]{12}|[0-9a-f]{64})$/

/**
 * The same for all that no model has.
 * @param idleMs how long nothing was made there: it may be of a model that was named by its path
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
