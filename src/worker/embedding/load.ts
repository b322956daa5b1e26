import { writeSync } from "node:fs"
import type { MemoryFootprint } from "../../domain/device"
import { POOLINGS } from "../../domain/embedding"
import type { LoadedEmbeddingInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"
import { ModelLoadFailed } from "../../errors/model"
import { isEncoder } from "../../formats/gguf/metadata"
import { EmbeddingContext, type EmbeddingContextOptions } from "../../llama/embedding-context"
import { Library } from "../../llama/library"
import type { Model } from "../../llama/model"
import type { LlamaFiles } from "../../native/llama-files"
import { FRAME_START, LOAD_MARK } from "../../protocol/messages"
import { threadCount, usableCores } from "../cores"
import { measureFootprint, programPages } from "../text/footprint"
import { loadWeights, gpusForLoad } from "../text/load"
import { PART_TOKENS } from "./pass"
import { contextTokens, FIRST_TOKENS, MOST_TEXTS, SHORT_CONTEXT_TOKENS } from "./context-holder"

/** The same of a recurrent model. */
const MOST_STATES = 8

/** An embedding model that is ready to run. */
export interface LoadedEmbedder {
  readonly model: Model
  readonly context: EmbeddingContext
  readonly create: (tokens: number) => EmbeddingContext | undefined
  /** See `ContextHolder`. */
  readonly createShort: (() => EmbeddingContext | undefined) | undefined
  readonly mostTokens: number
  readonly measure: () => MemoryFootprint
  /** Where bytes of a context lie. */
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly threads: number
  readonly info: LoadedEmbeddingInfo
}

/** @throws ModelLoadFailed, NativeLibraryError */
export function loadEmbedder(
  files: LlamaFiles,
  { name, path }: { readonly name: string; readonly path: string },
  settings: TextModelSettings,
  logDescriptor: number,
): LoadedEmbedder {
  const programBytes = programPages()
  const library = Library.open(files, { useGpu: settings.gpuLayers !== 0, logDescriptor, logLevel: 3 })
  writeSync(logDescriptor, `${FRAME_START}${LOAD_MARK}\n`)
  const gpus = gpusForLoad(library, settings)
  const { model, gpuLayers } = loadWeights(library, name, path, settings, gpus)
  const threads = threadCount(settings.prefillThreads ?? settings.decodeThreads ?? usableCores())
  const mostTokens = longestText(model, settings)
  const ways = waysOf(model, settings)
  const createFor = (tokens: number, { flashAttention }: Pick<TextModelSettings, "flashAttention">) =>
    EmbeddingContext.create(model, {
      ...settings,
      flashAttention,
      tokens,
      sequences: textsPerDecode(model),
      ...ways,
      threads,
    })
  const create = (tokens: number) => createFor(tokens, settings)
  const context = create(contextTokens(FIRST_TOKENS, mostTokens))
  if (context === undefined)
    throw new ModelLoadFailed(name, "not enough memory for a context", undefined, { outOfMemory: true })
  const onGpu = gpuLayers > 0
  const share = gpuLayers / (model.layers + 1)
  const before = onGpu ? gpus : []
  const measure = (): MemoryFootprint =>
    measureFootprint({
      before,
      after: gpusForLoad(library, settings),
      offloadedBytes: model.sizeBytes * share,
      hostBytes: model.sizeBytes * (1 - share),
      programBytes,
    })
  const fallback = settings.gpuLayers === 0 || onGpu ? undefined : library.gpuFallback
  return {
    model,
    context,
    create,
    createShort: isFasterShort(settings, ways, gpuLayers)
      ? () => createFor(SHORT_CONTEXT_TOKENS, { flashAttention: "off" })
      : undefined,
    mostTokens,
    measure,
    threads,
    footprintOf: (bytes) => ({
      ramBytes: bytes * (1 - share),
      devices: before.map(({ name: device }) => ({ name: device, bytes: (bytes * share) / before.length })),
    }),
    info: {
      kind: "embedding",
      footprint: measure(),
      slots: settings.slots,
      modelBytes: model.sizeBytes,
      devices: onGpu ? gpus.map((gpu) => gpu.name) : ["CPU"],
      family: model.metadata("general.architecture") ?? "unknown",
      threads,
      contextLength: mostTokens,
      trainedContextLength: model.trainedContextLength,
      dimensions: model.vectorLength,
      pooling: context.pooling,
      gpuLayers,
      totalLayers: model.layers + 1,
      ...(fallback !== undefined && { gpuFallback: fallback }),
    },
  }
}

/** Where the user leaves it open, on CPUs, and where texts are computed as a whole. */
function isFasterShort(
  { flashAttention }: Pick<TextModelSettings, "flashAttention">,
  { partTokens }: Pick<EmbeddingContextOptions, "partTokens">,
  gpuLayers: number,
): boolean {
  return flashAttention === "auto" && partTokens === undefined && gpuLayers === 0
}

/** A recurrent model has a state for each. */
export function textsPerDecode({ recurrent }: Model): number {
  return recurrent ? MOST_STATES : MOST_TEXTS
}

/** Learned positions end where the training did; rotary ones can be longer, if the user says so. */
export function longestText(
  model: Model,
  { contextLength }: Pick<TextModelSettings, "contextLength">,
): number {
  const trained = model.trainedContextLength
  return model.ropeFreqScale === undefined
    ? Math.min(contextLength ?? trained, trained)
    : (contextLength ?? trained)
}

/**
 * How a model's texts are computed. Where its file leaves the pooling open, it is the mean of a text's tokens. Tokens of
 * decoders see only what is before them, so that their texts can be computed in parts.
 */
export function waysOf(
  model: Model,
  settings: Pick<TextModelSettings, "pooling">,
): Pick<EmbeddingContextOptions, "pooling" | "partTokens"> {
  const architecture = model.metadata("general.architecture") ?? ""
  const inFile = POOLINGS[Number(model.metadata(`${architecture}.pooling_type`) ?? 0)] ?? "none"
  const usual = inFile === "none" ? "mean" : inFile
  // Scores are made by a head that only pools in its own way.
  const pooling = settings.pooling === "auto" || usual === "rank" ? usual : settings.pooling
  const isCausal = model.generatesText && model.metadata(`${architecture}.attention.causal`) !== "false"
  const isGradual = isCausal && !isEncoder(architecture) && pooling !== "cls" && pooling !== "rank"
  return { pooling, partTokens: isGradual ? PART_TOKENS : undefined }
}
