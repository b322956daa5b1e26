import { type Dirent, existsSync } from "node:fs"
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { XllmError } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { Cancelled } from "../../errors/request"
import { FileFailed } from "../../errors/store"
import { tryJson } from "../../lib/json"
import { sha256 } from "../../lib/sha256"
import { systemCode } from "../../lib/system/system-reason"
import { formatSize } from "../../lib/text/bytes"
import type { Store } from "../contract"
import { digestOfFile } from "../managed/blobs"
import type { Digest, Manifest, ManifestFile } from "../managed/manifest"
import { formatModelName, type ModelName, nameOfParts } from "../names"
import { identify } from "../pull/choose/identify"
import { type FileLayer, filesOf, readDeclared } from "../pull/sources/registry-layers"
import { type Layer, parseRegistryManifest } from "../pull/sources/registry-manifest"
import { refuseOther, replacing } from "../replacing"

/** For licences and templates; anything larger is neither. */
const MAX_TEXT_BYTES = 16 * 1024 ** 2

export interface OllamaImport {
  readonly store: Store
  /** Ollama's models folder, with `blobs` and `manifests` in it. */
  readonly folder: string
  /** Whether to replace models of the same names. */
  readonly replace: boolean
  readonly signal: AbortSignal
  report(event: OllamaImportEvent): void
}

export type OllamaImportEvent =
  /** A file is being read to verify its digest. */
  | { readonly type: "progress"; readonly model: string; readonly done: number; readonly total: number }
  | { readonly type: "imported"; readonly model: string }
  /** Skipped for the given `reason`. */
  | { readonly type: "skipped"; readonly model: string; readonly reason: string }

/**
 * Installs the models of an Ollama installation on this machine. Their files are verified, then linked where the
 * file system allows it; a model that cannot be used does not stop the others.
 * @throws InvalidModelFile where the folder is not Ollama's; Cancelled, StoreBusy
 */
export async function importFromOllama(options: OllamaImport): Promise<void> {
  const names = await findModels(options.folder)
  for (const { name, path } of names) {
    const model = formatModelName(name)
    try {
      await importOne(name, path, options)
      options.report({ type: "imported", model })
    } catch (error) {
      if (!(error instanceof XllmError) || error instanceof Cancelled) throw error
      options.report({ type: "skipped", model, reason: error.message })
    }
  }
}

interface FoundManifest {
  readonly name: ModelName
  readonly path: string
}

/** `manifests/<host>/<namespace>/<model>/<tag>`, sorted by name. */
async function findModels(folder: string): Promise<readonly FoundManifest[]> {
  const root = join(folder, "manifests")
  const entries: readonly Dirent[] = await readdir(root, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if (!existsSync(folder) || systemCode(error) !== "ENOENT") throw new FileFailed("read", root, error)
      throw new InvalidModelFile(folder, "it is not an Ollama models directory: it has no folder 'manifests'")
    },
  )
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return paths.sort().flatMap((path) => {
    const [host = "", namespace = "", model = "", tag = "", ...more] = path.slice(root.length + 1).split("/")
    const name = more.length > 0 ? undefined : nameOfParts(host, namespace, model, tag)
    return name === undefined ? [] : { name, path }
  })
}

async function importOne(name: ModelName, path: string, options: OllamaImport): Promise<void> {
  const added: Digest[] = []
  try {
    await install(name, path, options, added)
  } catch (error) {
    await options.store.abandon(added)
    throw options.store.explain(error)
  }
}

/** @param added collects the digests of the added blobs */
async function install(name: ModelName, path: string, options: OllamaImport, added: Digest[]): Promise<void> {
  const { store, signal, folder, report } = options
  const model = formatModelName(name)
  const text = await readText(path)
  const listed = parseRegistryManifest(tryJson(text), model)
  const layers = filesOf(listed, model)
  for (const { layer } of layers) await checkSize(layer, folder)
  const declared = await readDeclared(listed, model, (layer) => readText(blobPath(folder, layer)))
  const kind = await identify(
    layers.map((each) => ({ ...each, path: blobPath(folder, each.layer), sizeBytes: each.layer.sizeBytes })),
    model,
    undefined,
  )
  const manifest: Manifest = {
    version: 1,
    kind,
    createdAt: new Date().toISOString(),
    source: { type: "ollama", reference: model, revision: sha256(text) },
    files: layers.map(toManifestFile),
    ...declared,
  }
  if (!options.replace) await refuseOther(store, name, manifest)
  await using _held = await store.blobs.hold(manifest.files.map(({ digest }) => digest))
  const total = layers.reduce((sum, { layer }) => sum + layer.sizeBytes, 0)
  let before = 0
  for (const { layer } of layers) {
    const isNew = await take(layer, options, (bytes) => {
      if (signal.aborted) throw new Cancelled()
      report({ type: "progress", model, done: before + bytes, total })
    })
    if (isNew) added.push(layer.digest)
    before += layer.sizeBytes
  }
  await store.install(name, manifest, replacing(options.replace))
}

/** Adds a file as a blob after verifying its digest; returns false where the blob exists. */
async function take(
  layer: Layer,
  { store, folder }: OllamaImport,
  onProgress: (bytes: number) => void,
): Promise<boolean> {
  const { digest } = layer
  if (await store.blobs.has(digest)) return false
  const path = blobPath(folder, layer)
  if ((await digestOfFile(path, onProgress)) !== digest)
    throw new InvalidModelFile(path, "its content is damaged")
  // Ollama also names files by their content, and never changes one.
  await store.blobs.addFile(path, { digest, link: true })
  return true
}

async function checkSize(layer: Layer, folder: string): Promise<void> {
  const path = blobPath(folder, layer)
  const stats = await stat(path).catch((error: unknown) => refuse(path, error))
  if (stats.size === layer.sizeBytes) return
  throw new InvalidModelFile(path, `it has ${stats.size} bytes, but should have ${layer.sizeBytes}`)
}

function toManifestFile({ layer, role, name }: FileLayer): ManifestFile {
  return { name, role, digest: layer.digest, sizeBytes: layer.sizeBytes }
}

function blobPath(folder: string, { digest }: Layer): string {
  return join(folder, "blobs", digest.replace(":", "-"))
}

async function readText(path: string): Promise<string> {
  const stats = await stat(path).catch((error: unknown) => refuse(path, error))
  if (stats.size > MAX_TEXT_BYTES)
    throw new InvalidModelFile(path, `it has ${formatSize(stats.size)}, more than any text`)
  return await readFile(path, "utf8").catch((error: unknown) => refuse(path, error))
}

/** Fails the import of one model; the others continue. */
function refuse(path: string, error: unknown): never {
  if (systemCode(error) === "ENOENT") throw new InvalidModelFile(path, "it is missing")
  throw new FileFailed("read", path, error)
}
