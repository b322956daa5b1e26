import { rm as removeFile } from "node:fs/promises"
import { readSettings } from "../../config/resolve"
import { storeSettings } from "../../config/sections/pull"
import { connectionSettings } from "../../config/sections/server"
import { UsageError } from "../../errors/cli"
import { ModelLoadFailed, ModelNotFound } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import type { AdapterFile } from "../../store/adapters/adapter-files"
import type { RemovedModel, Store } from "../../store/contract"
import { formatModelName, parseModelName } from "../../store/names"
import { defineCommand } from "../args/command"
import { configFlag, grouped, switchFlag } from "../args/flags"
import { isPath } from "../args/model-path"
import { ServerClient } from "../client/server-client"
import { openExistingStore } from "../models/models-folder"
import { isPromptOf, openPrompts, removePrompts } from "../models/saved-prompts"
import type { Io } from "../terminal/io"
import { printable } from "../terminal/output"

export const command = defineCommand({
  name: "rm",
  summary: "Delete models from disk",
  words: "MODEL…",
  minimumWords: 1,
  details: `Deletes installed models, and their files unless another model uses them. A file that was put into the models directory
by hand is deleted too (of a link only the link); it takes precedence over an installed model of the same name, unless
the name has a tag. Damaged models, and links that lead to nothing, can be deleted as well. Files elsewhere are never touched. An adapter in ~/.xllm/loras is deleted by its name. Nothing is deleted if one of the names is unknown or one of the
models is running; the server at --host (or XLLM_HOST) is asked, if one answers.`,
  examples: [
    { line: "xllm rm smollm:latest", does: "delete a model" },
    {
      line: "xllm rm smollm qwen3 --force",
      does: "delete two models, and stop them first if they are running",
    },
  ],
  flags: {
    force: switchFlag("stop a running model first", "f"),
    ...grouped({ ...storeSettings, ...connectionSettings }, "Flags"),
    ...configFlag,
  },
  async run({ flags, words, io }) {
    const settings = await readSettings(flags, io.environment)
    const { store } = await openExistingStore(settings, io)
    for (const word of words) await refuseAlias(word, store)
    const found = await Promise.all(words.map((word) => resolve(word, store)))
    const models = found.flatMap((one, index) =>
      "adapter" in one ? [] : [{ ...one, word: words[index] ?? one.name }],
    )
    await letGo(models, new ServerClient(settings.server), flags.force === true)
    const deleted = new Set<string>()
    const prompts = openPrompts(settings, io)
    for (const { name, id, word } of models) {
      // A model may be given twice, under different names.
      if (deleted.has(name)) continue
      const removed = await store.remove(name, id)
      deleted.add(name)
      // Without a manifest, nothing says which prompts were its own; they go when their space is needed.
      if (id !== undefined) await removePrompts(prompts, isPromptOf({ name, id }))
      io.write(`deleted '${printable(name)}' (${whatWasDeleted(removed)})\n`)
      const next = await store.resolve(word).catch(() => undefined)
      if (next !== undefined && !models.some((model) => model.name === next.name)) {
        io.writeError(
          `'${printable(word)}' is now the model '${printable(next.name)}', which was not deleted\n`,
        )
      }
    }
    await deleteAdapters(found, io)
  },
})

/** Deletes adapters. A worker that has one loaded keeps it until it is unloaded. */
async function deleteAdapters(found: readonly (Removable | RemovableAdapter)[], io: Io): Promise<void> {
  const paths = new Set(found.flatMap((one) => ("adapter" in one ? one.adapter.path : [])))
  for (const path of paths) {
    await removeFile(path).catch((error: unknown) => {
      throw new FileFailed("delete", path, error)
    })
    io.write(`deleted the adapter ${printable(path)}\n`)
  }
}

/** Refuses aliases: it would be unclear whether the model or the alias is meant. */
async function refuseAlias(word: string, store: Store): Promise<void> {
  const target = await store.aliasTarget(word)
  if (target === undefined) return
  throw new UsageError(
    `'${word}' is an alias of '${target}': delete the model by its own name, or take the alias out of the configuration`,
  )
}

/** What is to be deleted. */
interface Removable {
  readonly name: string
  /** Absent for what is damaged. */
  readonly id?: string
}

interface RemovableAdapter {
  readonly adapter: AdapterFile
}

/** @throws ModelNotFound */
async function resolve(word: string, store: Store): Promise<Removable | RemovableAdapter> {
  try {
    return await store.resolve(word)
  } catch (error) {
    // A file in the models directory that cannot be used, such as a link that leads to nothing.
    if (error instanceof ModelLoadFailed) return { name: word }
    if (!(error instanceof ModelNotFound) || isPath(word)) throw error
    const adapter = await store.adapters.find(word)
    if (adapter !== undefined) return { adapter }
    const name = parseModelName(word)
    if ((await store.installedAs(name)) !== "unreadable") throw error
    return { name: formatModelName(name) }
  }
}

function whatWasDeleted({ paths, wasDamaged }: RemovedModel): string {
  if (wasDamaged) return "installed, its manifest was damaged"
  return paths === undefined ? "installed" : printable(paths.join(", "))
}

/** Unloads the models, if the server has them loaded. @throws UsageError if it has and `force` is false */
async function letGo(models: readonly Removable[], client: ServerClient, force: boolean): Promise<void> {
  if (!(await client.isThere())) return
  const loaded = await client.ps()
  // Also compares ids: a server on another machine may have a different model of that name.
  const running = models.filter(({ name, id }) =>
    loaded.some((one) =>
      id === undefined ? one.name.toLowerCase() === name.toLowerCase() : one.name === name && one.id === id,
    ),
  )
  const [first] = running
  if (first !== undefined && !force) {
    throw new UsageError(
      `model '${first.name}' is running at ${client.name}; stop it with 'xllm stop ${first.name}', or pass --force`,
    )
  }
  for (const { name } of running) await client.stop(name)
}
