import type { BatchCost } from "./batch-cost"
import { MAX_INT32, NUMBERS, PICTURES, ROPE, SETTINGS } from "../limits"
import {
  decimals,
  integers,
  lists,
  orChosen,
  type SettingValues,
  stays,
  texts,
  toggles,
  type ValueOf,
  waits,
  words,
} from "./setting-values"

/**
 * A setting that each model may have a value of its own for. To add one, add a row to {@link LOAD_SETTINGS} or
 * {@link RESIDENCY_SETTINGS}, and use it: the configuration file, variables, flags, Modelfiles, `show` and the tables
 * of the documentation follow.
 */
export interface SettingRow {
  /** Its name in a configuration file, below `defaults` and `models.NAME`. */
  readonly name: string
  /** Determines its flag and variable: `gpuLayers` gives `--gpu-layers` and `XLLM_GPU_LAYERS`. */
  readonly flag: string
  readonly values: SettingValues
  readonly fallback: unknown
  readonly help: string
  /** Its flag once more, as llama.cpp abbreviates it. */
  readonly short?: string
  /** When a new value takes effect: at once, at the model's next load, or (absent) when the server starts. */
  readonly takesEffect?: "now" | "load"
  /** Has no meaning for models of other kinds. */
  readonly onlyText?: true
  /** The server-wide setting that counts where this one is automatic, so that a model always has a value. */
  readonly serverWide?: "gpuSplitMode"
  /** Its parameter in Modelfiles; absent: it has none. */
  readonly modelfile?: ModelfileName
}

interface ModelfileName {
  readonly name: string
  /** A parameter that stands for several settings, and is weaker than `name`. */
  readonly shared?: string
  /** The number that leaves the choice to the program. */
  readonly automatic?: number
}

/** Checks a row: its fallback is one of its values. */
function row<const R extends SettingRow>(row: R & { readonly fallback: ValueOf<R["values"]> }): R {
  return row
}

/** llama.cpp's own limit of sequences in one context (LLAMA_MAX_SEQ). */
const MAXIMUM_SLOTS = 256

/** llama.cpp's own limit of threads in one pool (GGML_MAX_N_THREADS). */
const MAXIMUM_THREADS = 512

/** More workers of one model than this are a typing error. */
const MAXIMUM_REPLICAS = 64

/** `reasoningBudget` without a limit: llama-server's number. */
export const NO_BUDGET = -1

const kvTypes = words(["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"], "TYPE")

const threads = orChosen(integers({ min: 1, max: MAXIMUM_THREADS }), "auto")

export const splitModes = words(["layer", "row", "tensor", "none"])

/** What a worker loads a model with, by field of {@link TextModelSettings}. */
export const LOAD_SETTINGS = {
  /** The longest single conversation, in tokens. */
  contextLength: row({
    name: "ctx",
    flag: "ctx",
    values: orChosen(integers(NUMBERS.context), "auto"),
    fallback: null,
    help: "context size in tokens (default: as trained, as far as memory allows)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "num_ctx" },
  }),
  /** Sequences generated in parallel. */
  slots: row({
    name: "slots",
    flag: "slots",
    values: integers({ min: 1, max: MAXIMUM_SLOTS }),
    fallback: 16,
    help: "requests answered at the same time (default 16)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "parallel" },
  }),
  decodeThreads: row({
    name: "threads",
    flag: "threads",
    values: threads,
    fallback: null,
    help: "threads for generation, at most one for each CPU (default: adapts)",
    takesEffect: "load",
    modelfile: { name: "num_thread", automatic: 0 },
  }),
  prefillThreads: row({
    name: "threads_batch",
    flag: "threadsBatch",
    values: threads,
    fallback: null,
    help: "threads for prompt processing (default: as --threads)",
    takesEffect: "load",
    modelfile: { name: "num_thread", automatic: 0 },
  }),
  /** Layers on GPUs; `null`: as many as fit, 0: none. */
  gpuLayers: row({
    name: "gpu_layers",
    flag: "gpuLayers",
    values: orChosen(integers({ min: 0, max: MAX_INT32 }), "auto"),
    fallback: null,
    help: "layers on GPUs; 0 = none (default auto: all that fit)",
    takesEffect: "load",
    modelfile: { name: "num_gpu", automatic: -1 },
  }),
  splitMode: row({
    name: "split_mode",
    flag: "splitMode",
    values: orChosen(splitModes, "auto"),
    fallback: null,
    help: "how several GPUs share a model (default layer)",
    takesEffect: "load",
    serverWide: "gpuSplitMode",
  }),
  tensorSplit: row({
    name: "tensor_split",
    flag: "tensorSplit",
    values: orChosen(lists(decimals(SETTINGS.share), "N,N,…", SETTINGS.devices), "auto"),
    fallback: null,
    help: "share of each GPU, such as 3,1 (default: by memory)",
    takesEffect: "load",
  }),
  /** Devices to use, by the backends' names. */
  devices: row({
    name: "devices",
    flag: "device",
    values: orChosen(lists(texts("NAME"), "NAME,…", SETTINGS.devices), "auto"),
    fallback: null,
    help: "devices to use (default: all GPUs)",
    takesEffect: "load",
  }),
  kvTypeK: row({
    name: "cache_type_k",
    flag: "cacheTypeK",
    values: kvTypes,
    fallback: "f16",
    help: "KV cache type for K: f32, f16, bf16, q8_0, q4_0, … (default f16)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "cache_type_k", shared: "kv_cache_type" },
  }),
  kvTypeV: row({
    name: "cache_type_v",
    flag: "cacheTypeV",
    values: kvTypes,
    fallback: "f16",
    help: "KV cache type for V (default f16)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "cache_type_v", shared: "kv_cache_type" },
  }),
  flashAttention: row({
    name: "flash_attention",
    flag: "flashAttn",
    values: words(["auto", "on", "off"]),
    fallback: "auto",
    help: "flash attention (default auto)",
    takesEffect: "load",
    onlyText: true,
  }),
  /** `null`: the engine decides from free memory, by the rule of `formats/kv-layout.ts`. */
  kvLayout: row({
    name: "kv_layout",
    flag: "kv",
    values: orChosen(words(["unified", "split"]), "auto"),
    fallback: null,
    help: "KV cache: shared by all slots, or split per slot (default auto)",
    takesEffect: "load",
    onlyText: true,
  }),
  /** Size of the whole KV pool, in tokens; `null`: from free memory. */
  kvCells: row({
    name: "kv_cells",
    flag: "kvCells",
    values: orChosen(integers({ min: 1, max: MAX_INT32 }), "auto"),
    fallback: null,
    help: "size of the whole KV cache in tokens (default: by memory)",
    takesEffect: "load",
    onlyText: true,
  }),
  /** How positions beyond the trained length are mapped into it; `null`: as the file says, likewise below. */
  ropeScaling: row({
    name: "rope_scaling",
    flag: "ropeScaling",
    values: orChosen(words(["none", "linear", "yarn"]), "auto"),
    fallback: null,
    help: "how positions are scaled for a longer context (default: as the model's file says)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "rope_scaling" },
  }),
  ropeFreqBase: row({
    name: "rope_freq_base",
    flag: "ropeFreqBase",
    values: orChosen(decimals(ROPE.freqBase), "auto"),
    fallback: null,
    help: "base frequency of the positions (default: as the model's file says)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "rope_freq_base" },
  }),
  /** The inverse of the factor by which the context is longer. */
  ropeFreqScale: row({
    name: "rope_freq_scale",
    flag: "ropeFreqScale",
    values: orChosen(decimals(ROPE.freqScale), "auto"),
    fallback: null,
    help: "scale of the positions: 0.25 = a context four times as long (default: as the model's file says)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "rope_freq_scale" },
  }),
  yarnOriginalContext: row({
    name: "yarn_orig_ctx",
    flag: "yarnOrigCtx",
    values: orChosen(integers(NUMBERS.context), "auto"),
    fallback: null,
    help: "YaRN: the length that the model was trained with before it was stretched (default: as trained)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "yarn_orig_ctx" },
  }),
  /** Whether guessed tokens are checked several at a time; `auto`: where that is faster. */
  speculation: row({
    name: "speculation",
    flag: "speculation",
    values: words(["auto", "off", "ngram", "draft"]),
    fallback: "auto",
    help: "check guessed tokens together: auto = where that is faster, ngram = always, from earlier text (default auto)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "speculation" },
  }),
  /** A text model with the same vocabulary; `null`: the one that belongs to the model, if any. */
  draftModel: row({
    name: "draft_model",
    flag: "modelDraft",
    short: "md",
    values: orChosen(texts("MODEL"), "auto"),
    fallback: null,
    help: "a smaller model with the same vocabulary that guesses tokens (default: the model's own, if it has one)",
    takesEffect: "load",
    onlyText: true,
  }),
  draftMax: row({
    name: "draft_max",
    flag: "draftMax",
    values: integers(NUMBERS.draft),
    fallback: 16,
    help: "guessed tokens checked at a time, at most (default 16)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "draft_num_predict" },
  }),
  /** Shorter drafts are left out. */
  draftMin: row({
    name: "draft_min",
    flag: "draftMin",
    values: integers(NUMBERS.draft),
    fallback: 0,
    help: "check no fewer guessed tokens than this at a time (default 0)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "draft_num_min" },
  }),
  /** How the vectors of a text's tokens become one; `none`: they stay apart; `auto`: as the file says. */
  pooling: row({
    name: "pooling",
    flag: "pooling",
    values: words(["auto", "none", "mean", "cls", "last"]),
    fallback: "auto",
    help: "how embeddings are pooled; none = a vector for each token, at /embedding (default auto: as the model's file says)",
    takesEffect: "load",
    modelfile: { name: "pooling" },
  }),
  /** A draft model's guess ends before a token that it holds to be less likely than this. */
  draftLeastProbability: row({
    name: "draft_p_min",
    flag: "draftPMin",
    values: decimals({ min: 0, max: 1 }),
    fallback: 0,
    help: "a draft model's guess ends at a token less likely than this (default 0: goes on)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "draft_p_min" },
  }),
  /** Of requests that have none; `null`: a new one for each. */
  seed: row({
    name: "seed",
    flag: "seed",
    values: orChosen(integers(NUMBERS.fixedSeed), "random"),
    fallback: null,
    help: "seed of requests that have none (default: a new one for each)",
    takesEffect: "load",
    onlyText: true,
  }),
  /** Of chats whose requests say neither yes nor no; `auto`: as the template has it. */
  reasoning: row({
    name: "reasoning",
    flag: "reasoning",
    values: words(["auto", "on", "off"]),
    fallback: "auto",
    help: "think before answering where a request does not say (default auto: as the model's template has it)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "reasoning" },
  }),
  /** The most tokens of thinking where a request does not say; -1: no limit. */
  reasoningBudget: row({
    name: "reasoning_budget",
    flag: "reasoningBudget",
    values: integers({ ...NUMBERS.tokens, min: NO_BUDGET }),
    fallback: NO_BUDGET,
    help: "max tokens of thinking where a request does not say; 0 = none (default -1: no limit)",
    takesEffect: "load",
    onlyText: true,
    modelfile: { name: "reasoning_budget" },
  }),
  /** Of one picture, for models that take pictures of any size. */
  pictureTokens: row({
    name: "image_max_tokens",
    flag: "imageMaxTokens",
    values: integers(PICTURES.tokens),
    fallback: PICTURES.tokens.usual,
    help: "max tokens of one image that a chat shows, where its size decides (default 1024)",
    takesEffect: "load",
    onlyText: true,
  }),
  memoryMap: row({
    name: "mmap",
    flag: "mmap",
    values: toggles,
    fallback: true,
    help: "map the model file into memory (default); --no-mmap reads it instead",
    takesEffect: "load",
    modelfile: { name: "use_mmap" },
  }),
  memoryLock: row({
    name: "mlock",
    flag: "mlock",
    values: toggles,
    fallback: false,
    help: "lock the model in memory, so that it is never swapped out",
    takesEffect: "load",
  }),
} as const satisfies Readonly<Record<string, SettingRow>>

/** How a server keeps a model. */
export const RESIDENCY_SETTINGS = {
  /** How long it stays after its last request; `null`: until its memory is needed. */
  keepAliveSeconds: row({
    name: "keep_alive",
    flag: "keepAlive",
    values: orChosen(stays, "forever"),
    fallback: 300,
    help: "how long an unused model stays loaded; 0 = unload at once (default 5m)",
    takesEffect: "now",
    modelfile: { name: "keep_alive" },
  }),
  /** How long its worker may compute without a heartbeat; `null`: the default of its kind. */
  stepTimeoutSeconds: row({
    name: "step_timeout",
    flag: "stepTimeout",
    values: orChosen(waits, "auto"),
    fallback: null,
    help: "kill a worker that makes no progress for this long (default 2m; speech to text 5m, images 15m)",
    takesEffect: "now",
  }),
  /** The order of eviction when memory is short: lowest first. */
  priority: row({
    name: "priority",
    flag: "priority",
    values: words(["high", "normal", "low"]),
    fallback: "normal",
    help: "which models stay loaded when memory is short (default normal)",
    takesEffect: "now",
  }),
  /** Once loaded, it stays until it is stopped. */
  pinned: row({
    name: "pinned",
    flag: "pinned",
    values: toggles,
    fallback: false,
    help: "never unload it to free memory for another model",
    takesEffect: "now",
  }),
  /** Parallel workers. */
  replicas: row({
    name: "replicas",
    flag: "replicas",
    values: integers({ min: 1, max: MAXIMUM_REPLICAS }),
    fallback: 1,
    help: "worker processes per model (default 1)",
    takesEffect: "load",
  }),
  /** Load it when the server starts. */
  preload: row({
    name: "preload",
    flag: "preload",
    values: toggles,
    fallback: false,
    help: "load when the server starts",
  }),
} as const satisfies Readonly<Record<string, SettingRow>>

export const MODEL_SETTINGS = { ...LOAD_SETTINGS, ...RESIDENCY_SETTINGS }

/** The values of all settings of a table. */
type ValuesOfRows<T extends Readonly<Record<string, SettingRow>>> = {
  readonly [K in keyof T]: T[K] extends { readonly serverWide: string }
    ? NonNullable<ValueOf<T[K]["values"]>>
    : ValueOf<T[K]["values"]>
}

/** What one model is loaded with. The engine and the worker choose where a value is `null`. */
export interface TextModelSettings extends ValuesOfRows<typeof LOAD_SETTINGS> {
  /** Absent: prompts are not kept on disk. The same for all models. */
  readonly promptsOnDisk?: PromptsOnDisk
  /** What batches of the model cost on this machine; absent: not measured. */
  readonly batchCosts?: readonly BatchCost[]
}

// The table's own keys.
export const LOAD_FIELDS = Object.keys(LOAD_SETTINGS) as readonly (keyof TextModelSettings)[]

/** How a model is loaded and kept. */
export interface ModelSettings extends TextModelSettings, ValuesOfRows<typeof RESIDENCY_SETTINGS> {}

/** Where evaluated prompts are kept when they leave memory. */
export interface PromptsOnDisk {
  readonly folder: string
  /** Of all files together. */
  readonly maxBytes: number
  /** Shorter prompts are not kept. */
  readonly minTokens: number
}

export type KvType = TextModelSettings["kvTypeK"]

/** llama.cpp's layout of the KV cache: one pool for all sequences, or an equal share for each. */
export type KvLayout = NonNullable<TextModelSettings["kvLayout"]>

export type ModelPriority = ModelSettings["priority"]

/**
 * The KV cache that a text model is loaded with, and how far the worker may grow it: planned by the engine once per
 * load, made by the worker. Sizes are bytes.
 */
export interface KvPlan {
  /** Of the first context, as are `cells`, `sequences` and `bytes`. */
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  /** At most `slots`. */
  readonly sequences: number
  /** The most sequences. */
  readonly slots: number
  /** The longest single conversation; it does not change while the model is loaded. */
  readonly contextLength: number
  /** Why that is shorter than what the model was trained for, without the user's having set it. */
  readonly contextLimitedBy?: "memory"
  /** The pool never grows beyond this; equal to `cells` where the user set the size. */
  readonly mostCells: number
  /** The user set the layout. */
  readonly layoutIsFixed: boolean
  /** Estimated for models with sliding windows or recurrent states, exact for all others. */
  readonly bytes: number
  /** A pool of other sizes takes cells × `bytesPerCell` + sequences × `bytesPerSequence`. */
  readonly bytesPerCell: number
  /** Recurrent states and sliding windows. */
  readonly bytesPerSequence: number
  /** Every context takes buffers of this size for computing, however large its pool is. */
  readonly computeBytes: number
  /** The same for each cell that a token may attend to. */
  readonly computeBytesPerCell: number
  /** What the first context takes at least; 0 where no lower bound is known. */
  readonly certainBytes: number
}

/**
 * The field of an answer that has the model's thinking: `reasoning_content` is its name in DeepSeek's API and in
 * llama-server, `reasoning` in OpenRouter's and in newer vLLM.
 */
export const REASONING_FIELDS = ["reasoning_content", "reasoning", "both"] as const
export type ReasoningField = (typeof REASONING_FIELDS)[number]
