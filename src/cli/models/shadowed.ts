import type { ModelSummary } from "../../domain/model"
import type { Store } from "../../store/contract"
import type { Io } from "../terminal/io"
import { printable } from "../terminal/output"
import { aliasProblems } from "./alias-problems"

/**
 * Warns if the new model's name still refers to something else, because a local file takes precedence or the name was
 * an alias. `given`: the name as typed by the user.
 */
export async function warnOfShadow(given: string, made: ModelSummary, store: Store, io: Io): Promise<void> {
  const meant = await store.resolve(given).catch(() => undefined)
  if (meant !== undefined && meant.name !== made.name) {
    io.writeError(
      `'${printable(given)}' still means ${printable(meant.path)}; the new model is called '${made.name}'\n`,
    )
  }
  const hidden = (await store.aliases()).filter(({ hiddenBy }) => hiddenBy === made.name)
  for (const problem of aliasProblems(hidden)) io.writeError(`${printable(problem)}\n`)
}
