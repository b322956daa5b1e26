import { stat } from "node:fs/promises"
import { basename } from "node:path"
import type { ModelKind, ModelSummary } from "../../domain/model"
import { InvalidModelFile } from "../../errors/model"
import { Cancelled } from "../../errors/request"
import type { Modelfile } from "../../formats/modelfile/parse"
import type { Store } from "../contract"
import { digestOfFile, digestOfFileName } from "../managed/blobs"
import type { Digest, ManifestFile } from "../managed/manifest"
import type { ModelName } from "../names"
import { refuseOther, refuseOtherSize, replacing } from "../replacing"
import {
  checkInstructions,
  checkInstructionsOfKind,
  composeManifest,
  effectless,
  instructionsOf,
} from "./compose"
import { Faults } from "./faults"
import {
  architectureOf,
  findAdapter,
  findSources,
  type FoundSource,
  type ModelSource,
  type Reference,
  type SourceFile,
} from "./sources"

/** What goes on while a model is made. */
export type CreateEvent =
  /** In Ollama's words; `success` is the last. */
  | { readonly type: "status"; readonly status: string }
  /** A file is read. */
  | {
      readonly type: "progress"
      readonly file: string
      readonly doneBytes: number
      readonly totalBytes: number
    }
  /** Something was accepted that does nothing. */
  | { readonly type: "warning"; readonly message: string }

export interface CreateRequest {
  readonly store: Store
  readonly name: ModelName
  readonly modelfile: Modelfile
  /** The Modelfile's name in messages. */
  readonly file: string
  /** Where relative paths begin. */
  readonly folder: string
  /** Whether another model of that name may be replaced; absent: it may. The same model is left as it is then. */
  readonly replace?: boolean
  /** Gets a base that is not there, by its name or URL; resolves to its name. Absent: that is a fault. */
  readonly pull?: (reference: string) => Promise<string>
  readonly report: (event: CreateEvent) => void
  /** Aborted: stop as soon as that is possible; nothing is installed then. */
  readonly signal?: AbortSignal
}

/** What a model is made of. */
interface Parts {
  readonly kind: ModelKind
  readonly base: Extract<ModelSource, { type: "model" }> | undefined
  readonly reference: string
  /** New ones. */
  readonly files: readonly SourceFile[]
}

/**
 * Makes a model out of a Modelfile. It appears complete or not at all.
 * @throws InvalidModelfile, UnsupportedModelfile with everything that is wrong; ModelExists, FileFailed, StoreBusy, Cancelled; what
 * pulling fails with
 */
export async function createModel(request: CreateRequest): Promise<ModelSummary> {
  const added: Digest[] = []
  try {
    return await create(request, added)
  } catch (error) {
    await request.store.abandon(added)
    throw request.store.explain(error)
  }
}

/** @param taken is told of the blobs that were added */
async function create(request: CreateRequest, taken: Digest[]): Promise<ModelSummary> {
  const { store, name, modelfile, file, replace = true, report } = request
  const { instructions } = modelfile
  const faults = new Faults()
  for (const { line, message } of modelfile.problems) faults.wrong(line, message)
  checkInstructions(instructions, faults)
  report({ type: "status", status: "gathering model components" })
  const parts = await gatherParts(request, faults)
  if (parts !== undefined) checkInstructionsOfKind(instructions, parts.kind, faults)
  faults.throwAny(file)
  if (parts === undefined) throw new Error("what is missing is a fault")
  const warnings = [...modelfile.warnings, ...effectless(instructions), ...projectorWarnings(parts)]
  for (const { line, message } of warnings)
    report({ type: "warning", message: line === undefined ? message : `${file}:${line}: ${message}` })
  const stopIfAborted = () => {
    if (request.signal?.aborted) throw new Cancelled()
  }
  if (!replace) await refuseOtherSize(store, name, await sizeOf(parts))
  const added = await hashAll(store, parts.files, (event) => {
    stopIfAborted()
    report(event)
  })
  const files = [...keptFiles(parts), ...added.map(({ file }) => file)]
  const manifest = composeManifest({ ...parts, files, instructions, now: new Date() })
  if (!replace) await refuseOther(store, name, manifest)
  await using _held = await store.blobs.hold(files.map(({ digest }) => digest))
  for (const { digest } of keptFiles(parts)) report(layerStatus(digest, true))
  for (const each of added) {
    stopIfAborted()
    await addFile(store, each, report)
    taken.push(each.file.digest)
  }
  stopIfAborted()
  report({ type: "status", status: "writing manifest" })
  const summary = await store.install(name, manifest, replacing(replace))
  report({ type: "status", status: "success" })
  return summary
}

async function gatherParts(request: CreateRequest, faults: Faults): Promise<Parts | undefined> {
  const { modelfile, store } = request
  const finder = { ...request, faults }
  // First: nothing is downloaded where it is wrong.
  const adapterLine = instructionsOf(modelfile.instructions, "adapter").at(-1)
  const adapter = adapterLine && (await findAdapter(adapterLine, finder))
  const sources = await findSources(instructionsOf(modelfile.instructions, "from"), finder)
  if (sources === undefined) return undefined
  const parts = joinSources(sources, faults)
  if (parts === undefined || adapterLine === undefined || adapter === undefined) return parts
  await checkArchitecture(adapterLine, adapter.architecture, weightsOf(parts, store), faults)
  const { architecture: _, ...file } = adapter
  return { ...parts, files: [...parts.files, file] }
}

/** Several FROMs are parts of one model: one has the weights. `undefined`: a fault tells why they are not. */
function joinSources(sources: readonly FoundSource[], faults: Faults): Parts | undefined {
  let first: ModelSource | undefined
  const files = new Map<string, SourceFile>()
  for (const { line, source } of sources) {
    const isWhole = source.type === "model" || source.files.some(({ role }) => role !== "projector")
    const isKnown = source.type === "files" && source.files.every(({ path }) => files.has(path))
    if (isWhole && first !== undefined && !isKnown) {
      return void faults.wrong(
        line,
        "a second model: further FROM lines are for other parts of the first, such as a projector",
      )
    }
    if (isWhole) first ??= source
    if (source.type === "files") for (const file of source.files) files.set(file.path, file)
  }
  if (first === undefined) {
    return void faults.wrong(
      sources[0]?.line ?? 1,
      "FROM names only a projector; name the model that it belongs to as well",
    )
  }
  const kind = first.type === "model" ? first.manifest.kind : first.kind
  const reference = first.type === "model" ? first.name : first.reference
  return { kind, base: first.type === "model" ? first : undefined, reference, files: [...files.values()] }
}

/** The first file of a text model's weights. */
function weightsOf({ base, files }: Parts, store: Store): string | undefined {
  const own = files.find(({ role }) => role === "model")
  const kept = base?.manifest.files.find(({ role }) => role === "model")
  return own?.path ?? (kept && store.blobs.pathOf(kept.digest))
}

async function checkArchitecture(
  { line, value }: Reference,
  architecture: string | undefined,
  weights: string | undefined,
  faults: Faults,
): Promise<void> {
  const wanted = weights === undefined ? undefined : await architectureOf(weights)
  if (wanted === undefined || wanted === architecture) return
  faults.wrong(
    line,
    `ADAPTER ${value}: it is for models of the architecture '${architecture}', and this is a '${wanted}'`,
  )
}

function projectorWarnings({
  files,
}: Parts): readonly { readonly line?: number; readonly message: string }[] {
  if (!files.some(({ role }) => role === "projector")) return []
  return [{ message: "the projector is kept, but images in chats are not supported yet" }]
}

/** Files of the base; a new adapter or projector replaces an old one. */
function keptFiles({ base, files }: Parts): readonly ManifestFile[] {
  return (base?.manifest.files ?? []).filter(
    ({ role }) => role === "file" || !files.some((file) => file.role === role),
  )
}

/** In bytes. */
async function sizeOf(parts: Parts): Promise<number> {
  const own = await Promise.all(parts.files.map(async ({ path }) => (await stat(path)).size))
  return [...own, ...keptFiles(parts).map(({ sizeBytes }) => sizeBytes)].reduce((sum, size) => sum + size, 0)
}

interface HashedFile {
  readonly file: ManifestFile
  readonly path: string
  readonly stamp: string
}

async function hashAll(
  store: Store,
  files: readonly SourceFile[],
  report: CreateRequest["report"],
): Promise<HashedFile[]> {
  const hashed: HashedFile[] = []
  for (const { path, name, role } of files) {
    const { size, mtimeMs } = await stat(path)
    const digest =
      digestOfBlob(path, store) ??
      (await digestOfFile(path, (doneBytes) =>
        report({ type: "progress", file: name, doneBytes, totalBytes: size }),
      ))
    hashed.push({ file: { name, role, digest, sizeBytes: size }, path, stamp: `${size}:${mtimeMs}` })
  }
  return hashed
}

/** A blob of the store is called by its digest. */
function digestOfBlob(path: string, { blobs }: Store): Digest | undefined {
  const digest = digestOfFileName(basename(path))
  return digest !== undefined && blobs.pathOf(digest) === path ? digest : undefined
}

async function addFile(
  { blobs }: Store,
  { file, path, stamp }: HashedFile,
  report: CreateRequest["report"],
): Promise<void> {
  report(layerStatus(file.digest, await blobs.has(file.digest)))
  const { size, mtimeMs } = await stat(path)
  if (`${size}:${mtimeMs}` !== stamp) throw new InvalidModelFile(path, "it changed while it was read")
  await blobs.addFile(path, { digest: file.digest })
}

function layerStatus(digest: Digest, isThere: boolean): CreateEvent {
  return { type: "status", status: `${isThere ? "using existing" : "creating new"} layer ${digest}` }
}
