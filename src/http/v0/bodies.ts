/** The answers of the routes under /v0, and how they are made. A client of this server may import the types. */
import type {
  Device,
  LoadedModel,
  LoadedMediaInfo,
  LoadedModelInfo,
  LoadedTextInfo,
  MemoryFootprint,
  RenderedPrompt,
  SamplingParameters,
} from "../../domain"
import type { EngineStatus, FailedModel, MemoryStatus, SystemReport } from "../../engine/contract"
import type { Machine } from "../../lib/machine"
import { BODY_BYTES } from "../../limits"

export interface DeviceBody {
  readonly name: string
  readonly description: string
  readonly kind: Device["kind"]
  readonly backend: string
  readonly free_bytes: number
  readonly total_bytes: number
}

/** How a model was loaded. */
export type LoadedInfoBody = LoadedTextBody | LoadedMediaBody

export interface LoadedTextBody {
  readonly kind: "text"
  readonly context_length: number
  readonly trained_context_length: number
  readonly slots: number
  readonly kv_layout: LoadedTextInfo["kvLayout"]
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
  readonly chat_template: LoadedTextInfo["chatTemplate"]
  readonly fill_in_the_middle: boolean
}

/** Of a voice, a recogniser or a painter. */
export interface LoadedMediaBody {
  readonly kind: LoadedMediaInfo["kind"]
  readonly family: string
  readonly slots: number
  readonly model_bytes: number
  readonly devices: readonly string[]
  readonly threads: number
}

/** Where memory is taken. */
export interface FootprintBody {
  readonly ram_bytes: number
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** A worker of a model; a model with replicas has several. */
export interface LoadedModelBody {
  readonly name: string
  readonly kind: LoadedModel["kind"]
  /** From 1; `null`: the model has no others. */
  readonly replica: number | null
  readonly id: string
  readonly state: LoadedModel["state"]
  /** 0 to 1. */
  readonly progress: number
  readonly pid: number | null
  readonly size_bytes: number
  /** `null` until it is known or estimated. */
  readonly footprint: FootprintBody | null
  /** Which device has how many layers, and why; `null` until that is decided. */
  readonly plan: {
    readonly devices: readonly { readonly name: string; readonly layers: number }[]
    readonly explanation: string
  } | null
  /** What was done other than asked for to make the load succeed. */
  readonly notes: readonly string[]
  readonly priority: NonNullable<LoadedModel["priority"]>
  readonly pinned: boolean
  readonly active_requests: number
  readonly queued_requests: number
  /** ISO 8601. */
  readonly loaded_at: string | null
  /** ISO 8601. */
  readonly last_used_at: string | null
  /** When it will be unloaded if nobody uses it, ISO 8601; `null`: never, or it is in use. */
  readonly expires_at: string | null
  /** It stays until it is stopped or its room is needed. */
  readonly stays: boolean
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

/** A model that could not be loaded, or whose worker died; the next request tries again. */
export interface FailedModelBody {
  readonly name: string
  readonly kind: LoadedModel["kind"]
  readonly id: string
  readonly state: "failed"
  /** As in the answers to requests that fail because of it. */
  readonly code: string
  readonly reason: string
  /** ISO 8601. */
  readonly failed_at: string
}

/** One kind of memory, in bytes. */
export interface MemoryBody {
  readonly total_bytes: number
  /** What models may still take: less than is free where room is kept or a limit says so. */
  readonly free_bytes: number
  readonly used_by_models_bytes: number
  /** The limit that was set; `null`: none. */
  readonly limit_bytes: number | null
}

/** All memory that models may be in. */
export interface MemoriesBody {
  readonly system: MemoryBody
  readonly gpus: readonly (MemoryBody & { readonly name: string })[]
}

/** GET /v0/health */
export interface HealthBody {
  readonly status: EngineStatus["status"]
  /** How far the slowest load is, 0 to 1; `null` where nothing is loading. */
  readonly progress: number | null
  /** What is amiss, one sentence each. */
  readonly problems: readonly string[]
  readonly version: string
  readonly uptime_seconds: number
  readonly queue: EngineStatus["queue"]
  readonly models: readonly LoadedModelBody[]
  readonly failed: readonly FailedModelBody[]
  /** `null` until the backends have been asked. */
  readonly devices: readonly DeviceBody[] | null
}

/** GET /v0/health/live and /v0/health/ready */
export interface ProbeBody {
  readonly status: EngineStatus["status"]
}

/** GET /v0/ps */
export interface PsBody {
  readonly models: readonly LoadedModelBody[]
  readonly failed: readonly FailedModelBody[]
  readonly memory: MemoriesBody
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
  /** Name and release of the operating system. */
  readonly system: string
  /** ISO 8601. */
  readonly started_at: string
  readonly uptime_seconds: number
  readonly processor: { readonly name: string; readonly cores: number; readonly usable_cores: number }
  readonly memory: MemoriesBody
  readonly limits: {
    /** Requests that may wait for each model. */
    readonly queue: number
    readonly memory_bytes: number | null
    readonly body_bytes: number
  }
  /** Of llama.cpp, as its devices name them. */
  readonly backends: readonly string[]
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
    kind: model.kind,
    replica: model.replica ?? null,
    id: model.id,
    state: model.state,
    progress: model.progress,
    pid: model.pid ?? null,
    size_bytes: model.sizeBytes,
    footprint: toFootprintBody(model.footprint ?? model.info?.footprint),
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

export function toMemoriesBody({ system, gpus }: EngineStatus["memory"]): MemoriesBody {
  return { system: toMemoryBody(system), gpus: gpus.map((gpu) => ({ name: gpu.name, ...toMemoryBody(gpu) })) }
}

function toMemoryBody(memory: MemoryStatus): MemoryBody {
  return {
    total_bytes: memory.totalBytes,
    free_bytes: memory.freeBytes,
    used_by_models_bytes: memory.usedByModels,
    limit_bytes: memory.limitBytes,
  }
}

function toInfoBody(info: LoadedModelInfo): LoadedInfoBody {
  return info.kind === "text" ? toTextBody(info) : toMediaBody(info)
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

/** What a {@link SystemBody} is made of. */
export interface SystemFacts {
  readonly report: SystemReport
  readonly status: EngineStatus
  readonly machine: Machine
  readonly version: string
  readonly startedAt: Date
}

export function toSystemBody({ report, status, machine, version, startedAt }: SystemFacts): SystemBody {
  return {
    version,
    llama_version: report.llamaVersion,
    runtime: `bun ${Bun.version}`,
    platform: process.platform,
    architecture: process.arch,
    system: machine.system,
    started_at: startedAt.toISOString(),
    uptime_seconds: secondsSince(startedAt),
    processor: { name: machine.processor, cores: machine.cores, usable_cores: machine.usableCores },
    memory: toMemoriesBody(status.memory),
    limits: {
      queue: status.queue.limit,
      memory_bytes: status.memory.system.limitBytes,
      body_bytes: BODY_BYTES.generation,
    },
    backends: [...new Set(report.devices.map(({ backend }) => backend))],
    devices: report.devices.map(toDeviceBody),
    gpu_fallback: report.gpuFallback ?? null,
  }
}

export function toHealthBody(status: EngineStatus, version: string, startedAt: Date): HealthBody {
  const loading = status.models.filter(({ state }) => state === "loading")
  return {
    status: status.status,
    progress: loading.length === 0 ? null : Math.min(...loading.map(({ progress }) => progress)),
    problems: status.problems,
    version,
    uptime_seconds: secondsSince(startedAt),
    queue: status.queue,
    models: status.models.map(toLoadedModelBody),
    failed: status.failed.map(toFailedModelBody),
    devices: status.devices?.map(toDeviceBody) ?? null,
  }
}

function secondsSince(time: Date): number {
  return (Date.now() - time.getTime()) / 1000
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
