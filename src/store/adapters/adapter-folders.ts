import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises"
import { basename, join } from "node:path"
import { idOf, stateOf } from "../local/file-version"
import type { AdapterFile } from "./adapter-files"

/** Folders with an adapter as PEFT writes them have the first of these, and some of the others. */
const FILES = [
  "adapter_config.json",
  "adapter_model.safetensors",
  "adapter_model.safetensors.index.json",
] as const
/** How many GGUFs of one folder are kept: of versions, and for models of different forms. */
const KEPT = 4

/** Is it a folder rather than a file? */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

/** Turns folders with adapters into GGUFs when they are first used with a model of some form, and keeps those. */
export class AdapterFolders {
  readonly #place: string
  readonly #made = new Map<string, Promise<string>>()

  /** `derived`: for files that can be made again. */
  constructor(derived: string) {
    this.#place = join(derived, "adapters")
  }

  /** What is known without a model; `fault` where it cannot be an adapter. */
  async describe(path: string): Promise<AdapterFile> {
    const { sizeBytes, modifiedMs } = await stateOf(FILES.map((name) => join(path, name)))
    const isAdapter = await Bun.file(join(path, FILES[0])).exists()
    return {
      name: basename(path),
      path,
      sizeBytes,
      modifiedAt: new Date(modifiedMs),
      ...(!isAdapter && { fault: `it is a folder without ${FILES[0]}, which adapters have` }),
    }
  }

  /**
   * The GGUF of an adapter for a model, whose first file is `base`.
   * @throws CannotConvert, InvalidModelFile, DiskFull, FileFailed
   */
  async convert(path: string, base: string): Promise<string> {
    const version = await stateOf(FILES.map((name) => join(path, name)))
    const key = `${path}\n${version.stamp}\n${base}\n${(await stateOf([base])).stamp}`
    const known = this.#made.get(key)
    if (known !== undefined) return await known
    const made = this.#make(path, version.stamp, base)
    this.#made.set(key, made)
    try {
      return await made
    } catch (error) {
      // It may succeed when the disk has room, say.
      this.#made.delete(key)
      throw error
    }
  }

  async #make(path: string, stamp: string, base: string): Promise<string> {
    const [{ adapterBase, planAdapter }, { HfFolder }, { convertToGguf }] = await Promise.all([
      import("../../convert/lora"),
      import("../../convert/source/folder"),
      import("../../convert/convert"),
    ])
    const shape = adapterBase(base)
    const group = join(this.#place, idOf([path]))
    const folder = join(group, idOf([stamp, JSON.stringify(shape)]))
    const out = join(folder, `${basename(path)}.gguf`)
    if (await Bun.file(out).exists()) {
      const now = new Date()
      await utimes(folder, now, now).catch(() => {})
      return out
    }
    await using plan = await planAdapter(await HfFolder.open(path), shape)
    await mkdir(folder, { recursive: true })
    await convertToGguf({ plan, out, mayReplace: true })
    await removeOldest(group)
    return out
  }
}

async function removeOldest(group: string): Promise<void> {
  const names = await readdir(group).catch((): string[] => [])
  const times = await Promise.all(
    names.map(async (name) => ({
      name,
      at: (await stat(join(group, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  )
  const old = times.sort((a, b) => b.at - a.at).slice(KEPT)
  for (const { name } of old) await rm(join(group, name), { recursive: true, force: true }).catch(() => {})
}
