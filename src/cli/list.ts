import { storeSettings } from "../config/schema"
import { gatherInputs, modelsFolder } from "../config/settings"
import type { ModelSummary } from "../domain"
import { defineCommand } from "./command"
import { configFlag, grouped, switchFlag } from "./flags"
import { formatAge, formatBytes, printable, table, toJson } from "./output"

/** Digits of a model's id that tables show. */
export const SHORT_ID_LENGTH = 12

export const command = defineCommand({
  name: "list",
  summary: "List the models on disk",
  words: "[PREFIX]",
  minimumWords: 0,
  maximumWords: 1,
  details:
    "Lists the models in the models folder, newest first; with PREFIX those whose name begins with it.",
  examples: [
    { line: "xllm list", does: "every model" },
    { line: "xllm list smol --json", does: "models whose name begins with smol, for a program" },
  ],
  flags: { json: switchFlag("print JSON"), ...grouped(storeSettings, "Flags"), ...configFlag },
  async run({ flags, words, io }) {
    const [{ createStore }, { createLogger }] = await Promise.all([
      import("../store"),
      import("../log/logger"),
    ])
    const folder = modelsFolder(await gatherInputs(flags, io.environment))
    const prefix = shortForm(words[0] ?? "")
    // Of models that are left out because something is wrong with them.
    const log = createLogger({ level: "warn", format: "pretty", write: io.writeError })
    const all = await createStore({ modelsFolder: folder, log }).list()
    const models = all.filter(({ name }) => name.toLowerCase().startsWith(prefix))
    if (flags.json) return io.write(toJson({ models: models.map(toListItem) }))
    io.write(listTable(models, new Date()))
    if (all.length === 0) io.writeError(`no models in ${folder}; put a GGUF file there, or name its path\n`)
  },
})

/** Names on Hugging Face are shown without their host, which may be written all the same. */
function shortForm(prefix: string): string {
  return prefix.toLowerCase().replace(/^(hf:|hf\.co\/|huggingface\.co\/)/, "")
}

/** What `list --json` tells of one model. */
function toListItem({ name, kind, id, path, sizeBytes, modifiedAt }: ModelSummary) {
  return { name, kind, id, path, size_bytes: sizeBytes, modified_at: modifiedAt.toISOString() }
}

/** The table of `list`. */
export function listTable(models: readonly ModelSummary[], now: Date): string {
  const rows = models.map(({ name, id, sizeBytes, modifiedAt }) => [
    printable(name),
    id.slice(0, SHORT_ID_LENGTH),
    formatBytes(sizeBytes),
    formatAge(modifiedAt, now),
  ])
  return table(["NAME", "ID", "SIZE", "MODIFIED"], rows)
}
