import { readSettings } from "../../config/resolve"
import type { Io } from "../terminal/io"
import { printable } from "../terminal/output"
import { candidates, type CandidateSources } from "./candidates"
import { FILES_MARK } from "./completion-protocol"

/** Prints the completions of the last of `words`, one per line. Errors are never shown to the shell. */
export async function complete(
  words: readonly string[],
  io: Io,
  commands: Omit<CandidateSources, "models">,
): Promise<void> {
  const models: CandidateSources["models"] = async (kind) => {
    const { createStore } = await import("../../store")
    const store = createStore({ modelsFolder: (await readSettings({}, io.environment)).modelsFolder })
    const all = await store.list().catch(() => [])
    return all.filter((model) => kind === undefined || model.kind === kind).map(({ name }) => printable(name))
  }
  const found = await candidates(words, { ...commands, models }).catch(() => undefined)
  const lines = [...(found?.words ?? []), ...(found?.takesFiles ? [FILES_MARK] : [])]
  io.write(lines.map((line) => `${line}\n`).join(""))
}
