import { readSettings, type Settings } from "../../config/resolve"
import { pullSettings, storeSettings } from "../../config/sections/pull"
import type { ModelSummary } from "../../domain/model"
import { KINDS } from "../../domain/tasks"
import type { UpdateState } from "../../store/pull/updates"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { aliasProblems } from "../models/alias-problems"
import { openExistingStore } from "../models/models-folder"
import { adapterTable, toAdapterObject } from "../show/show-adapter"
import { formatAge, formatBytes, printable, table, toJson } from "../terminal/output"

/** How long to wait for sources when checking for updates. */
const UPDATES_TIMEOUT_MS = 10_000

/** Digits of a model's id shown in tables. */
export const SHORT_ID_LENGTH = 12

export const command = defineCommand({
  name: "list",
  summary: "List the models on disk",
  words: "[PREFIX]",
  minimumWords: 0,
  maximumWords: 1,
  details:
    "Lists the models in the models directory, newest first, and the adapters in ~/.xllm/loras; with PREFIX only those whose name begins with it.",
  examples: [
    { line: "xllm list", does: "every model" },
    { line: "xllm list smol --json", does: "models whose name begins with smol, as JSON" },
    { line: "xllm list --check-updates", does: "also check for newer versions" },
  ],
  flags: {
    json: switchFlag("print JSON"),
    checkUpdates: switchFlag("check the models' origins for newer versions"),
    ...grouped({ ...storeSettings, ...pullSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words, io }) {
    const settings = await readSettings(flags, io.environment)
    const { store, folder } = await openExistingStore(settings, io)
    const prefix = shortForm(words[0] ?? "")
    const all = await store.list()
    const isWanted = (name: string) => name.toLowerCase().startsWith(prefix)
    const models = all.filter(({ name, aliases = [] }) => [name, ...aliases].some(isWanted))
    const updates = flags.checkUpdates ? await queryUpdates(models, settings) : undefined
    const adapters = (await store.adapters.list()).filter(({ name }) => isWanted(name))
    if (flags.json)
      return io.write(
        toJson({
          models: models.map((model) => toListItem(model, updates)),
          ...(adapters.length > 0 && { adapters: adapters.map(toAdapterObject) }),
        }),
      )
    io.write(listTable(models, new Date(), updates))
    if (adapters.length > 0) io.write(`\n${adapterTable(adapters, new Date())}`)
    for (const problem of aliasProblems(await store.aliases())) io.writeError(`${printable(problem)}\n`)
    if (all.length === 0) {
      const { FIRST_MODEL } = await import("../../store/hint")
      io.writeError(
        `no models in ${printable(folder)} yet: ${FIRST_MODEL}; a GGUF file placed there is one too\n`,
      )
    }
  },
})

/** Names on Hugging Face are shown without the host, which is optional. */
function shortForm(prefix: string): string {
  return prefix.toLowerCase().replace(/^(hf:|hf\.co\/|huggingface\.co\/)/, "")
}

/** By name; only downloaded models are included. */
type Updates = ReadonlyMap<string, UpdateState>

async function queryUpdates(models: readonly ModelSummary[], settings: Settings): Promise<Updates> {
  const { createPuller } = await import("../pull/puller")
  const puller = await createPuller(settings)
  const names = models.map(({ name }) => name)
  return await puller.checkUpdates(names, AbortSignal.timeout(UPDATES_TIMEOUT_MS))
}

/** One model in `list --json`. */
function toListItem(
  { name, kind, id, path, sizeBytes, modifiedAt, aliases = [] }: ModelSummary,
  updates: Updates | undefined,
) {
  const update = updates && { update: updates.get(name) ?? null }
  const common = { name, kind, id, path, size_bytes: sizeBytes, modified_at: modifiedAt.toISOString() }
  return { ...common, ...(aliases.length > 0 && { aliases }), ...update }
}

/** The table of `list`, with another column if updates were checked. Aliases follow their model's name. */
export function listTable(models: readonly ModelSummary[], now: Date, updates?: Updates): string {
  const rows = models.flatMap(({ name, kind, id, sizeBytes, modifiedAt, aliases = [] }) => [
    [
      printable(name),
      KINDS[kind].type,
      id.slice(0, SHORT_ID_LENGTH),
      formatBytes(sizeBytes),
      formatAge(modifiedAt, now),
      ...(updates === undefined ? [] : [updates.get(name) ?? "-"]),
    ],
    ...aliases.map((alias) => [`${printable(alias)} -> ${printable(name)}`]),
  ])
  const heading = ["NAME", "TYPE", "ID", "SIZE", "MODIFIED", ...(updates === undefined ? [] : ["UPDATE"])]
  return table(heading, rows)
}
