import { realpath, stat } from "node:fs/promises"
import { homedir } from "node:os"
import { basename, dirname, join, resolve, sep } from "node:path"
import type { ModelKind } from "../../domain/model"
import { reasonOf } from "../../errors/base"
import { CannotConvert } from "../../errors/convert"
import { InvalidModelFile, InvalidModelName, ModelNotFound } from "../../errors/model"
import { FileFailed } from "../../errors/store"
import { type AdapterFacts, describeAdapter } from "../../formats/gguf/adapter"
import { peekGgufKind, readGgufHeader } from "../../formats/gguf/read"
import { mayBeDiffusion } from "../../formats/image/checkpoint"
import { recognizeImageModel } from "../../formats/image/recognize"
import { type ModelFolder, readModelFolder } from "../../formats/model-folder"
import { recognizeSpeech } from "../../formats/speech/recognize"
import { systemReason } from "../../lib/system/system-reason"
import type { Store } from "../contract"
import { isModel, readWeights } from "../local/model-file"
import { projectorRank } from "../local/projector-files"
import { modelOfFile } from "../local/scan"
import type { FileRole, Manifest } from "../managed/manifest"
import { parseModelName } from "../names"
import { isUrl } from "../pull/sources/url-source"
import type { Faults } from "./faults"

/** A file on disk that will be part of the model. */
export interface SourceFile {
  readonly name: string
  readonly role: FileRole
  readonly path: string
}

/** The source that one FROM names. */
export type ModelSource =
  | {
      readonly type: "files"
      readonly kind: ModelKind
      readonly files: readonly SourceFile[]
      readonly reference: string
    }
  | { readonly type: "model"; readonly name: string; readonly manifest: Manifest }

/** An instruction that refers to a source. */
export interface Reference {
  readonly line: number
  readonly value: string
}

export interface SourceFinder {
  readonly store: Store
  /** The base of relative paths. */
  readonly folder: string
  /** Downloads a missing model by name or URL; resolves to its name. @throws ModelNotFound */
  readonly pull?: (reference: string) => Promise<string>
  readonly faults: Faults
  /** Makes a GGUF of a folder from Hugging Face. */
  readonly convert: (folder: string) => Promise<string>
}

/** Enough of a GGUF file to determine its kind. */
const HEAD_BYTES = 64 * 1024

/** Weights in formats that would need conversion. */
const FOREIGN_WEIGHTS = /\.(safetensors|bin|pth|pt)$/i

const UNCONVERTED =
  "weights in formats other than GGUF need the files that belong to them: name the folder of the model"

const NO_FILE = "it is a pipe or a device, not a file"

/** The source of a FROM, and its line. */
export interface FoundSource {
  readonly line: number
  readonly source: ModelSource
}

/** The sources of all FROMs; several files may form one image model. `undefined`: faults say why not. */
export async function findSources(
  references: readonly Reference[],
  finder: SourceFinder,
): Promise<readonly FoundSource[] | undefined> {
  const [first] = references
  if (first === undefined) return undefined
  const found: FoundSource[] = []
  try {
    const imageModel = await findImageModel(references, finder)
    if (imageModel !== undefined) return [{ line: first.line, source: imageModel }]
  } catch (error) {
    return void finder.faults.wrong(first.line, `FROM ${first.value}: ${faultOf(error)}`)
  }
  for (const reference of references) {
    const source = await findSource(reference, finder)
    if (source !== undefined) found.push({ line: reference.line, source })
  }
  return found.length < references.length ? undefined : found
}

/** The source of a FROM: an existing path, or else a model. `undefined`: a fault says why not. */
async function findSource(reference: Reference, finder: SourceFinder): Promise<ModelSource | undefined> {
  const { line, value } = reference
  const path = await resolvePath(value, finder.folder)
  try {
    const stats = await stat(path).catch((error: unknown) => {
      if (isPath(value) && !isUrl(value)) throw new FileFailed("read", path, error)
      return undefined
    })
    if (stats?.isDirectory()) return await folderSource(path, reference, finder)
    if (stats === undefined) return await modelSource(reference, finder)
    if (!stats.isFile()) throw new InvalidModelFile(path, NO_FILE)
    return await fileSource(path, reference, finder)
  } catch (error) {
    finder.faults.wrong(line, `FROM ${value}: ${faultOf(error)}`)
    return undefined
  }
}

/**
 * The image model whose files several FROMs name: its diffusion model, VAE and encoders. `undefined`: they are
 * something else.
 * @throws InvalidModelFile for an incomplete image model
 */
async function findImageModel(
  references: readonly Reference[],
  { folder }: SourceFinder,
): Promise<ModelSource | undefined> {
  const paths = await Promise.all(references.map(({ value }) => resolvePath(value, folder)))
  const [first, ...others] = paths
  if (first === undefined || others.length === 0) return undefined
  const files = []
  for (const path of paths) {
    const stats = await stat(path).catch(() => undefined)
    if (stats?.isFile() !== true) return undefined
    files.push({ name: nameOfPart(path, paths), path, sizeBytes: stats.size })
  }
  const kinds = await Promise.all(paths.map(kindOfFile))
  if (!kinds.some((kind) => kind === undefined || mayBeDiffusion(kind.architecture))) return undefined
  return (await recognizeImageModel({ files })) && mediaSourceOf("image", { files }, first)
}

/** Publishers often give the parts the same name, each in its own folder. */
function nameOfPart(path: string, paths: readonly string[]): string {
  const name = basename(path)
  const isAlone = paths.filter((other) => basename(other) === name).length === 1
  return isAlone ? name : `${basename(dirname(path))}/${name}`
}

/** What an ADAPTER names: a GGUF, or a folder that becomes one once the model is known. */
export type FoundAdapter = (SourceFile & { readonly facts: AdapterFacts }) | { readonly folder: string }

/** The file of an ADAPTER. `undefined`: a fault says why not. */
export async function findAdapter(
  { line, value }: Reference,
  { folder, faults }: SourceFinder,
): Promise<FoundAdapter | undefined> {
  const path = await resolvePath(value, folder)
  const wrong = (reason: string) => void faults.wrong(line, `ADAPTER ${value}: ${reason}`)
  const stats = await stat(path).catch((error: unknown) => new FileFailed("read", path, error))
  if (stats instanceof FileFailed) return wrong(stats.message)
  if (!stats.isFile() && !stats.isDirectory()) return wrong(NO_FILE)
  if (stats.isDirectory()) return { folder: path }
  if (FOREIGN_WEIGHTS.test(path)) return wrong("it is only a file of an adapter; name its folder")
  try {
    const facts = describeAdapter(path, readGgufHeader(path))
    return { name: nameOfFile(path, "adapter"), role: "adapter", path, facts }
  } catch (error) {
    return wrong(faultOf(error))
  }
}

/** The file of a DRAFT: a path, or a model that is there. `undefined`: a fault says why not. */
export async function findDraft(
  { line, value }: Reference,
  { store, folder, faults }: SourceFinder,
): Promise<SourceFile | undefined> {
  const wrong = (reason: string) => void faults.wrong(line, `DRAFT ${value}: ${reason}`)
  const local = await resolvePath(value, folder)
  const stats = await stat(local).catch((error: unknown) => new FileFailed("read", local, error))
  if (stats instanceof FileFailed && isPath(value)) return wrong(stats.message)
  try {
    const isFile = !(stats instanceof FileFailed) && stats.isFile()
    const path = isFile ? local : (await store.resolve(value)).path
    const kind = await kindOfFile(path)
    if (kind === undefined) return wrong("it is not a GGUF file")
    const { paths } = modelOfFile(path)
    if (kind.type === "adapter" || !isModel({ kind, paths })) return wrong("it is not a text model")
    if (paths.length > 1) return wrong("a draft model in several files is not supported")
    await readWeights(paths)
    return { name: nameOfFile(path, "draft"), role: "draft", path }
  } catch (error) {
    return wrong(faultOf(error))
  }
}

/** The architecture of a text model's weights. */
export async function architectureOf(path: string): Promise<string | undefined> {
  return (await kindOfFile(path))?.architecture
}

async function kindOfFile(path: string) {
  return peekGgufKind(await Bun.file(path).slice(0, HEAD_BYTES).bytes())
}

/** Resolves to an absolute path: `~` and `~user` are home folders, other paths are relative to `folder`. */
async function resolvePath(value: string, folder: string): Promise<string> {
  const [, user, rest = ""] = /^~([^/]*)(\/.*)?$/.exec(value) ?? []
  if (user === undefined) return resolve(folder, value)
  const home = user === "" ? homedir() : await homeOf(user)
  return home === undefined ? resolve(folder, value) : join(home, rest)
}

async function homeOf(user: string): Promise<string | undefined> {
  const users = await Bun.file("/etc/passwd")
    .text()
    .catch(() => "")
  const fields = users.split("\n").map((line) => line.split(":"))
  return fields.find(([name]) => name === user)?.[5]
}

/** Can this only be a path? */
function isPath(value: string): boolean {
  return /^(\.{0,2}|~[^/]*)\/|^\.{1,2}$|\.gguf$/i.test(value) || FOREIGN_WEIGHTS.test(value)
}

async function fileSource(
  path: string,
  { line, value }: Reference,
  { faults }: SourceFinder,
): Promise<ModelSource | undefined> {
  const kind = await kindOfFile(path)
  if (kind === undefined || mayBeDiffusion(kind.architecture)) {
    const media = await mediaSource(await readModelFolder(path), path)
    if (media !== undefined) return media
  }
  if (kind === undefined) {
    if (FOREIGN_WEIGHTS.test(path)) return void faults.unsupported(line, `FROM ${value}: ${UNCONVERTED}`)
    throw new InvalidModelFile(path, "it is not a GGUF file")
  }
  if (kind.type === "adapter") {
    return void faults.wrong(
      line,
      `FROM ${value}: it is an adapter; write ADAPTER for it, and FROM for its base model`,
    )
  }
  const { paths } = modelOfFile(path)
  const role = kind.part !== undefined || isModel({ kind, paths }) ? "model" : "projector"
  await readWeights(paths)
  const files = paths.map((part) => ({ name: nameOfFile(part, role), role, path: part }) as const)
  return { type: "files", kind: "text", files, reference: path }
}

async function folderSource(
  path: string,
  reference: Reference,
  finder: SourceFinder,
): Promise<ModelSource | undefined> {
  const folder = await readModelFolder(path)
  // The hub's cache consists of links; the converter checks where they lead.
  const outside = isSnapshot(path) ? undefined : await firstOutside(path, folder)
  if (outside !== undefined)
    throw new InvalidModelFile(path, `'${outside}' is a link that leads out of the folder`)
  const weights = await textWeights(folder)
  if (weights.length > 0) return await ggufFolderSource(weights, reference, finder)
  const media = await mediaSource(folder, path)
  if (media !== undefined) return media
  if (folder.files.some(({ name }) => name === "config.json" || FOREIGN_WEIGHTS.test(name))) {
    const made = await finder.convert(path)
    return {
      type: "files",
      kind: "text",
      files: [{ name: "model.gguf", role: "model", path: made }],
      reference: path,
    }
  }
  const names = folder.files.slice(0, 5).map(({ name }) => name)
  throw new InvalidModelFile(
    path,
    `no model found in the folder${names.length === 0 ? "; it is empty" : `, only ${names.join(", ")}`}`,
  )
}

/** One model, in one file or several parts, with the files that belong to it. */
async function ggufFolderSource(
  paths: readonly string[],
  reference: Reference,
  finder: SourceFinder,
): Promise<ModelSource | undefined> {
  const firsts = [...new Set(paths.map((path) => modelOfFile(path).path))]
  const found: Extract<ModelSource, { type: "files" }>[] = []
  for (const first of firsts) {
    const source = await fileSource(first, reference, finder)
    if (source === undefined) return undefined
    if (source.type === "files") found.push(source)
  }
  const models = found.filter(({ files }) => files[0]?.role === "model")
  const [model, ...others] = models
  if (model === undefined || others.length > 0) {
    const names = models.map(({ files }) => basename(files[0]?.path ?? "")).sort()
    return void finder.faults.wrong(
      reference.line,
      `FROM ${reference.value}: the folder has ${models.length} models${names.length > 0 ? `; name one of ${names.join(", ")}` : ""}`,
    )
  }
  const projectors = found.flatMap(({ files }) => files.filter(({ role }) => role === "projector"))
  return { ...model, files: [...model.files, ...bestProjector(projectors)] }
}

/** Folders often have one projector in several formats. */
function bestProjector(projectors: readonly SourceFile[]): readonly SourceFile[] {
  return projectors
    .toSorted((a, b) => projectorRank(basename(a.path)) - projectorRank(basename(b.path)))
    .slice(0, 1)
}

/** A tts, asr or image model. */
async function mediaSource(folder: ModelFolder, path: string): Promise<ModelSource | undefined> {
  const kind = (await recognizeSpeech(folder))?.kind ?? (await recognizeImageModel(folder))?.description.kind
  return kind && mediaSourceOf(kind, folder, path)
}

function mediaSourceOf(kind: ModelKind, folder: ModelFolder, reference: string): ModelSource {
  const files = folder.files.map(({ name, path }) => ({ name, role: "file", path }) as const)
  return { type: "files", kind, files, reference }
}

/** GGUF files directly in a folder that are not image models. */
async function textWeights({ files }: ModelFolder): Promise<string[]> {
  const weights: string[] = []
  for (const { name, path } of files) {
    if (!/\.gguf$/i.test(name) || name.includes("/")) continue
    if (!mayBeDiffusion((await kindOfFile(path))?.architecture)) weights.push(path)
  }
  return weights
}

/** Is it the folder of a revision in Hugging Face's cache? */
function isSnapshot(path: string): boolean {
  return basename(dirname(path)) === "snapshots"
}

/** The name of a file that is a link out of the folder. */
async function firstOutside(path: string, { files }: ModelFolder): Promise<string | undefined> {
  const root = await realpath(path)
  for (const file of files) {
    const real = await realpath(file.path).catch(() => undefined)
    if (real === undefined || !real.startsWith(root + sep)) return file.name
  }
  return undefined
}

async function modelSource(reference: Reference, finder: SourceFinder): Promise<ModelSource | undefined> {
  const { store, pull, faults } = finder
  const { value } = reference
  let known = value
  try {
    known = (await store.resolve(value)).name
  } catch (error) {
    if (!(error instanceof ModelNotFound)) throw error
    // An invalid name is not looked up.
    if (pull === undefined || !isUrl(value)) parseModelName(value)
    if (pull === undefined) throw error
    // Nothing is downloaded for a Modelfile that will be refused.
    if (!faults.isEmpty) return undefined
    known = await pull(value)
  }
  const { name, path } = await store.resolve(known)
  const manifest = await store.manifest(name)
  return manifest === undefined
    ? await fileSource(path, reference, finder)
    : { type: "model", name, manifest }
}

/** Blobs have no name of their own. */
function nameOfFile(path: string, role: FileRole): string {
  const name = basename(path)
  return /^sha256-[0-9a-f]{64}$/.test(name) ? `${role}.gguf` : name
}

/** Why something cannot be part of a model, to follow its name. @throws `error` where it concerns something else */
export function faultOf(error: unknown): string {
  if (error instanceof InvalidModelFile || error instanceof CannotConvert) return error.reason
  if (error instanceof ModelNotFound || error instanceof InvalidModelName) return error.message
  if (error instanceof FileFailed) return error.message
  if (systemReason(error) !== undefined) return reasonOf(error)
  throw error
}
