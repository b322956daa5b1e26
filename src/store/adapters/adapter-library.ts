import { constants } from "node:fs"
import { copyFile, mkdir, rename, rm } from "node:fs/promises"
import { basename, join } from "node:path"
import { adapterOfPart, type AttachedPart } from "../../domain/attached-parts"
import type { ModelSummary } from "../../domain/model"
import { placeAndReason } from "../../errors/base"
import { CannotConvert } from "../../errors/convert"
import { AdapterExists, InvalidModelFile } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { describeAdapter, misfitOf } from "../../formats/gguf/adapter"
import { readGgufHeader } from "../../formats/gguf/read"
import type { AdapterLibrary, ModelAdapter } from "../contract"
import { type AdapterFile, type AdapterFiles, adapterNameOf } from "./adapter-files"
import { type AdapterFolders, isFolder } from "./adapter-folders"

/** An adapter that the user applies to every model that it fits. */
export interface ConfiguredAdapter {
  /** Absolute: a file, or a folder as PEFT writes them. */
  readonly path: string
  readonly scale: number
}

export interface LibraryParts {
  readonly files: AdapterFiles
  readonly folders: AdapterFolders
  /** It need not exist. */
  readonly folder: string
  /** Read each time, as they may change. */
  readonly configured: () => readonly ConfiguredAdapter[]
  /** The architecture of a text model; undefined: not known. */
  readonly architectureOf: (model: ModelSummary) => Promise<string | undefined>
}

interface ScaledFile extends AdapterFile {
  /** What the user named, if it was made from that. */
  readonly given?: string
  readonly scale: number
}

/** The adapters of one folder and of the configuration. The folder is read again for every call. */
export function createAdapterLibrary({
  files,
  folders,
  folder,
  configured,
  architectureOf,
}: LibraryParts): AdapterLibrary {
  /** A folder becomes a file for the model that it is used with; what it is by then is known without a model. */
  const inspect = async (path: string, model: ModelSummary | undefined): Promise<AdapterFile> => {
    if (!(await isFolder(path))) return await files.inspect(path)
    const bare = await folders.describe(path)
    if (bare.fault !== undefined || model === undefined) return bare
    try {
      return await files.inspect(await folders.convert(path, model.path))
    } catch (error) {
      return { ...bare, fault: faultOf(error) }
    }
  }

  const scaledFiles = async (model?: ModelSummary): Promise<readonly ScaledFile[]> => {
    const named: ScaledFile[] = []
    for (const { path, scale } of configured())
      named.push({ ...(await inspect(path, model)), scale, given: path })
    const others = await files.inFolder(folder)
    return onePerName([...named, ...others.map((file) => ({ ...file, scale: 0 }))])
  }

  const usable = (file: ScaledFile, misfit: string | undefined): ModelAdapter => ({
    name: file.name,
    scale: file.scale,
    sizeBytes: file.sizeBytes,
    path: misfit === undefined ? file.path : (file.given ?? file.path),
    ...(misfit !== undefined && { misfit }),
    key: () => files.digestOf(file.path),
  })

  const misfit = async (
    { facts, fault = "its header is not known" }: AdapterFile,
    model: ModelSummary,
    architecture: string | undefined,
  ): Promise<string | undefined> => {
    if (facts === undefined) return `cannot be used: ${fault}`
    try {
      // The shapes are read only where they matter: the model's file may be a large one.
      const isSame = facts.architecture === architecture
      const base = isSame ? await files.baseOf(model.path) : { architecture, shapes: new Map() }
      return misfitOf(facts, base, `'${model.name}'`)
    } catch (error) {
      return `cannot be compared with '${model.name}': ${faultOf(error)}`
    }
  }

  const list = async (): Promise<readonly AdapterFile[]> =>
    (await scaledFiles()).map(({ scale: _, ...file }) => file)

  return {
    folder,
    list,
    async add(path, file) {
      const target = join(folder, basename(file))
      describeAdapter(file, readGgufHeader(path))
      const name = adapterNameOf(target)
      const known = (await list()).find((other) => other.name.toLowerCase() === name.toLowerCase())
      if (known !== undefined) {
        if ((await files.digestOf(known.path)) !== (await files.digestOf(path))) throw new AdapterExists(name)
        return known
      }
      const temporary = `${target}.${process.pid}.tmp`
      try {
        await mkdir(folder, { recursive: true })
        await copyFile(path, temporary, constants.COPYFILE_FICLONE)
        await rename(temporary, target)
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {})
        throw new FileFailed("write", target, error)
      }
      return await files.inspect(target)
    },
    async find(name) {
      const wanted = name.toLowerCase()
      return (await list()).find((file) => file.name.toLowerCase() === wanted)
    },
    get areConfigured() {
      return configured().length > 0
    },
    async of(model) {
      if (model.kind !== "text") return []
      const own = (model.parts ?? []).filter(({ role }) => role === "adapter").map(ofPart)
      const all = await scaledFiles(model)
      const architecture = all.length === 0 ? undefined : await architectureOf(model)
      const others: ModelAdapter[] = []
      for (const file of all) others.push(usable(file, await misfit(file, model, architecture)))
      return onePerName([...own, ...others])
    },
  }
}

function faultOf(error: unknown): string {
  return error instanceof InvalidModelFile || error instanceof CannotConvert
    ? error.reason
    : placeAndReason(error)
}

function ofPart(part: AttachedPart): ModelAdapter {
  const { name, path, sizeBytes, key, scale } = adapterOfPart(part)
  return { name: adapterNameOf(name), path, sizeBytes, scale, key: async () => key }
}

/** The first of each name, ignoring case. */
function onePerName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  const byName = new Map<string, T>()
  for (const one of all) {
    const name = one.name.toLowerCase()
    if (!byName.has(name)) byName.set(name, one)
  }
  return [...byName.values()]
}
