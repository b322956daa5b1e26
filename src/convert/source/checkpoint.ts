import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { CannotConvert } from "../../errors/convert"
import { InvalidModelFile } from "../../errors/model"
import { readSafetensorsHeader, type SafetensorsTensor } from "../../formats/safetensors"
import { recordAt } from "../../lib/json"
import { CONVERT, MODEL_JSON_SHAPE } from "../../limits"
import type { HfFolder } from "./folder"

/** A tensor of a checkpoint, and the file that it is in. */
export interface CheckpointTensor extends SafetensorsTensor {
  readonly file: CheckpointFile
}

/** An open file with weights. */
export interface CheckpointFile {
  /** In messages. */
  readonly path: string
  readonly handle: FileHandle
}

/** The weights of a folder. Its files stay open until it is disposed of. */
export class HfCheckpoint implements AsyncDisposable {
  /** In the order of the files' names, and then of their own; every name once. */
  readonly tensors: readonly CheckpointTensor[]
  readonly #files: readonly CheckpointFile[]

  private constructor(tensors: readonly CheckpointTensor[], files: readonly CheckpointFile[]) {
    this.tensors = tensors
    this.#files = files
  }

  /** `stem`: the names of the files begin with it. @throws InvalidModelFile */
  static async open(folder: HfFolder, stem = "model"): Promise<HfCheckpoint> {
    const index = await readIndex(folder, `${stem}.safetensors.index.json`)
    const names = index === undefined ? weightFiles(folder, stem) : [...new Set(index.values())].sort()
    if (names.length > CONVERT.shards)
      throw new CannotConvert(folder.path, `the model has ${names.length} files with weights`)
    const files: CheckpointFile[] = []
    const tensors = new Map<string, CheckpointTensor>()
    try {
      for (const name of names) {
        const real = await folder.pathOf(name)
        const path = join(folder.path, name)
        const header = await readSafetensorsHeader(real).catch((error: unknown) => {
          throw error instanceof InvalidModelFile ? new InvalidModelFile(path, error.reason) : error
        })
        const file = { path, handle: await open(real, "r") }
        files.push(file)
        refuseOverlaps(path, header.tensors)
        // By name, whatever their order in the file: so does the reference.
        const ordered = [...header.tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
        for (const tensor of ordered) {
          if (tensors.has(tensor.name))
            throw new InvalidModelFile(path, `the tensor '${tensor.name}' is in two files`)
          tensors.set(tensor.name, { ...tensor, file })
        }
      }
      if (index !== undefined) compareWithIndex(folder, index, tensors)
      return new HfCheckpoint([...tensors.values()], files)
    } catch (error) {
      for (const { handle } of files) await handle.close()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle } of this.#files) await handle.close()
  }
}

/** The file of each tensor. */
async function readIndex(folder: HfFolder, name: string): Promise<ReadonlyMap<string, string> | undefined> {
  const index = await folder.json(name, CONVERT.indexBytes, MODEL_JSON_SHAPE)
  if (index === undefined) return undefined
  const path = join(folder.path, name)
  const map = recordAt(index, "weight_map")
  if (map === undefined) throw new InvalidModelFile(path, "it has no 'weight_map'")
  const files = new Map<string, string>()
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\\0]+\.safetensors$/.test(file))
      throw new InvalidModelFile(path, `'${String(file)}' is not the name of a file in the folder`)
    files.set(tensor, file)
  }
  return files
}

function weightFiles(folder: HfFolder, stem: string): readonly string[] {
  const names = folder.names.filter((name) => name.startsWith(stem) && name.endsWith(".safetensors"))
  if (names.length > 0) return names
  const [pickle] = folder.pickles
  if (pickle !== undefined)
    throw new CannotConvert(
      folder.path,
      `its weights are in '${pickle}', a pickle, which can run any code when it is read and so never is; look for a ` +
        "revision with safetensors files, or save the model again as safetensors",
    )
  throw new CannotConvert(
    folder.path,
    `there are no weights in it: no file is named ${stem}.safetensors or ${stem}-*.safetensors`,
  )
}

function compareWithIndex(
  folder: HfFolder,
  index: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, unknown>,
): void {
  for (const [name, file] of index)
    if (!tensors.has(name))
      throw new InvalidModelFile(join(folder.path, file), `the tensor '${name}' of the index is not in it`)
  for (const name of tensors.keys())
    if (!index.has(name)) throw new InvalidModelFile(folder.path, `the tensor '${name}' is not in the index`)
}

function refuseOverlaps(path: string, tensors: readonly SafetensorsTensor[]): void {
  const ordered = [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)
  for (const [index, tensor] of ordered.entries()) {
    const next = ordered[index + 1]
    if (next !== undefined && next.start < tensor.end)
      throw new InvalidModelFile(path, `the tensors '${tensor.name}' and '${next.name}' overlap`)
  }
}
