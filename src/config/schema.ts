import { type Address, address } from "./address"
import { decimal, integer, list, oneOf, orAutomatic, text, toggle, type Value } from "./values"

/** One setting; its key gives the flag (`gpuLayers` → `--gpu-layers`) and the variable (`XLLM_GPU_LAYERS`). */
export interface Setting<T> {
  readonly value: Value<T>
  readonly fallback: T
  readonly description: string
}

function setting<T>(value: Value<T>, fallback: NoInfer<T>, description: string): Setting<T> {
  return { value, fallback, description }
}

/** The port that `serve` listens on and that clients look for. */
export const DEFAULT_PORT = 32769

/** llama.cpp's own limit of sequences in one context (LLAMA_MAX_SEQ). */
const MAXIMUM_SLOTS = 256

/** llama.cpp's own limit of threads in one pool (GGML_MAX_N_THREADS). */
const MAXIMUM_THREADS = 512

const LOCALHOST: Address = { tls: false, hostname: "127.0.0.1", port: undefined }

const kvType = { ...oneOf("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"), placeholder: "TYPE" }
const threads = orAutomatic(integer("N", 1, MAXIMUM_THREADS), "auto")

/** How a server is reached. */
export const connectionSettings = {
  host: setting(address, LOCALHOST, "address of the server: HOST, HOST:PORT or a URL"),
}

/** How `serve` listens, and what it says. */
export const serverSettings = {
  host: setting(address, LOCALHOST, "address to listen on (default 127.0.0.1)"),
  port: setting(
    integer("N", 0, 65535),
    DEFAULT_PORT,
    `port to listen on; 0: any free one (default ${DEFAULT_PORT})`,
  ),
  corsOrigins: setting(
    list(text("ORIGIN"), "ORIGIN,…"),
    [],
    "web pages that may call the server, beside this machine's; *: all",
  ),
  queue: setting(integer("N", 0, 1_000_000), 1000, "most requests that wait for one model (default 1000)"),
}

/** What the log shows. */
export const logSettings = {
  logLevel: setting(
    oneOf("debug", "info", "warn", "error", "off"),
    "info",
    "how much is logged, to stderr (default info)",
  ),
  logFormat: setting(
    orAutomatic(oneOf("pretty", "json"), "auto"),
    null,
    "form of the log (default pretty on a terminal, json elsewhere)",
  ),
}

/** Where models are. */
export const storeSettings = {
  modelsDir: setting(
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "folder of the models (default ~/.xllm/models)",
  ),
}

/** What models are loaded with. */
export const modelSettings = {
  ctx: setting(
    orAutomatic(integer("N", 1), "auto"),
    null,
    "longest conversation, in tokens (default: as trained, at most 8192)",
  ),
  slots: setting(integer("N", 1, MAXIMUM_SLOTS), 16, "answers generated at the same time (default 16)"),
  threads: setting(threads, null, "CPU threads that generate (default: adapts)"),
  threadsBatch: setting(threads, null, "CPU threads that read prompts (default: as --threads)"),
  gpuLayers: setting(
    orAutomatic(integer("N", 0), "auto"),
    null,
    "layers on GPUs; 0: none (default auto: all that fit)",
  ),
  splitMode: setting(
    oneOf("layer", "row", "none"),
    "layer",
    "how several GPUs share a model (default layer)",
  ),
  tensorSplit: setting(
    orAutomatic(list(decimal("N", 0), "N,N,…"), "auto"),
    null,
    "share of each GPU, such as 3,1 (default: by memory)",
  ),
  device: setting(
    orAutomatic(list(text("NAME"), "NAME,…"), "auto"),
    null,
    "devices to use (default: all GPUs)",
  ),
  cacheTypeK: setting(
    kvType,
    "f16",
    "number format of the cache's keys: f32, f16, bf16, q8_0, q4_0, … (default f16)",
  ),
  cacheTypeV: setting(kvType, "f16", "the same of its values (default f16)"),
  flashAttn: setting(oneOf("auto", "on", "off"), "auto", "flash attention (default auto)"),
  kv: setting(
    orAutomatic(oneOf("unified", "split"), "auto"),
    null,
    "cache: one pool for all slots, or a share for each (default auto)",
  ),
  kvCells: setting(
    orAutomatic(integer("N", 1), "auto"),
    null,
    "size of the whole cache, in tokens (default: by memory)",
  ),
  mmap: setting(toggle, true, "map the model's file into memory (default); --no-mmap reads it instead"),
  mlock: setting(toggle, false, "keep the model's memory from being swapped out"),
}
