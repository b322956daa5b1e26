import { readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import type { StoreLayout } from "./layout"

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
