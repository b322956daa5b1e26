import { LIVE, setting } from "../setting"
import { duration, integer, list, orAutomatic, orNone, text, toggle, url } from "../values"

/** Where models are stored. */
export const storeSettings = {
  modelsDir: setting(
    "models_dir",
    orAutomatic(text("FOLDER"), "auto"),
    null,
    "models directory (default ~/.xllm/models)",
  ),
}

/** Where models are downloaded from, and how. */
export const pullSettings = {
  huggingfaceEndpoint: setting(
    "pull.huggingface_endpoint",
    url,
    "https://huggingface.co",
    "Hugging Face endpoint, or a mirror (default https://huggingface.co)",
    { takesEffect: "now", variable: "HF_ENDPOINT" },
  ),
  ollamaRegistry: setting(
    "pull.ollama_registry",
    url,
    "https://registry.ollama.ai",
    "Ollama registry, or a mirror (default https://registry.ollama.ai)",
    LIVE,
  ),
  tokenHosts: setting(
    "pull.token_hosts",
    orNone(list(text("HOST"), "HOST,…"), "none"),
    [],
    "additional hosts that a registry's tokens may come from",
    LIVE,
  ),
  connections: setting(
    "pull.connections",
    integer("N", 1, 64),
    8,
    "max parallel download connections (default 8)",
    LIVE,
  ),
  stallTimeout: setting(
    "pull.stall_timeout",
    duration,
    30,
    "reconnect a stalled download after this time (default 30s)",
    LIVE,
  ),
}

/** Which signatures are accepted. */
export const pgpSettings = {
  verify: setting(
    "pgp.verify",
    toggle,
    false,
    "accept only files signed by a trusted key; see 'xllm keys'",
    LIVE,
  ),
}

/** Whether a server downloads missing models. */
export const missingModelSettings = {
  pullMissing: setting("pull_missing", toggle, false, "download models that are requested but missing", LIVE),
  pullRegistries: setting(
    "pull.registries",
    orNone(list(text("HOST"), "HOST,…"), "none"),
    [],
    "registries a server may download from besides Hugging Face and Ollama's",
    LIVE,
  ),
}
