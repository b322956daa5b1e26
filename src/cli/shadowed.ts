import type { ModelSummary } from "../domain"
import type { Store } from "../store/contract"
import type { Io } from "./io"
import { printable } from "./output"

/**
 * Tells where the name that a model was just given stands for something else: a file that was dropped in comes first.
 * `given`: as the user wrote it.
 */
export async function tellOfShadow(given: string, made: ModelSummary, store: Store, io: Io): Promise<void> {
  const meant = await store.resolve(given).catch(() => undefined)
  if (meant === undefined || meant.name === made.name) return
  io.writeError(
    `'${printable(given)}' still means ${printable(meant.path)}; the new model is called '${made.name}'\n`,
  )
}
