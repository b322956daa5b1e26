import { stat } from "node:fs/promises"
import { basename } from "node:path"
import type { ModelKind, ModelSummary } from "../../domain/model"
import { InvalidModelFile } from "../../errors/model"
import { findQuantizeType } from "../../convert/quantize-types"
import type { JobRunner } from "../../convert/output"
import { Cancelled, Unsupported } from "../../errors/request"
import { type AdapterFacts, misfitOf, readAdapterBase } from "../../formats/gguf/adapter"
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
import { WeightMaker } from "./make-weights"
import { checkProjector } from "./projector"
import {
  architectureOf,
  faultOf,
  findAdapter,
  findDraft,
  findSources,
  type FoundSource,
  type ModelSource,
  type Reference,
  type SourceFile,
} from "./sources"

/** Progress of creating a model. */
export type CreateEvent =
  /** Ollama's wording; `success` is the last. */
  | { readonly type: "status"; readonly status: string }
  /** A file is being read. */
  | {
      readonly type: "progress"
      readonly file: string
      readonly doneBytes: number
      readonly totalBytes: number
    }
  /** Something accepted has no effect. */
  | { readonly type: "warning"; readonly message: string }

export interface CreateRequest {
  readonly store: Store
  readonly name: ModelName
  readonly modelfile: Modelfile
  /** The Modelfile's name in messages. */
  readonly file: string
  /** The base of relative paths. */
  readonly folder: string
  /**
   * Whether another model of that name may be replaced; absent: yes. If not, an identical model is left as it is.
   */
  readonly replace?: boolean
  /** Downloads a missing base by name or URL; resolves to its name. Absent: a missing base is a fault. */
  readonly pull?: (reference: string) => Promise<string>
  readonly report: (event: CreateEvent) => void
  /** Quantizes the weights to a type such as `Q4_K_M`. */
  readonly quantize?: string
  /** Runs llama.cpp's code, for conversions. */
  readonly runJob?: JobRunner
  /** Abort to stop as soon as possible; nothing is installed then. */
  readonly signal?: AbortSignal
}

/** The parts of a model. */
interface Parts {
  readonly kind: ModelKind
  readonly base: Extract<ModelSource, { type: "model" }> | undefined
  readonly reference: string
  /** Files that the base does not have. */
  readonly files: readonly SourceFile[]
}

/**
 * Creates a model from a Modelfile. It appears complete or not at all.
 * @throws InvalidModelfile, UnsupportedModelfile with every fault; ModelExists, FileFailed, StoreBusy, Cancelled;
 * the errors of pulling
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

/** @param taken collects the digests of the added blobs */
async function create(request: CreateRequest, taken: Digest[]): Promise<ModelSummary> {
  const { store, name, modelfile, file, replace = true, report } = request
  const { instructions } = modelfile
  const faults = new Faults()
  for (const { line, message } of modelfile.problems) faults.wrong(line, message)
  checkInstructions(instructions, faults)
  if (request.quantize !== undefined) findQuantizeType(request.quantize)
  report({ type: "status", status: "gathering model components" })
  const { signal, runJob } = request
  await using maker = new WeightMaker({ store, runJob, signal, report })
  const gathered = await gatherParts(request, faults, maker)
  const parts = gathered && faults.isEmpty ? await quantized(gathered, request, maker) : gathered
  if (parts !== undefined) checkInstructionsOfKind(instructions, parts.kind, faults)
  faults.throwAny(file)
  if (parts === undefined) throw new Error("what is missing is a fault")
  const warnings = [...modelfile.warnings, ...effectless(instructions)]
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

/** The parts with quantized weights, where that was asked for. */
async function quantized(
  parts: Parts,
  { store, quantize }: CreateRequest,
  maker: WeightMaker,
): Promise<Parts> {
  if (quantize === undefined) return parts
  const weights = weightsOf(parts, store)
  if (weights.length === 0 || (parts.kind !== "text" && parts.kind !== "embedding"))
    throw new Unsupported("only models of texts can be quantized", "quantize")
  const file = { name: "model.gguf", role: "model", path: await maker.quantize(weights, quantize) } as const
  return { ...parts, files: [...parts.files.filter(({ role }) => role !== "model"), file] }
}

async function gatherParts(
  request: CreateRequest,
  faults: Faults,
  maker: WeightMaker,
): Promise<Parts | undefined> {
  const { modelfile, store } = request
  const finder = { ...request, faults, convert: (folder: string) => maker.convert(folder) }
  // Checked first: nothing is downloaded for a wrong one.
  const adapterLine = instructionsOf(modelfile.instructions, "adapter").at(-1)
  const adapter = adapterLine && (await findAdapter(adapterLine, finder))
  const draftLine = instructionsOf(modelfile.instructions, "draft").at(-1)
  const draft = draftLine && (await findDraft(draftLine, finder))
  const sources = await findSources(instructionsOf(modelfile.instructions, "from"), finder)
  if (sources === undefined) return undefined
  const joined = joinSources(sources, faults)
  if (joined !== undefined) await checkProjector(sources, weightsOf(joined, store), faults)
  const parts = joined && draft ? { ...joined, files: [...joined.files, draft] } : joined
  if (parts === undefined || adapterLine === undefined || adapter === undefined) return parts
  const weights = weightsOf(parts, store)
  if ("folder" in adapter)
    return await withAdapter(parts, adapterLine, adapter.folder, weights[0], maker, faults)
  const { facts, ...file } = adapter
  await checkAdapter(adapterLine, facts, weights, faults)
  return { ...parts, files: [...parts.files, file] }
}

/** The parts with an adapter that is converted. `undefined`: a fault says why it is not. */
async function withAdapter(
  parts: Parts,
  { line, value }: Reference,
  folder: string,
  weights: string | undefined,
  maker: WeightMaker,
  faults: Faults,
): Promise<Parts | undefined> {
  const wrong = (reason: string) => void faults.wrong(line, `ADAPTER ${value}: ${reason}`)
  if (weights === undefined) return wrong("the model has no weights that it could be for")
  try {
    const path = await maker.adapter(folder, weights)
    return { ...parts, files: [...parts.files, { name: "adapter.gguf", role: "adapter", path }] }
  } catch (error) {
    return wrong(faultOf(error))
  }
}

/**
 * Several FROMs are parts of one model, one of them with the weights. `undefined`: a fault says why they are not.
 */
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

/** The files of a text model's weights. */
function weightsOf({ base, files }: Parts, store: Store): readonly string[] {
  const own = files.filter(({ role }) => role === "model").map(({ path }) => path)
  const kept = base?.manifest.files.filter(({ role }) => role === "model") ?? []
  return own.length > 0 ? own : kept.map(({ digest }) => store.blobs.pathOf(digest))
}

async function checkAdapter(
  { line, value }: Reference,
  facts: AdapterFacts,
  weights: readonly string[],
  faults: Faults,
): Promise<void> {
  const [first] = weights
  const wanted = first === undefined ? undefined : await architectureOf(first)
  if (wanted === undefined) return
  const misfit =
    wanted === facts.architecture
      ? misfitOf(facts, readAdapterBase(weights), "the model")
      : `is for models of the architecture '${facts.architecture}', and this is a '${wanted}'`
  if (misfit !== undefined) faults.wrong(line, `ADAPTER ${value}: it ${misfit}`)
}

/** Files kept from the base; a new adapter, draft or projector replaces an old one. */
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

/** The digest of a file that is already a blob of the store. */
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
