import { readdir } from "node:fs/promises"
import { join } from "node:path"
import type { AsrDetails, ImageModelDetails, ModelSummary, TtsDetails } from "../../domain/model"
import { placeAndReason } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { recognizeImageModel } from "../../formats/image/recognize"
import { type ModelFolder, readModelFolder } from "../../formats/model-folder"
import { recognizeSpeech } from "../../formats/speech/recognize"
import { systemReason } from "../../lib/system/system-reason"
import type { CacheTable, MetadataCache } from "../metadata-cache"
import { idOf, readSamples, stateOf } from "./file-version"

type Description<D> = D extends unknown ? Omit<D, Exclude<keyof ModelSummary, "kind">> : never

/** The description in the files of a tts, asr or image model. */
export type MediaDescription = Description<TtsDetails | AsrDetails | ImageModelDetails>

/** The result of inspecting files. `refused`: they look like a model, but cannot be used. */
export type MediaFinding =
  | { readonly is: "model"; readonly id: string; readonly description: MediaDescription }
  | { readonly is: "refused"; readonly reason: string }
  | { readonly is: "nothing" }

/** A folder or file that may be a tts, asr or image model. */
export interface MediaFile {
  /** Of all files together. */
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly finding: MediaFinding
}

/** Reads each version of tts, asr and image models once. */
export class MediaFiles {
  readonly #files: CacheTable<MediaFile>

  constructor(cache: MetadataCache) {
    this.#files = cache.table("media-files")
  }

  /**
   * Inspects the folder or file at `path`. Of subfolders only the modification time is checked: some tts models
   * have hundreds of files there.
   */
  async inspect(path: string): Promise<MediaFile> {
    const names = await readdir(path).catch(() => undefined)
    const paths = names === undefined ? [path, `${path}.json`] : names.sort().map((name) => join(path, name))
    const { stamp, modifiedMs } = await stateOf(paths)
    const known = this.#files.get(path, stamp)
    if (known !== undefined) return known
    const folder = await readModelFolder(path)
    const sizeBytes = folder.files.reduce((sum, file) => sum + file.sizeBytes, 0)
    try {
      const file = { sizeBytes, modifiedMs, finding: await findMedia(folder) }
      this.#files.set(path, stamp, file)
      return file
    } catch (error) {
      if (systemReason(error) === undefined) throw error
      // Not cached: the same version may be readable the next time.
      return { sizeBytes, modifiedMs, finding: { is: "refused", reason: placeAndReason(error) } }
    }
  }
}

async function findMedia(folder: ModelFolder): Promise<MediaFinding> {
  try {
    const description = await recognize(folder)
    if (description === undefined) return { is: "nothing" }
    return { is: "model", id: await idOfFolder(folder), description }
  } catch (error) {
    if (!(error instanceof InvalidModelFile)) throw error
    return { is: "refused", reason: error.message }
  }
}

async function recognize(folder: ModelFolder): Promise<MediaDescription | undefined> {
  const found = (await recognizeSpeech(folder)) ?? (await recognizeImageModel(folder))
  return found?.description
}

async function idOfFolder({ files }: ModelFolder): Promise<string> {
  const parts: (string | Uint8Array)[] = []
  for (const { name, path, sizeBytes } of files) {
    parts.push(`${name} ${sizeBytes}\n`, ...(await readSamples(path)))
  }
  return idOf(parts)
}
