import type { Readable } from "node:stream"
import { sha256 } from "../../lib/sha256"
import type { Store } from "../contract"
import { modelfileOf } from "../create/modelfile"
import type { Digest, Manifest, ManifestFile } from "../managed/manifest"
import {
  blobEntry,
  DESCRIPTION_ENTRY,
  MODELFILE_ENTRY,
  printDescription,
  printSums,
  SUMS_ENTRY,
} from "./layout"
import { packArchive, type PackedEntry, sizeOf } from "./pack"

/** A model as an archive, generated when read. */
export interface ModelArchive {
  /** Total size of the entries, before compression. */
  readonly totalBytes: number
  /** The archive's bytes; `onProgress` is called with the number of `totalBytes` done. */
  read(onProgress: (bytes: number) => void): Readable
}

/**
 * Exports everything needed to install a model elsewhere. The same model always gives the same bytes.
 * @throws ModelNotFound, and the system's error where a file cannot be read
 */
export async function exportModel(store: Store, model: string): Promise<ModelArchive> {
  const { name, manifest, pathOf } = await store.contents(model)
  const texts = [
    text(DESCRIPTION_ENTRY, printDescription({ name, manifest })),
    text(MODELFILE_ENTRY, modelfileBeside(manifest)),
  ]
  const files = uniqueFiles(manifest.files).map(({ digest, sizeBytes }) => {
    const hex = hexOf(digest)
    return { hex, entry: { path: blobEntry(hex), source: { file: pathOf(digest), sizeBytes, sha256: hex } } }
  })
  const sums = new Map([
    ...texts.map(({ path, source }) => [path, sha256(source)] as const),
    ...files.map(({ hex, entry }) => [entry.path, hex] as const),
  ])
  const entries: PackedEntry[] = [
    text(SUMS_ENTRY, printSums(sums)),
    ...texts,
    ...files.map(({ entry }) => entry),
  ]
  return {
    totalBytes: entries.reduce((sum, { source }) => sum + sizeOf(source), 0),
    read: (onProgress) => packArchive(entries, onProgress),
  }
}

/** A Modelfile with relative paths to the files next to it. */
function modelfileBeside(manifest: Manifest): string {
  const pathOf = (digest: Digest) => `./${blobEntry(hexOf(digest))}`
  const [first] = manifest.files.filter(({ role }) => role === "model" || role === "file")
  return modelfileOf(manifest, first === undefined ? "." : pathOf(first.digest), pathOf)
}

/** Two files of a model can have the same content. */
function uniqueFiles(files: readonly ManifestFile[]): readonly ManifestFile[] {
  return [...new Map(files.map((file) => [file.digest, file])).values()]
}

function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length)
}

function text(path: string, content: string) {
  return { path, source: new TextEncoder().encode(content) }
}
