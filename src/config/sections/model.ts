import { MAX_INT32, NUMBERS, SETTINGS } from "../../limits"
import { AT_LOAD, LIVE, setting, share } from "../setting"
import { duration, integer, list, oneOf, orAutomatic, stay, text, toggle } from "../values"

/** llama.cpp's own limit of sequences in one context (LLAMA_MAX_SEQ). */
const MAXIMUM_SLOTS = 256

/** llama.cpp's own limit of threads in one pool (GGML_MAX_N_THREADS). */
const MAXIMUM_THREADS = 512

/** More processes than any machine runs. */
export const MAXIMUM_MODELS = 10_000

/** More workers of one model than this are a typing error. */
const MAXIMUM_REPLICAS = 64

const kvType = { ...oneOf("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"), placeholder: "TYPE" }

const threads = orAutomatic(integer("N", 1, MAXIMUM_THREADS), "auto")

export const splitMode = oneOf("layer", "row", "tensor", "none")

/** Load settings of models. In a file, `models.NAME` sets them for one model, `defaults` for all. */
export const modelSettings = {
  ctx: setting(
    "defaults.ctx",
    orAutomatic(integer("N", NUMBERS.context.min, NUMBERS.context.max), "auto"),
    null,
    "context size in tokens (default: as trained, at most 8192)",
    AT_LOAD,
  ),
  slots: setting(
    "defaults.slots",
    integer("N", 1, MAXIMUM_SLOTS),
    16,
    "requests answered at the same time (default 16)",
    AT_LOAD,
  ),
  threads: setting(
    "defaults.threads",
    threads,
    null,
    "threads for generation, at most one for each CPU (default: adapts)",
    AT_LOAD,
  ),
  threadsBatch: setting(
    "defaults.threads_batch",
    threads,
    null,
    "threads for prompt processing (default: as --threads)",
    AT_LOAD,
  ),
  gpuLayers: setting(
    "defaults.gpu_layers",
    orAutomatic(integer("N", 0, MAX_INT32), "auto"),
    null,
    "layers on GPUs; 0 = none (default auto: all that fit)",
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
    "KV cache type for K: f32, f16, bf16, q8_0, q4_0, … (default f16)",
    AT_LOAD,
  ),
  cacheTypeV: setting("defaults.cache_type_v", kvType, "f16", "KV cache type for V (default f16)", AT_LOAD),
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
    "KV cache: shared by all slots, or split per slot (default auto)",
    AT_LOAD,
  ),
  kvCells: setting(
    "defaults.kv_cells",
    orAutomatic(integer("N", 1, MAX_INT32), "auto"),
    null,
    "size of the whole KV cache in tokens (default: by memory)",
    AT_LOAD,
  ),
  mmap: setting(
    "defaults.mmap",
    toggle,
    true,
    "map the model file into memory (default); --no-mmap reads it instead",
    AT_LOAD,
  ),
  mlock: setting(
    "defaults.mlock",
    toggle,
    false,
    "lock the model in memory, so that it is never swapped out",
    AT_LOAD,
  ),
}

/** How a server keeps models. Set in the same places as {@link modelSettings}. */
export const residencySettings = {
  keepAlive: setting(
    "defaults.keep_alive",
    orAutomatic(stay, "forever"),
    300,
    "how long an unused model stays loaded; 0 = unload at once (default 5m)",
    LIVE,
  ),
  stepTimeout: setting(
    "defaults.step_timeout",
    orAutomatic(duration, "auto"),
    null,
    "kill a worker that makes no progress for this long (default 2m; speech to text 5m, images 15m)",
    LIVE,
  ),
  priority: setting(
    "defaults.priority",
    oneOf("high", "normal", "low"),
    "normal",
    "which models stay loaded when memory is short (default normal)",
    LIVE,
  ),
  pinned: setting("defaults.pinned", toggle, false, "never unload to make room for another model", LIVE),
  replicas: setting(
    "defaults.replicas",
    integer("N", 1, MAXIMUM_REPLICAS),
    1,
    "worker processes per model (default 1)",
    AT_LOAD,
  ),
  preload: setting("defaults.preload", toggle, false, "load when the server starts"),
}
