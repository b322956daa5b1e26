/** The answers of the routes under /v0, and how they are made. A client of this server may import the types. */
import type { Device, LoadedModel, LoadedModelInfo, RenderedPrompt, SamplingParameters } from "../../domain"
import type { EngineStatus, SystemReport } from "../../engine/contract"

export interface DeviceBody {
  readonly name: string
  readonly description: string
  readonly kind: Device["kind"]
  readonly backend: string
  readonly free_bytes: number
  readonly total_bytes: number
}

/** How a model was loaded. */
export interface LoadedInfoBody {
  readonly context_length: number
  readonly trained_context_length: number
  readonly slots: number
  readonly kv_layout: LoadedModelInfo["kvLayout"]
  readonly kv_cells: number
  readonly kv_bytes: number
  readonly model_bytes: number
  readonly gpu_layers: number
  readonly total_layers: number
  readonly devices: readonly string[]
  readonly gpu_fallback: string | null
  readonly decode_threads: number
  readonly prefill_threads: number
  readonly vocabulary_size: number
  readonly chat_template: LoadedModelInfo["chatTemplate"]
  readonly fill_in_the_middle: boolean
}

/** A model that has a worker. */
export interface LoadedModelBody {
  readonly name: string
  readonly id: string
  readonly state: LoadedModel["state"]
  /** 0 to 1. */
  readonly progress: number
  readonly pid: number | null
  readonly size_bytes: number
  readonly active_requests: number
  readonly queued_requests: number
  /** ISO 8601. */
  readonly loaded_at: string | null
  /** ISO 8601. */
  readonly last_used_at: string | null
  /** `null` until the model is loaded. */
  readonly info: LoadedInfoBody | null
  readonly counters: {
    readonly decode_calls: number
    readonly prompt_tokens_evaluated: number
    readonly prompt_tokens_cached: number
    readonly tokens_generated: number
    readonly preemptions: number
  }
}

/** GET /v0/health */
export interface HealthBody {
  readonly status: EngineStatus["status"]
  readonly version: string
  readonly uptime_seconds: number
  readonly models: readonly LoadedModelBody[]
  /** `null` until the backends have been asked. */
  readonly devices: readonly DeviceBody[] | null
}

/** GET /v0/ps */
export interface PsBody {
  readonly models: readonly LoadedModelBody[]
}

/** POST /v0/stop */
export interface StopBody {
  readonly model: string
  /** `false`: it was not loaded. */
  readonly stopped: boolean
}

/** GET /v0/system */
export interface SystemBody {
  readonly version: string
  readonly llama_version: string
  readonly runtime: string
  readonly platform: string
  readonly architecture: string
  readonly devices: readonly DeviceBody[]
  readonly gpu_fallback: string | null
}

/** POST /v0/render */
export interface RenderBody {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** Effective values under the names that requests give them. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export function toDeviceBody(device: Device): DeviceBody {
  return {
    name: device.name,
    description: device.description,
    kind: device.kind,
    backend: device.backend,
    free_bytes: device.freeBytes,
    total_bytes: device.totalBytes,
  }
}

export function toLoadedModelBody(model: LoadedModel): LoadedModelBody {
  return {
    name: model.name,
    id: model.id,
    state: model.state,
    progress: model.progress,
    pid: model.pid ?? null,
    size_bytes: model.sizeBytes,
    active_requests: model.activeRequests,
    queued_requests: model.queuedRequests,
    loaded_at: model.loadedAt?.toISOString() ?? null,
    last_used_at: model.lastUsedAt?.toISOString() ?? null,
    info: model.info === undefined ? null : toInfoBody(model.info),
    counters: {
      decode_calls: model.counters.decodeCalls,
      prompt_tokens_evaluated: model.counters.promptTokensEvaluated,
      prompt_tokens_cached: model.counters.promptTokensCached,
      tokens_generated: model.counters.tokensGenerated,
      preemptions: model.counters.preemptions,
    },
  }
}

function toInfoBody(info: LoadedModelInfo): LoadedInfoBody {
  return {
    context_length: info.contextLength,
    trained_context_length: info.trainedContextLength,
    slots: info.slots,
    kv_layout: info.kvLayout,
    kv_cells: info.kvCells,
    kv_bytes: info.kvBytes,
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
  }
}

export function toSystemBody(report: SystemReport, version: string): SystemBody {
  return {
    version,
    llama_version: report.llamaVersion,
    runtime: `bun ${Bun.version}`,
    platform: process.platform,
    architecture: process.arch,
    devices: report.devices.map(toDeviceBody),
    gpu_fallback: report.gpuFallback ?? null,
  }
}

export function toRenderBody({ prompt, tokens, parameters }: RenderedPrompt): RenderBody {
  return {
    prompt,
    tokens,
    parameters: {
      ...toSamplingBody(parameters),
      max_tokens: parameters.maxTokens,
      stop: parameters.stop,
    },
  }
}

function toSamplingBody(sampling: SamplingParameters): Readonly<Record<string, unknown>> {
  return {
    temperature: sampling.temperature,
    dynatemp_range: sampling.dynamicTemperatureRange,
    dynatemp_exponent: sampling.dynamicTemperatureExponent,
    top_k: sampling.topK,
    top_p: sampling.topP,
    min_p: sampling.minP,
    typical_p: sampling.typicalP,
    top_n_sigma: sampling.topNSigma,
    min_keep: sampling.minKeep,
    xtc_probability: sampling.xtcProbability,
    xtc_threshold: sampling.xtcThreshold,
    repeat_penalty: sampling.repeatPenalty,
    repeat_last_n: sampling.repeatLastN,
    presence_penalty: sampling.presencePenalty,
    frequency_penalty: sampling.frequencyPenalty,
    dry_multiplier: sampling.dryMultiplier,
    dry_base: sampling.dryBase,
    dry_allowed_length: sampling.dryAllowedLength,
    dry_penalty_last_n: sampling.dryPenaltyLastN,
    dry_sequence_breakers: sampling.drySequenceBreakers,
    mirostat: sampling.mirostat,
    mirostat_tau: sampling.mirostatTau,
    mirostat_eta: sampling.mirostatEta,
    seed: sampling.seed,
    // JSON has no -Infinity; `false` is how a request says it.
    logit_bias: sampling.logitBias.map(([token, bias]) => [token, bias === -Infinity ? false : bias]),
    ignore_eos: sampling.ignoreEos,
  }
}
