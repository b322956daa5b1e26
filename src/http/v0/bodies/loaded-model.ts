import type { MemoryFootprint } from "../../../domain/device"
import type {
  LoadedEmbeddingInfo,
  LoadedMediaInfo,
  LoadedModel,
  LoadedModelInfo,
  LoadedProjectorInfo,
  LoadedTextInfo,
  RopeInfo,
} from "../../../domain/loaded-model"
import type { FailedModel } from "../../../engine/contract"

/** How a model was loaded. */
export type LoadedInfoBody = LoadedTextBody | LoadedEmbeddingBody | LoadedMediaBody

export interface LoadedTextBody {
  readonly kind: "text"
  readonly context_length: number
  readonly trained_context_length: number
  readonly rope: RopeBody | null
  /** Why the context is shorter than the trained one, without its having been set; `null`: it is not. */
  readonly context_limited_by: "memory" | null
  readonly slots: number
  readonly kv_layout: LoadedTextInfo["kvLayout"]
  /** At present, as are `kv_layout` and `kv_bytes`. */
  readonly kv_cells: number
  readonly kv_bytes: number
  /** Sizes up to which the KV cache may grow. */
  readonly kv_most_cells: number
  readonly kv_most_bytes: number
  readonly model_bytes: number
  readonly gpu_layers: number
  readonly total_layers: number
  readonly devices: readonly string[]
  readonly gpu_fallback: string | null
  readonly decode_threads: number
  readonly prefill_threads: number
  readonly vocabulary_size: number
  readonly chat_template: LoadedTextInfo["chatTemplate"]
  readonly fill_in_the_middle: boolean
  /** Whether answers are guessed ahead, from what and when, or why not. */
  readonly speculation: { readonly is_on: boolean; readonly explanation: string }
  /** What it sees or hears with; absent: it reads text only. */
  readonly projector?: ProjectorBody
}

interface ProjectorBody {
  readonly sees: boolean
  readonly hears: boolean
  /** A GPU's name, or `CPU`. */
  readonly device: string
  readonly gpu_fallback: string | null
  readonly bytes: number
  readonly most_cells: number
}

/** The rotary position embeddings in use, by the names of the settings. */
interface RopeBody {
  readonly rope_scaling: string
  readonly rope_freq_base: number
  readonly rope_freq_scale: number
  readonly yarn_orig_ctx: number | null
}

/** A loaded embedding or reranking model. */
export interface LoadedEmbeddingBody {
  readonly kind: "embedding"
  readonly family: string
  /** The longest text, in tokens. */
  readonly context_length: number
  readonly trained_context_length: number
  /** Numbers in a vector. */
  readonly dimensions: number
  readonly pooling: LoadedEmbeddingInfo["pooling"]
  readonly slots: number
  readonly model_bytes: number
  readonly gpu_layers: number
  readonly total_layers: number
  readonly devices: readonly string[]
  readonly gpu_fallback: string | null
  readonly threads: number
}

/** A loaded speech, transcription or image model. */
export interface LoadedMediaBody {
  readonly kind: LoadedMediaInfo["kind"]
  readonly family: string
  readonly slots: number
  readonly model_bytes: number
  readonly devices: readonly string[]
  readonly threads: number
}

/** The memory that a model uses. */
export interface FootprintBody {
  readonly ram_bytes: number
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** A worker of a model; a model with replicas has several. */
export interface LoadedModelBody {
  readonly name: string
  readonly kind: LoadedModel["kind"]
  /** From 1; `null`: the model has only one worker. */
  readonly replica: number | null
  readonly id: string
  readonly state: LoadedModel["state"]
  /** 0 to 1. */
  readonly progress: number
  readonly pid: number | null
  readonly size_bytes: number
  /** `null` until known or estimated. */
  readonly footprint: FootprintBody | null
  /** Bytes that it may grow to, as far as there is memory; `null`: it does not grow. */
  readonly most_bytes: number | null
  /** How many layers are on each device, and why; `null` until decided. */
  readonly plan: {
    readonly devices: readonly { readonly name: string; readonly layers: number }[]
    readonly explanation: string
  } | null
  /** Fallbacks applied so that the load could succeed. */
  readonly notes: readonly string[]
  readonly priority: NonNullable<LoadedModel["priority"]>
  readonly pinned: boolean
  readonly active_requests: number
  readonly queued_requests: number
  /** ISO 8601. */
  readonly loaded_at: string | null
  /** ISO 8601. */
  readonly last_used_at: string | null
  /** When it will be unloaded if unused, ISO 8601; `null`: never, or it is in use. */
  readonly expires_at: string | null
  /** It stays loaded until it is stopped or its memory is needed. */
  readonly stays: boolean
  /** `null` until the model is loaded. */
  readonly info: LoadedInfoBody | null
  readonly counters: {
    readonly decode_calls: number
    readonly prompt_tokens_evaluated: number
    readonly prompt_tokens_cached: number
    readonly tokens_generated: number
    readonly preemptions: number
    readonly kv_growths: number
    /** Guessed tokens that were checked, and those that were right. */
    readonly draft_n: number
    readonly draft_n_accepted: number
    readonly adapter_switches: number
    readonly adapter_loads: number
    readonly media_encoded: number
    readonly media_encode_ms: number
  }
}

/** A model that failed to load, or whose worker died; the next request retries. */
export interface FailedModelBody {
  readonly name: string
  readonly kind: LoadedModel["kind"]
  readonly id: string
  readonly state: "failed"
  /** As in the errors of requests that fail for this reason. */
  readonly code: string
  readonly reason: string
  /** ISO 8601. */
  readonly failed_at: string
}

export function toLoadedModelBody(model: LoadedModel): LoadedModelBody {
  return {
    name: model.name,
    kind: model.kind,
    replica: model.replica ?? null,
    id: model.id,
    state: model.state,
    progress: model.progress,
    pid: model.pid ?? null,
    size_bytes: model.sizeBytes,
    footprint: toFootprintBody(model.footprint ?? model.info?.footprint),
    most_bytes: model.mostBytes ?? null,
    plan: model.plan ?? null,
    notes: model.notes ?? [],
    priority: model.priority ?? "normal",
    pinned: model.pinned ?? false,
    active_requests: model.activeRequests,
    queued_requests: model.queuedRequests,
    loaded_at: model.loadedAt?.toISOString() ?? null,
    last_used_at: model.lastUsedAt?.toISOString() ?? null,
    expires_at: model.expiresAt?.toISOString() ?? null,
    stays: model.expiresAt === null,
    info: model.info === undefined ? null : toInfoBody(model.info),
    counters: {
      decode_calls: model.counters.decodeCalls,
      prompt_tokens_evaluated: model.counters.promptTokensEvaluated,
      prompt_tokens_cached: model.counters.promptTokensCached,
      tokens_generated: model.counters.tokensGenerated,
      preemptions: model.counters.preemptions,
      kv_growths: model.counters.kvGrowths,
      draft_n: model.counters.draftTokens,
      draft_n_accepted: model.counters.draftTokensAccepted,
      adapter_switches: model.counters.adapterSwitches,
      adapter_loads: model.counters.adapterLoads,
      media_encoded: model.counters.mediaEncoded,
      media_encode_ms: model.counters.mediaEncodeMs,
    },
  }
}

export function toFailedModelBody({ name, kind, id, error, failedAt }: FailedModel): FailedModelBody {
  const { code, publicMessage: reason } = error
  return { name, kind, id, state: "failed", code, reason, failed_at: failedAt.toISOString() }
}

function toFootprintBody(footprint: MemoryFootprint | undefined): FootprintBody | null {
  return footprint === undefined ? null : { ram_bytes: footprint.ramBytes, devices: footprint.devices }
}

function toInfoBody(info: LoadedModelInfo): LoadedInfoBody {
  if (info.kind === "text") return toTextBody(info)
  return info.kind === "embedding" ? toEmbeddingBody(info) : toMediaBody(info)
}

function toEmbeddingBody(info: LoadedEmbeddingInfo): LoadedEmbeddingBody {
  return {
    kind: info.kind,
    family: info.family,
    context_length: info.contextLength,
    trained_context_length: info.trainedContextLength,
    dimensions: info.dimensions,
    pooling: info.pooling,
    slots: info.slots,
    model_bytes: info.modelBytes,
    gpu_layers: info.gpuLayers,
    total_layers: info.totalLayers,
    devices: info.devices,
    gpu_fallback: info.gpuFallback ?? null,
    threads: info.threads,
  }
}

function toMediaBody({
  kind,
  family,
  slots,
  modelBytes,
  devices,
  threads,
}: LoadedMediaInfo): LoadedMediaBody {
  return { kind, family, slots, model_bytes: modelBytes, devices, threads }
}

function toTextBody(info: LoadedTextInfo): LoadedTextBody {
  return {
    kind: info.kind,
    context_length: info.contextLength,
    trained_context_length: info.trainedContextLength,
    rope: info.rope === undefined ? null : toRopeBody(info.rope),
    context_limited_by: info.contextLimitedBy ?? null,
    slots: info.slots,
    kv_layout: info.kvLayout,
    kv_cells: info.kvCells,
    kv_bytes: info.kvBytes,
    kv_most_cells: info.kvMostCells,
    kv_most_bytes: info.kvMostBytes,
    model_bytes: info.modelBytes,
    gpu_layers: info.gpuLayers,
    total_layers: info.totalLayers,
    devices: info.devices,
    gpu_fallback: info.gpuFallback ?? null,
    decode_threads: info.decodeThreads,
    prefill_threads: info.prefillThreads,
    vocabulary_size: info.vocabularySize,
    chat_template: info.chatTemplate,
    fill_in_the_middle: info.fillInTheMiddle,
    speculation: { is_on: info.speculation.isOn, explanation: info.speculation.explanation },
    ...(info.projector !== undefined && { projector: toProjectorBody(info.projector) }),
  }
}

function toRopeBody({ scaling, freqBase, freqScale, originalContext }: RopeInfo): RopeBody {
  return {
    rope_scaling: scaling,
    rope_freq_base: freqBase,
    rope_freq_scale: freqScale,
    yarn_orig_ctx: originalContext ?? null,
  }
}

function toProjectorBody(info: LoadedProjectorInfo): ProjectorBody {
  const { sees, hears, device, gpuFallback = null, bytes, mostCells } = info
  return { sees, hears, device, gpu_fallback: gpuFallback, bytes, most_cells: mostCells }
}
