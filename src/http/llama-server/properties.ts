import type { SamplingParameters } from "../../domain/chat"
import type { LoadedTextInfo } from "../../domain/loaded-model"
import type { TextModelDetails } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import { recommendedSampling, SAMPLING_DEFAULTS } from "../../formats/sampling-defaults"
import { toGenerationSettings } from "./generation-settings"
import { MEDIA_MARK } from "./media-mark"

/** llama.cpp's number for "as many as there is room for". */
const UNLIMITED = -1

interface ModelState {
  readonly contextLength: number
  readonly settings: Pick<ModelSettings, "slots" | "seed">
  /** Undefined: it is not loaded. */
  readonly loaded: LoadedTextInfo | undefined
  readonly version: string
}

/** GET /props: a model and its defaults, from its file and settings. */
export function toProperties(
  model: TextModelDetails,
  { contextLength, settings, loaded, version }: ModelState,
) {
  const { defaults } = model
  return {
    default_generation_settings: {
      id: 0,
      n_ctx: contextLength,
      speculative: false,
      is_processing: false,
      params: toGenerationSettings({
        ...samplingOf(model),
        ...(settings.seed !== null && { seed: settings.seed }),
        maxTokens: Number.isFinite(defaults?.maxTokens) ? (defaults?.maxTokens ?? UNLIMITED) : UNLIMITED,
        stop: defaults?.stop ?? [],
      }),
    },
    total_slots: loaded?.slots ?? settings.slots,
    model_alias: model.name,
    // A name: clients need not know where files are.
    model_path: `${model.name}.gguf`,
    model_ftype: model.quantization,
    modalities: {
      vision: model.capabilities.includes("vision"),
      video: false,
      audio: model.capabilities.includes("audio"),
    },
    media_marker: MEDIA_MARK,
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    chat_template: defaults?.template ?? model.chatTemplate ?? "",
    bos_token: model.bosToken ?? "",
    eos_token: model.eosToken ?? "",
    chat_template_caps: { supports_tools: model.capabilities.includes("tools") },
    build_info: `xllm-${version}`,
    is_sleeping: loaded === undefined,
  }
}

/** The same of a server with several models, where no model is named: clients see that they have to. */
export function toRouterProperties(version: string) {
  return {
    role: "router",
    models_autoload: true,
    model_alias: "xllm",
    model_path: "none",
    default_generation_settings: { params: {}, n_ctx: 0 },
    build_info: `xllm-${version}`,
  }
}

/** What a request without any parameters is sampled with. */
function samplingOf({ metadata, defaults }: TextModelDetails): SamplingParameters {
  const recommended = recommendedSampling((key) => {
    const value = metadata[key]
    return value === undefined ? undefined : String(value)
  })
  return { ...SAMPLING_DEFAULTS, ...recommended, ...defaults?.sampling }
}
