import { readSettings, type Settings } from "../../config/resolve"
import { kvDiskSettings } from "../../config/sections/kv-disk"
import { storeSettings } from "../../config/sections/pull"
import { UsageError } from "../../errors/cli"
import type { SavedPrompt } from "../../kv-disk/folder"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { openStore } from "../models/open-store"
import { isPromptOf, openPrompts, removePrompts } from "../models/saved-prompts"
import type { Io } from "../terminal/io"
import { formatAge, formatBytes, printable, table, toJson } from "../terminal/output"

const { kvDiskDir } = kvDiskSettings

export const command = defineCommand({
  name: "cache",
  summary: "List the prompts kept on disk, or delete them",
  words: "[list|clear] [MODEL]",
  minimumWords: 0,
  maximumWords: 2,
  details: `Prompts that a model has evaluated are kept on disk when they leave memory, so that they are not evaluated again. The files
hold the prompts themselves, as tokens; they are readable by their owner alone. 'kv_disk.enabled: false' (or --no-kv-disk)
turns this off, 'kv_disk.max_bytes' limits their size. Prompts that a client saved under a name (POST /slots/:id) count as
well, and make way last.

'list', the default, shows them, the last used first; 'clear' deletes all of them, or those of one MODEL.`,
  examples: [
    { line: "xllm cache", does: "every prompt on disk" },
    { line: "xllm cache list qwen3:0.6b --json", does: "those of one model, as JSON" },
    { line: "xllm cache clear", does: "delete all of them" },
    { line: "xllm cache clear qwen3:0.6b", does: "delete those of one model" },
  ],
  flags: {
    json: switchFlag("print JSON"),
    ...grouped({ kvDiskDir, ...storeSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words: [action = "list", model], io }) {
    const settings = await readSettings(flags, io.environment)
    if (action !== "list" && action !== "ls" && action !== "clear")
      throw new UsageError(`unknown action '${action}'; use list or clear`)
    const isMeant = model === undefined ? () => true : await promptsOf(model, settings)
    if (action === "clear") return await clear({ settings, isMeant, model, asJson: flags.json === true, io })
    await list({ settings, isMeant, asJson: flags.json === true, io })
  },
})

interface Wanted {
  readonly settings: Settings
  readonly isMeant: (prompt: SavedPrompt) => boolean
  readonly asJson: boolean
  readonly io: Io
}

async function list({ settings, isMeant, asJson, io }: Wanted): Promise<void> {
  const { folder } = settings.promptsOnDisk
  const prompts = (await openPrompts(settings, io).list()).filter(isMeant).sort((a, b) => b.usedAt - a.usedAt)
  const bytes = prompts.reduce((sum, prompt) => sum + prompt.bytes, 0)
  if (asJson) return io.write(toJson({ folder, size_bytes: bytes, prompts: prompts.map(toItem) }))
  io.write(promptTable(prompts, new Date()))
  if (prompts.length > 0)
    io.writeError(`${count(prompts.length)}, ${formatBytes(bytes)} in ${printable(folder)}\n`)
}

async function clear(wanted: Wanted & { readonly model: string | undefined }): Promise<void> {
  const { settings, isMeant, model, asJson, io } = wanted
  const removed = await removePrompts(openPrompts(settings, io), isMeant)
  if (asJson) return io.write(toJson({ deleted: removed.count, size_bytes: removed.bytes }))
  const whose = model === undefined ? "" : ` of '${printable(model)}'`
  io.write(`deleted ${count(removed.count)}${whose} (${formatBytes(removed.bytes)})\n`)
}

/**
 * Which prompts are meant by a model's name: also one that no model has any more, as long as prompts have it.
 * @throws ModelNotFound
 */
async function promptsOf(model: string, settings: Settings): Promise<(prompt: SavedPrompt) => boolean> {
  const isNamed = (prompt: SavedPrompt) => prompt.model.toLowerCase() === model.toLowerCase()
  const silent = openPrompts(settings, { writeError: () => {} })
  if ((await silent.list()).some(isNamed)) return isNamed
  return isPromptOf(await (await openStore(settings)).resolve(model))
}

function count(prompts: number): string {
  return prompts === 1 ? "1 prompt" : `${prompts} prompts`
}

function promptTable(prompts: readonly SavedPrompt[], now: Date): string {
  const rows = prompts.map(({ model, name = "", tokens, bytes, createdAt, usedAt, uses }) => [
    printable(model),
    String(tokens.length),
    formatBytes(bytes),
    formatAge(new Date(createdAt), now),
    formatAge(new Date(usedAt), now),
    String(uses),
    printable(name),
  ])
  return table(["MODEL", "TOKENS", "SIZE", "CREATED", "LAST USED", "USES", "NAME"], rows)
}

function toItem({ model, modelId, name, tokens, bytes, createdAt, usedAt, uses, file }: SavedPrompt) {
  return {
    model,
    model_id: modelId,
    ...(name !== undefined && { name }),
    tokens: tokens.length,
    size_bytes: bytes,
    created_at: createdAt,
    used_at: new Date(usedAt).toISOString(),
    uses,
    file,
  }
}
