import { splitModes } from "../../domain/settings"
import { NO_ALIASES } from "../../lib/aliases"
import { aliases } from "../aliases"
import { AT_LOAD, LIVE, setting } from "../setting"
import { list, oneOf, orAutomatic, orNone, text } from "../values"

/** Settings without a flag: a key would be visible in the process list; the others are only useful in files. */
export const flaglessSettings = {
  apiKeys: setting(
    "server.api_keys",
    orNone(list(text("KEY"), "KEY,…"), "none"),
    [],
    "API keys; every request needs one of them",
    { takesEffect: "now", isSecret: true, variable: "XLLM_API_KEY" },
  ),
  huggingfaceToken: setting(
    "pull.huggingface_token",
    orAutomatic(text("TOKEN"), "none"),
    null,
    "Hugging Face access token, for gated and private models",
    { takesEffect: "now", isSecret: true, variable: "HF_TOKEN" },
  ),
  aliases: setting(
    "aliases",
    aliases,
    NO_ALIASES,
    "other names for models, such as gpt-4o: qwen3:0.6b, for programs with built-in model names",
    LIVE,
  ),
  gpuSplitMode: setting(
    "gpu.split_mode",
    oneOf(...splitModes.words),
    "layer",
    "how several GPUs share a model that has no split mode of its own",
    AT_LOAD,
  ),
}
