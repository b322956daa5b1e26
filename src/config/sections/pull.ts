import { LIVE, setting } from "../setting"
import { duration, integer, list, orAutomatic, orNone, text, toggle, url } from "../values"

/** Where models are stored. */
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

/** Which signatures are accepted. */
export const pgpSettings = {
  verify: setting(
    "pgp.verify",
    toggle,
    false,
    "take only files that a trusted key has signed; see 'xllm keys'",
    LIVE,
  ),
}

/** Whether a server downloads missing models. */
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
