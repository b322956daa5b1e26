import { writeSync } from "node:fs"
import type { Device, MemoryFootprint } from "../../domain/device"
import type { LoadedTextInfo } from "../../domain/loaded-model"
import { type AppliedAdapter, effectiveAdapters } from "../../domain/adapters"
import { adapterOfPart, type AttachedPart } from "../../domain/attached-parts"
import type { KvPlan, TextModelSettings } from "../../domain/settings"
import { NotEnoughMemory } from "../../errors/engine"
import { ModelLoadFailed } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import { describeAdapter, misfitOf, readAdapterBase } from "../../formats/gguf/adapter"
import { readGgufHeader } from "../../formats/gguf/read"
import { partPaths } from "../../formats/gguf/split"
import {
  contextAdvice,
  leastContextBytes,
  MICRO_BATCH_TOKENS,
  MOST_CELLS,
  mostKvBytes,
  mostOutputs,
} from "../../formats/kv-layout"
import { systemMemory } from "../../lib/system/system-memory"
import { Batch } from "../../llama/batch"
import type { Context } from "../../llama/context"
import { listDevices } from "../../llama/devices"
import { Library } from "../../llama/library"
import { MAX_DEVICES, Model } from "../../llama/model"
import type { LlamaFiles } from "../../native/llama-files"
import { FRAME_START, LOAD_MARK } from "../../protocol/messages"
import { partRefused } from "../attached-parts"
import { threadCount, usableCores } from "../cores"
import { LoadedAdapters } from "./adapters/loaded-adapters"
import { KvCache } from "./cache/kv-cache"
import { DraftModel } from "./draft/draft-model"
import { describeSpeculation } from "./draft/settings"
import { loadProjector } from "./media/load-projector"
import type { Projector } from "./media/projector"
import { ContextFactory } from "./growth/context-factory"
import { measureFootprint, programPages } from "./footprint"
import { ropeOf } from "./rope"

/** The most tokens of one decode: llama.cpp's own default. */
const BATCH_TOKENS = 2048

/** A model that is ready to run. */
export interface LoadedText {
  readonly model: Model
  readonly context: Context
  readonly cache: KvCache
  /** Guesses its tokens; absent: no model does. */
  readonly draft: DraftModel | undefined
  /** What it sees or hears with; absent: it reads text only. */
  readonly projector?: Projector
  /** Makes the contexts that replace the first one. */
  readonly contexts: ContextFactory
  readonly loadedAdapters: LoadedAdapters
  /** Those that belong to the model. */
  readonly ownAdapters: readonly AppliedAdapter[]
  /** The memory that the model takes with a KV cache of so many bytes. */
  readonly footprintWith: (kvBytes: number) => MemoryFootprint
  /** Where bytes of a context lie. */
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly contextLength: number
  readonly batchTokens: number
  readonly mostOutputs: number
  readonly threads: { readonly decode: number; readonly prefill: number }
  /** Everything except what the prompt thread provides. */
  readonly info: Omit<LoadedTextInfo, "chatTemplate">
}

interface Offload {
  readonly model: Model
  readonly gpuLayers: number
}

/**
 * Loads a model and makes its context, with the KV cache that was planned.
 * @throws ModelLoadFailed, NotEnoughMemory, Unsupported (a model that generates no text), NativeLibraryError
 */
export function loadText(
  files: LlamaFiles,
  source: { readonly name: string; readonly path: string; readonly parts: readonly AttachedPart[] },
  settings: TextModelSettings,
  kv: KvPlan,
  logDescriptor: number,
): LoadedText {
  const programBytes = programPages()
  const library = Library.open(files, { useGpu: settings.gpuLayers !== 0, logDescriptor, logLevel: 3 })
  // Written synchronously, as the library does: output before this mark concerns backends, which may be
  // missing.
  writeSync(logDescriptor, `${FRAME_START}${LOAD_MARK}\n`)
  const gpus = gpusForLoad(library, settings)
  const { model, gpuLayers } = loadWeights(library, source.name, source.path, settings, gpus)
  if (!model.generatesText)
    throw new Unsupported(`model '${source.name}' does not generate text by itself`, "model")
  const rope = ropeOf(model, source.name, settings)
  const loadedAdapters = new LoadedAdapters(model)
  const ownAdapters = loadOwn(loadedAdapters, source)
  const onGpu = gpuLayers > 0
  refuseHopeless(model, source.name, settings, kv, gpuLayers)
  const decodeThreads = threadCount(settings.decodeThreads ?? usableCores())
  const threads = { decode: decodeThreads, prefill: threadCount(settings.prefillThreads ?? decodeThreads) }
  const seeing = loadProjector({
    files,
    library,
    model,
    name: source.name,
    parts: source.parts,
    gpus: onGpu ? gpusForLoad(library, settings) : [],
    threads: threads.prefill,
    flashAttention: settings.flashAttention,
    pictureTokens: settings.pictureTokens,
    warn: (text) => void writeSync(logDescriptor, `${FRAME_START}L4 ${text}\n`),
  })
  const outputs = mostOutputs(settings.slots)
  const contexts = new ContextFactory({
    model,
    adapters: loadedAdapters.hold(ownAdapters),
    options: {
      ...settings,
      batchTokens: BATCH_TOKENS,
      // llama.cpp ends the process if what must be computed at once is larger.
      microBatchTokens: Math.max(
        MICRO_BATCH_TOKENS,
        seeing?.projector.isWhole ? seeing.projector.mostCells : 0,
      ),
      outputs,
      decodeThreads: threads.decode,
      prefillThreads: threads.prefill,
    },
  })
  const context = makeContext(contexts, source.name, kv)
  const cache = new KvCache(context, model)
  const draft = DraftModel.load(library, model, source.name, source.parts, settings, threads.decode)
  const { hostBytes: seeingBytes = 0, deviceBytes: seeingOnGpu = 0, weightBytes = 0 } = seeing ?? {}
  const modelBytes = model.sizeBytes + (draft?.model.sizeBytes ?? 0) + loadedAdapters.bytes + weightBytes
  const offloadedShare = gpuLayers / (model.layers + 1)
  const before = onGpu ? gpus : []
  const footprintWith = (kvBytes: number): MemoryFootprint => {
    const bytes = model.sizeBytes + loadedAdapters.bytes + kvBytes
    const offloadedBytes = bytes * offloadedShare + seeingOnGpu
    const hostBytes = bytes * (1 - offloadedShare) + seeingBytes
    const after = gpusForLoad(library, settings)
    return measureFootprint({ before, after, offloadedBytes, hostBytes, programBytes })
  }
  const footprint = footprintWith(kv.bytes)
  if (onGpu) warmUp(context, source.name)
  const fallback = settings.gpuLayers === 0 || onGpu ? undefined : library.gpuFallback
  return {
    model,
    context,
    cache,
    draft,
    ...(seeing !== undefined && { projector: seeing.projector }),
    contexts,
    loadedAdapters,
    ownAdapters,
    footprintWith,
    footprintOf: (bytes) => ({
      ramBytes: bytes * (1 - offloadedShare),
      devices: before.map(({ name }) => ({ name, bytes: (bytes * offloadedShare) / before.length })),
    }),
    contextLength: kv.contextLength,
    batchTokens: BATCH_TOKENS,
    mostOutputs: outputs,
    threads,
    info: {
      kind: "text",
      footprint,
      contextLength: kv.contextLength,
      trainedContextLength: model.trainedContextLength,
      ...(rope !== undefined && { rope }),
      slots: settings.slots,
      kvLayout: kv.layout,
      kvCells: kv.cells,
      kvBytes: kv.bytes,
      kvMostCells: kv.mostCells,
      kvMostBytes: mostKvBytes(kv),
      ...(kv.contextLimitedBy !== undefined && { contextLimitedBy: kv.contextLimitedBy }),
      modelBytes,
      gpuLayers,
      totalLayers: model.layers + 1,
      devices: onGpu ? gpus.map((gpu) => gpu.name) : ["CPU"],
      ...(fallback !== undefined && { gpuFallback: fallback }),
      decodeThreads: threads.decode,
      prefillThreads: threads.prefill,
      vocabularySize: model.vocabulary.size,
      fillInTheMiddle: model.vocabulary.fillInTheMiddle !== undefined,
      speculation: describeSpeculation(settings, cache.traits, kv.bytesPerSequence, draft !== undefined),
      ...(seeing !== undefined && { projector: seeing.info }),
    },
  }
}

/**
 * Loads the weights with the requested GPU layers. If they do not fit, the engine decides what to try next.
 */
export function loadWeights(
  library: Library,
  name: string,
  path: string,
  settings: TextModelSettings,
  gpus: readonly Device[],
): Offload {
  if (gpus.length > 0) refuseUnsupportedSplit(settings, gpus)
  const wanted = gpus.length === 0 ? 0 : settings.gpuLayers
  // Pass every path: llama.cpp finds the other parts by itself only if they follow its naming scheme.
  const [first = path, ...others] = partPaths(path)
  const model = Model.load(library, first, { ...settings, gpuLayers: wanted }, others)
  if (model === undefined)
    throw new ModelLoadFailed(name, library.lastError() || "llama.cpp refused the file", undefined, {
      outOfMemory: wanted !== 0,
    })
  return { model, gpuLayers: Math.min(wanted ?? Number.POSITIVE_INFINITY, model.layers + 1) }
}

/**
 * Computes one token. A driver that cannot run the backend's kernels fails at the first step and aborts the
 * process. That should happen here, while the engine can still fall back to the CPU, not during a request.
 */
function warmUp(context: Context, name: string): void {
  const batch = new Batch(1, 1)
  batch.add(0, 0, 0, true)
  if (context.decode(batch) === "failed") {
    throw new ModelLoadFailed(name, "the first step failed on the GPU", undefined, { outOfMemory: true })
  }
  // Kernels run asynchronously; reading the logits waits for them.
  context.logits(0)
  context.clear(0)
}

/** @throws ModelLoadFailed if one is for another model; InvalidModelFile if it is damaged */
function loadOwn(
  loaded: LoadedAdapters,
  {
    name,
    path,
    parts,
  }: { readonly name: string; readonly path: string; readonly parts: readonly AttachedPart[] },
): readonly AppliedAdapter[] {
  const own = parts.filter(({ role }) => role === "adapter").map(adapterOfPart)
  const fail = (adapter: AppliedAdapter, reason: string): never => {
    throw partRefused(name, { role: "adapter", name: adapter.name }, reason)
  }
  const base = own.length === 0 ? undefined : readAdapterBase(partPaths(path))
  for (const adapter of own) {
    const misfit =
      base && misfitOf(describeAdapter(adapter.path, readGgufHeader(adapter.path)), base, `'${name}'`)
    if (misfit !== undefined) fail(adapter, misfit)
    if (!loaded.has(adapter) && !loaded.load(adapter, true)) fail(adapter, "was refused by llama.cpp")
  }
  return effectiveAdapters(own)
}

/**
 * Backends that can split single tensors over devices; others fail the load (row) or abort the process
 * (tensor).
 */
const SPLITS_TENSORS = new Set(["CUDA"])

function refuseUnsupportedSplit(
  { splitMode, tensorSplit }: TextModelSettings,
  gpus: readonly Device[],
): void {
  if (tensorSplit !== null && tensorSplit.length > MAX_DEVICES)
    throw new Unsupported(
      `tensor_split has ${tensorSplit.length} shares; a model is split over at most ${MAX_DEVICES} devices`,
      "tensor_split",
    )
  if (splitMode !== "row" && splitMode !== "tensor") return
  const unable = gpus.find((gpu) => !SPLITS_TENSORS.has(gpu.backend))
  if (unable === undefined) return
  throw new Unsupported(
    `split mode '${splitMode}' is not supported by ${unable.backend}; use 'layer'`,
    "split_mode",
  )
}

/**
 * Refuses a KV cache that cannot fit in system memory. The cache is written to on creation: one larger than
 * free memory would not fail but make the system kill a process. On GPUs the backends refuse it
 * themselves.
 * @throws NotEnoughMemory, ModelLoadFailed
 */
function refuseHopeless(
  model: Model,
  name: string,
  settings: TextModelSettings,
  kv: KvPlan,
  gpuLayers: number,
): void {
  const cells = Math.max(kv.cells, kv.contextLength)
  if (cells > MOST_CELLS)
    throw new ModelLoadFailed(
      name,
      `a KV cache of ${cells} tokens is more than llama.cpp's limit of ${MOST_CELLS}; use a smaller --ctx or fewer --slots`,
    )
  const hostShare = 1 - Math.min(1, gpuLayers / model.layers)
  const onCpu = gpuLayers === 0 && kv.certainBytes > 0
  const needed = onCpu ? leastContextBytes(kv) : kv.certainBytes * hostShare
  const { availableBytes } = systemMemory()
  if (needed <= availableBytes) return
  const advice = contextAdvice({ ...kv, bytes: kv.bytes * hostShare }, settings, availableBytes)
  // Whether a smaller one may be tried is the engine's decision.
  throw new NotEnoughMemory(name, "system memory", needed, availableBytes, advice, { outOfMemory: true })
}

function makeContext(contexts: ContextFactory, name: string, kv: KvPlan): Context {
  const context = contexts.create(kv)
  if (context !== undefined) return context
  throw new ModelLoadFailed(
    name,
    `not enough memory for a context of ${kv.cells} cells (${kv.layout}); try a smaller --ctx or fewer --slots`,
    undefined,
    { outOfMemory: true },
  )
}

/** The GPUs that a load may use, with their free memory at this moment. */
export function gpusForLoad(library: Library, { devices }: TextModelSettings): Device[] {
  const gpus = listDevices(library).filter((device) => device.kind === "gpu" || device.kind === "igpu")
  return devices === null ? gpus : gpus.filter((device) => devices.includes(device.name))
}
