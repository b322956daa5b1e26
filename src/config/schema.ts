import { NO_ALIASES } from "../lib/aliases"
import { DEFAULT_UPLOAD_BYTES, MAX_INT32, NUMBERS, SETTINGS } from "../limits"
import { type Address, address, webUrl } from "./address"
import { aliases } from "./aliases"
import {
  bytes,
  type ConfigValue,
  decimal,
  duration,
  integer,
  list,
  oneOf,
  orAutomatic,
  orNone,
  stay,
  text,
  toggle,
  url,
} from "./values"

/**
 * One setting. Its key in a table gives the flag (`gpuLayers` → `--gpu-layers`) and a variable (`XLLM_GPU_LAYERS`), its
 * path the place in a configuration file (`defaults.gpu_layers`) and another variable (`XLLM_DEFAULTS_GPU_LAYERS`).
 */
export interface Setting<T> {
  readonly path: string
  readonly value: ConfigValue<T>
  readonly fallback: T
  readonly description: string
  /** When a running server takes a new value: at once, when a model is loaded, or (absent) when it starts again. */
  readonly takesEffect?: "now" | "load"
  /** Never shown. */
  readonly isSecret?: boolean
  /** A variable beside those of the key and the path. */
  readonly variable?: string
}

type SettingOptions = Pick<Setting<unknown>, "takesEffect" | "isSecret" | "variable">

function setting<T>(
  path: string,
  value: ConfigValue<T>,
  fallback: NoInfer<T>,
  description: string,
  options: SettingOptions = {},
): Setting<T> {
  return { path, value, fallback, description, ...options }
}

const LIVE: SettingOptions = { takesEffect: "now" }
const AT_LOAD: SettingOptions = { takesEffect: "load" }

/** The port that `serve` listens on and that clients look for. */
export const DEFAULT_PORT = 32769

/** llama.cpp's own limit of sequences in one context (LLAMA_MAX_SEQ). */
const MAXIMUM_SLOTS = 256

/** llama.cpp's own limit of threads in one pool (GGML_MAX_N_THREADS). */
const MAXIMUM_THREADS = 512

/** More processes than any machine runs. */
const MAXIMUM_MODELS = 10_000

/** More workers of one model than this are a typing error. */
const MAXIMUM_REPLICAS = 64

const LOCALHOST: Address = { tls: false, hostname: "127.0.0.1", port: undefined }

const kvType = { ...oneOf("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"), placeholder: "TYPE" }
const threads = orAutomatic(integer("N", 1, MAXIMUM_THREADS), "auto")
const share = decimal("N", SETTINGS.share.min, SETTINGS.share.max)
const splitMode = oneOf("layer", "row", "tensor", "none")
const socket = orAutomatic(text("PATH"), "none")

/** How a server is reached. */
export const connectionSettings = {
  host: setting("server.host", address, LOCALHOST, "address of the server: HOST, HOST:PORT or a URL"),
  port: setting(
    "server.port",
    integer("N", 1, 65535),
    DEFAULT_PORT,
    `port of the server (default ${DEFAULT_PORT})`,
  ),
  socket: setting("server.socket", socket, null, "Unix socket of the server, instead of an address"),
}

/** How `serve` listens, and to whom. */
export const serverSettings = {
  host: setting("server.host", address, LOCALHOST, "address to listen on (default 127.0.0.1)"),
  port: setting(
    "server.port",
    integer("N", 0, 65535),
    DEFAULT_PORT,
    `port to listen on; 0: any free one (default ${DEFAULT_PORT})`,
  ),
  socket: setting("server.socket", socket, null, "Unix socket to listen on, instead of an address"),
  corsOrigins: setting(
    "server.cors_origins",
    orNone(list(text("ORIGIN"), "ORIGIN,…"), "none"),
    [],
    "web pages that may call the server, beside this machine's; *: all",
    LIVE,
  ),
  allowedHosts: setting(
    "server.allowed_hosts",
    orNone(list(text("NAME"), "NAME,…"), "none"),
    [],
    "names that the server is called by, beside this machine's own; *: all",
    LIVE,
  ),
  publicUrl: setting(
    "server.public_url",
    orAutomatic(webUrl, "auto"),
    null,
    "where clients reach the server, for the URLs of images (default: where they send their requests)",
    LIVE,
  ),
  insecure: setting("server.insecure", toggle, false, "listen beyond this machine without an API key"),
}

/** Settings that have no flag: keys would be seen by everybody who lists processes; the others are for files. */
export const flaglessSettings = {
  apiKeys: setting(
    "server.api_keys",
    orNone(list(text("KEY"), "KEY,…"), "none"),
    [],
    "keys, one of which each request needs",
    { takesEffect: "now", isSecret: true, variable: "XLLM_API_KEY" },
  ),
  huggingfaceToken: setting(
    "pull.huggingface_token",
    orAutomatic(text("TOKEN"), "none"),
    null,
    "token of an account on Hugging Face, for models that not everybody may have",
    { takesEffect: "now", isSecret: true, variable: "HF_TOKEN" },
  ),
  aliases: setting(
    "aliases",
    aliases,
    NO_ALIASES,
    "other names for models, such as gpt-4o: qwen3:0.6b, for programs with fixed ones",
    LIVE,
  ),
  gpuSplitMode: setting(
    "gpu.split_mode",
    splitMode,
    "layer",
    "how several GPUs share a model that does not say it itself",
    AT_LOAD,
  ),
}

/** How much the server takes on. */
export const capacitySettings = {
  memory: setting(
    "limits.memory",
    orAutomatic(bytes, "none"),
    null,
    "most memory that all models together may take (default: what is free)",
    LIVE,
  ),
  gpuMemory: setting(
    "limits.gpu_memory",
    orAutomatic(bytes, "none"),
    null,
    "most memory of each GPU that all models together may take (default: what is free)",
    LIVE,
  ),
  headroom: setting(
    "limits.headroom",
    orAutomatic(bytes, "auto"),
    null,
    "memory of the machine and of each GPU that models leave free (default 512MiB)",
    LIVE,
  ),
  maxModels: setting(
    "limits.max_models",
    orAutomatic(integer("N", 1, MAXIMUM_MODELS), "none"),
    null,
    "most models that are loaded at the same time (default: as many as fit)",
    LIVE,
  ),
  queueLimit: setting(
    "queue.limit",
    integer("N", 0, 1_000_000),
    1000,
    "most requests that wait for one model (default 1000)",
    LIVE,
  ),
  queueTimeout: setting(
    "queue.timeout",
    orAutomatic(duration, "none"),
    null,
    "how long a request may wait to be started (default: as long as it likes)",
    LIVE,
  ),
  shutdownTimeout: setting(
    "shutdown_timeout",
    duration,
    30,
    "how long answers may go on after the server is told to end (default 30s)",
    LIVE,
  ),
  simulateGpus: setting(
    "gpu.simulate",
    orAutomatic(orNone(list(bytes, "SIZE,…"), "none"), "off"),
    null,
    "plan as if there were GPUs of these sizes; models are computed on CPUs then",
  ),
}

/** What is kept of what comes and goes as files. */
export const mediaSettings = {
  uploadLimit: setting(
    "limits.upload",
    bytes,
    DEFAULT_UPLOAD_BYTES,
    "largest form with audio or pictures that is taken (default 50MiB)",
    LIVE,
  ),
  imagesDir: setting(
    "images.dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "folder of images that are fetched by URL (default ~/.xllm/images)",
  ),
  imagesTtl: setting(
    "images.ttl",
    orAutomatic(stay, "forever"),
    3600,
    "how long such an image can be fetched (default 1h)",
    LIVE,
  ),
  imagesMaxBytes: setting(
    "images.max_bytes",
    orAutomatic(bytes, "none"),
    1024 ** 3,
    "most room that such images take; the oldest go first (default 1GiB)",
    LIVE,
  ),
}

/** What the log shows, and where. */
export const logSettings = {
  logLevel: setting(
    "log.level",
    oneOf("debug", "info", "warn", "error", "off"),
    "info",
    "how much is logged (default info)",
    { takesEffect: "now", variable: "XLLM_LOG" },
  ),
  logFormat: setting(
    "log.format",
    orAutomatic(oneOf("pretty", "json"), "auto"),
    null,
    "form of the log (default pretty on a terminal, json elsewhere)",
  ),
}

/** The log files of a server. */
export const logFileSettings = {
  logFile: setting("log.file", orAutomatic(text("PATH"), "none"), null, "log to this file, not to stderr"),
  logKeep: setting("log.keep", integer("N", 1, 1000), 7, "how many old log files are kept (default 7)"),
  logMaxSize: setting(
    "log.max_size",
    bytes,
    100 * 1024 ** 2,
    "a log file that is larger is replaced, as it is every day (default 100MiB)",
  ),
  logContent: setting("log.content", toggle, false, "log the texts of prompts and answers too", LIVE),
}

/** Who may read the counters. */
export const metricsSettings = {
  metricsPublic: setting("metrics.public", toggle, false, "metrics need no API key", LIVE),
}

/** Where models are. */
export const storeSettings = {
  modelsDir: setting(
    "models_dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "folder of the models (default ~/.xllm/models)",
  ),
}

/** Where models are downloaded from, and how. */
export const pullSettings = {
  huggingfaceEndpoint: setting(
    "pull.huggingface_endpoint",
    url,
    "https://huggingface.co",
    "Hugging Face, or a mirror of it (default https://huggingface.co)",
    { takesEffect: "now", variable: "HF_ENDPOINT" },
  ),
  ollamaRegistry: setting(
    "pull.ollama_registry",
    url,
    "https://registry.ollama.ai",
    "Ollama's registry, or a mirror of it (default https://registry.ollama.ai)",
    LIVE,
  ),
  tokenHosts: setting(
    "pull.token_hosts",
    orNone(list(text("HOST"), "HOST,…"), "none"),
    [],
    "hosts beside a registry's own that its tokens may come from",
    LIVE,
  ),
  connections: setting(
    "pull.connections",
    integer("N", 1, 64),
    8,
    "most connections that download at the same time (default 8)",
    LIVE,
  ),
  stallTimeout: setting(
    "pull.stall_timeout",
    duration,
    30,
    "how long a connection may bring nothing before another takes its place (default 30s)",
    LIVE,
  ),
}

/** Whose models are accepted. */
export const pgpSettings = {
  verify: setting(
    "pgp.verify",
    toggle,
    false,
    "take only files that a trusted key has signed; see 'xllm keys'",
    LIVE,
  ),
}

/** What a server does about models that are asked for and not there. */
export const missingModelSettings = {
  pullMissing: setting(
    "pull_missing",
    toggle,
    false,
    "download models that are asked for and not there",
    LIVE,
  ),
  pullRegistries: setting(
    "pull.registries",
    orNone(list(text("HOST"), "HOST,…"), "none"),
    [],
    "registries beside Hugging Face and Ollama's that a server downloads from",
    LIVE,
  ),
}

/** What models are loaded with. In a file `models.NAME` says it of one model, `defaults` of all. */
export const modelSettings = {
  ctx: setting(
    "defaults.ctx",
    orAutomatic(integer("N", NUMBERS.context.min, NUMBERS.context.max), "auto"),
    null,
    "longest conversation, in tokens (default: as trained, at most 8192)",
    AT_LOAD,
  ),
  slots: setting(
    "defaults.slots",
    integer("N", 1, MAXIMUM_SLOTS),
    16,
    "answers generated at the same time (default 16)",
    AT_LOAD,
  ),
  threads: setting("defaults.threads", threads, null, "CPU threads that generate (default: adapts)", AT_LOAD),
  threadsBatch: setting(
    "defaults.threads_batch",
    threads,
    null,
    "CPU threads that read prompts (default: as --threads)",
    AT_LOAD,
  ),
  gpuLayers: setting(
    "defaults.gpu_layers",
    orAutomatic(integer("N", 0, MAX_INT32), "auto"),
    null,
    "layers on GPUs; 0: none (default auto: all that fit)",
    AT_LOAD,
  ),
  splitMode: setting(
    "defaults.split_mode",
    orAutomatic(splitMode, "auto"),
    null,
    "how several GPUs share a model (default layer)",
    AT_LOAD,
  ),
  tensorSplit: setting(
    "defaults.tensor_split",
    orAutomatic(list(share, "N,N,…", SETTINGS.devices), "auto"),
    null,
    "share of each GPU, such as 3,1 (default: by memory)",
    AT_LOAD,
  ),
  device: setting(
    "defaults.devices",
    orAutomatic(list(text("NAME"), "NAME,…", SETTINGS.devices), "auto"),
    null,
    "devices to use (default: all GPUs)",
    AT_LOAD,
  ),
  cacheTypeK: setting(
    "defaults.cache_type_k",
    kvType,
    "f16",
    "number format of the cache's keys: f32, f16, bf16, q8_0, q4_0, … (default f16)",
    AT_LOAD,
  ),
  cacheTypeV: setting(
    "defaults.cache_type_v",
    kvType,
    "f16",
    "the same of its values (default f16)",
    AT_LOAD,
  ),
  flashAttn: setting(
    "defaults.flash_attention",
    oneOf("auto", "on", "off"),
    "auto",
    "flash attention (default auto)",
    AT_LOAD,
  ),
  kv: setting(
    "defaults.kv_layout",
    orAutomatic(oneOf("unified", "split"), "auto"),
    null,
    "cache: one pool for all slots, or a share for each (default auto)",
    AT_LOAD,
  ),
  kvCells: setting(
    "defaults.kv_cells",
    orAutomatic(integer("N", 1, MAX_INT32), "auto"),
    null,
    "size of the whole cache, in tokens (default: by memory)",
    AT_LOAD,
  ),
  mmap: setting(
    "defaults.mmap",
    toggle,
    true,
    "map the model's file into memory (default); --no-mmap reads it instead",
    AT_LOAD,
  ),
  mlock: setting("defaults.mlock", toggle, false, "keep the model's memory from being swapped out", AT_LOAD),
}

/** What a server does with models. Said where {@link modelSettings} are. */
export const residencySettings = {
  keepAlive: setting(
    "defaults.keep_alive",
    orAutomatic(stay, "forever"),
    300,
    "how long an unused model stays loaded; 0: not at all (default 5m)",
    LIVE,
  ),
  stepTimeout: setting(
    "defaults.step_timeout",
    orAutomatic(duration, "auto"),
    null,
    "a worker that computes this long without progress has hung and is ended (default 2m; speech to text 5m, images 15m)",
    LIVE,
  ),
  priority: setting(
    "defaults.priority",
    oneOf("high", "normal", "low"),
    "normal",
    "which models stay when memory is short (default normal)",
    LIVE,
  ),
  pinned: setting("defaults.pinned", toggle, false, "never unload for another model", LIVE),
  replicas: setting(
    "defaults.replicas",
    integer("N", 1, MAXIMUM_REPLICAS),
    1,
    "workers of one model, for requests at the same time (default 1)",
    AT_LOAD,
  ),
  preload: setting("defaults.preload", toggle, false, "load as soon as the server starts"),
}

/** What may be said of one model. */
export const perModelSettings = { ...modelSettings, ...residencySettings }

/** Every setting there is. */
export const allSettings = {
  ...serverSettings,
  ...flaglessSettings,
  ...storeSettings,
  ...pullSettings,
  ...missingModelSettings,
  ...pgpSettings,
  ...capacitySettings,
  ...mediaSettings,
  ...logSettings,
  ...logFileSettings,
  ...metricsSettings,
  ...perModelSettings,
}
