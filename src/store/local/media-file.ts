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

/** What the files of a voice, a recogniser or a painter say about it. */
export type MediaDescription = Description<TtsDetails | AsrDetails | ImageModelDetails>

/** What files turned out to be. `refused`: they look like a model, and cannot be used. */
export type MediaFinding =
  | { readonly is: "model"; readonly id: string; readonly description: MediaDescription }
  | { readonly is: "refused"; readonly reason: string }
  | { readonly is: "nothing" }

/** A folder or a file that may be a voice, a recogniser or a painter. */
export interface MediaFile {
  /** Of all files together. */
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly finding: MediaFinding
}

/** Reads each version of voices, recognisers and painters once. */
export class MediaFiles {
  readonly #files: CacheTable<MediaFile>

  constructor(cache: MetadataCache) {
    this.#files = cache.table("media-files")
  }

  /**
   * What is at `path`, a folder or a file. Of the folders in it only the time is looked at, to see whether something
   * changed: some voices bring hundreds of files there.
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
      // Not kept: it may be readable the next time, and be the same version.
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
