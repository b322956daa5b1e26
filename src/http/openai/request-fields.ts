/**
 * How each request field of OpenAI's API, llama-server, vLLM, SGLang, LM Studio and TGI is handled on these routes.
 * Fields not listed here are ignored, as in other local servers: clients send all kinds of fields.
 */
import { Unsupported } from "../../errors/request"
import type { Fields } from "../read/fields"
import { isJsonObject } from "../read/json-body"

/** Supported. */
const taken = "taken"

/**
 * Ignored, because the answer is correct without it: a hint, an option of another service, or our default behaviour.
 */
const ignored = "ignored"

/** Refused when it is in use: the answer would look right but be wrong, or lack what was requested. */
interface Refusal {
  readonly asks: (value: unknown, fields: Fields) => boolean
  /** Should the message include the value? */
  readonly showsValue?: true
  /** The end of the message. */
  readonly instead?: string
  /** A complete message that replaces the default one. */
  readonly message?: string
}

export type FieldTable = Readonly<Record<string, typeof taken | typeof ignored | Refusal>>

/** Form fields are strings, including booleans. */
const isSet = (value: unknown): boolean => value !== false && value !== "false" && value !== ""

const isNotEmpty = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.length > 0
  if (!isJsonObject(value)) return isSet(value)
  // One member is enough, however many there are.
  for (const _ in value) return true
  return false
}

function refused(instead = ""): Refusal {
  return { asks: isSet, instead }
}

function refusedUnlessEmpty(instead = ""): Refusal {
  return { asks: isNotEmpty, instead }
}

/** Refused from this number on; smaller ones turn the feature off. */
function refusedFrom(least: number): Refusal {
  return { asks: (value) => !(Number(value) < least) }
}

/** `harmless` values request our default behaviour. */
function refusedUnless(harmless: readonly unknown[], instead = ""): Refusal {
  return { asks: (value) => !harmless.includes(value), showsValue: true, instead }
}

/** Fields of all requests. */
const OF_EVERY_REQUEST: FieldTable = {
  model: taken,
  keep_alive: taken,
  ttl: taken,
  user: ignored,
}

/** Fields that chats and completions share. */
const OF_GENERATION: FieldTable = {
  ...OF_EVERY_REQUEST,
  // OpenAI's API.
  frequency_penalty: taken,
  logit_bias: taken,
  logprobs: taken,
  max_completion_tokens: taken,
  max_tokens: taken,
  n: taken,
  presence_penalty: taken,
  seed: taken,
  stop: taken,
  stream: taken,
  stream_options: taken,
  temperature: taken,
  top_p: taken,
  metadata: ignored,
  prediction: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
  safety_identifier: ignored,
  service_tier: ignored,
  store: ignored,
  verbosity: ignored,
  moderation: refusedUnlessEmpty(),
  response_format: { asks: (value) => !isJsonObject(value) || value["type"] !== "text" },
  // llama-server. Slots, context shift and speculation have no counterpart here.
  cache_prompt: taken,
  dry_allowed_length: taken,
  dry_base: taken,
  dry_multiplier: taken,
  dry_penalty_last_n: taken,
  dry_sequence_breakers: taken,
  dynatemp_exponent: taken,
  dynatemp_range: taken,
  ignore_eos: taken,
  min_keep: taken,
  min_p: taken,
  mirostat: taken,
  mirostat_eta: taken,
  mirostat_tau: taken,
  n_cmpl: taken,
  n_predict: taken,
  n_probs: taken,
  repeat_last_n: taken,
  repeat_penalty: taken,
  return_progress: taken,
  return_tokens: taken,
  samplers: taken,
  timings_per_token: taken,
  top_k: taken,
  top_n_sigma: taken,
  typical_p: taken,
  xtc_probability: taken,
  xtc_threshold: taken,
  adaptive_decay: ignored,
  backend_sampling: ignored,
  generation_prompt: ignored,
  grammar_lazy: ignored,
  grammar_triggers: ignored,
  id_slot: ignored,
  n_cache_reuse: ignored,
  n_discard: ignored,
  n_keep: ignored,
  parse_tool_calls: ignored,
  preserved_tokens: ignored,
  reasoning_budget_message: ignored,
  reasoning_control: ignored,
  reasoning_format: ignored,
  response_fields: ignored,
  sse_ping_interval: ignored,
  verbose: ignored,
  adaptive_target: refusedFrom(0),
  grammar: refused(),
  json_schema: refused(),
  lora: refusedUnlessEmpty(),
  n_indent: refusedFrom(1),
  post_sampling_probs: refused(),
  reasoning_budget_tokens: refusedFrom(0),
  t_max_predict_ms: refusedFrom(1),
  thinking_budget_tokens: refusedFrom(0),
  // vLLM. Its distributed serving has no counterpart here.
  include_stop_str_in_output: taken,
  min_tokens: taken,
  repetition_penalty: taken,
  skip_special_tokens: taken,
  stop_token_ids: taken,
  length_penalty: ignored,
  media_io_kwargs: ignored,
  mm_processor_kwargs: ignored,
  priority: ignored,
  request_id: ignored,
  return_mm_kwargs: ignored,
  routed_experts_prompt_start: ignored,
  session_id: ignored,
  spaces_between_special_tokens: ignored,
  stream_interval: ignored,
  allowed_token_ids: refusedUnlessEmpty(),
  bad_words: refusedUnlessEmpty("; logit_bias with false bans the tokens of a text"),
  cache_salt: refused(),
  ec_transfer_params: refusedUnlessEmpty(),
  guided_choice: refusedUnlessEmpty(),
  guided_grammar: refused(),
  guided_json: refused(),
  guided_regex: refused(),
  include_reasoning: { asks: (value) => value === false, showsValue: true },
  kv_transfer_params: refusedUnlessEmpty(),
  logprob_token_ids: refusedUnlessEmpty(),
  prompt_logprobs: refusedFrom(-1),
  repetition_detection: refusedUnlessEmpty(),
  return_prompt_text: refused("; POST /v0/render shows it"),
  return_token_ids: refused("; return_tokens reports the generated tokens, POST /v0/render the prompt's"),
  return_token_offsets: refused(),
  return_tokens_as_token_ids: refused(),
  structured_outputs: refusedUnlessEmpty(),
  thinking_token_budget: refusedFrom(0),
  truncation_side: refusedUnless(["left"]),
  use_beam_search: refused(),
  vllm_xargs: refusedUnlessEmpty(),
  watermarking: refused(),
  // SGLang.
  no_stop_trim: taken,
  bootstrap_host: ignored,
  bootstrap_port: ignored,
  bootstrap_room: ignored,
  custom_labels: ignored,
  data_parallel_rank: ignored,
  disagg_prefill_dp_rank: ignored,
  extra_key: ignored,
  images_config: ignored,
  ngram_corpus_id: ignored,
  rid: ignored,
  routed_dp_rank: ignored,
  routed_experts_start_len: ignored,
  custom_logit_processor: refusedUnlessEmpty(),
  custom_params: refusedUnlessEmpty(),
  ebnf: refused(),
  lora_path: refusedUnlessEmpty(),
  regex: refused(),
  return_cached_tokens_details: refused("; usage.prompt_tokens_details tells how many there were"),
  return_hidden_states: refused(),
  return_routed_experts: refused(),
  session_params: refusedUnlessEmpty(),
  stop_regex: refusedUnlessEmpty(),
  // LM Studio.
  draft_model: ignored,
}

/** These have no effect if no tool may be called: the model does not see any then. */
const hasTools: Refusal["asks"] = (value, fields) =>
  isNotEmpty(value) &&
  fields.unchecked("tool_choice") !== "none" &&
  fields.unchecked("function_call") !== "none"

/** POST /v1/chat/completions */
export const CHAT_FIELDS: FieldTable = {
  ...OF_GENERATION,
  messages: taken,
  reasoning_effort: taken,
  top_logprobs: taken,
  parallel_tool_calls: ignored,
  audio: refused(),
  function_call: refusedUnless(["none", "auto"]),
  functions: { asks: hasTools },
  modalities: {
    asks: (value) => !Array.isArray(value) || value.some((modality) => modality !== "text"),
  },
  tool_choice: refusedUnless(["none", "auto"]),
  tools: { asks: hasTools },
  web_search_options: refused(),
  // llama-server and vLLM.
  add_generation_prompt: taken,
  chat_template_kwargs: taken,
  continue_final_message: taken,
  add_special_tokens: refused(),
  chat_template: refused("; a model's template is set when it is created"),
  documents: refusedUnlessEmpty("; chat_template_kwargs has the template's variables"),
  echo: refused(),
  truncate_prompt_tokens: refusedFrom(-1),
  // SGLang and OpenRouter.
  reasoning: taken,
  max_dynamic_patch: ignored,
  min_dynamic_patch: ignored,
  separate_reasoning: ignored,
  stream_reasoning: ignored,
  use_audio_in_video: ignored,
  input_ids: refusedUnlessEmpty("; POST /v1/completions takes token ids"),
  return_meta_info: refused(),
  return_prompt_token_ids: refused("; POST /v0/render shows them"),
  task: refused(),
  // TGI.
  tool_prompt: ignored,
}

/** The object `reasoning` of a chat request. */
export const REASONING_FIELDS: FieldTable = {
  effort: taken,
  enabled: taken,
  exclude: refused(),
  max_tokens: refusedFrom(0),
}

/** POST /v1/completions */
export const COMPLETION_FIELDS: FieldTable = {
  ...OF_GENERATION,
  best_of: taken,
  echo: taken,
  prompt: taken,
  suffix: taken,
  // vLLM.
  truncate_prompt_tokens: taken,
  add_special_tokens: { asks: (value) => value === false, showsValue: true },
  prompt_embeds: refusedUnlessEmpty(),
}

/** POST /v1/audio/speech */
export const SPEECH_FIELDS: FieldTable = {
  ...OF_EVERY_REQUEST,
  input: taken,
  raw_text: taken,
  response_format: taken,
  sample_rate: taken,
  speed: taken,
  stream_format: taken,
  voice: taken,
  // Ignored as by OpenAI's models that do not support it: some clients send it with every request.
  instructions: ignored,
  // vLLM.
  ref_text: ignored,
  seed: ignored,
  stream: ignored,
  x_vector_only_mode: ignored,
  language: refusedUnless(["Auto", "auto"], "; a voice has its own"),
  max_new_tokens: refusedFrom(0),
  ref_audio: refused("; voice takes the name or number of one of the model's speakers"),
  task_type: refusedUnless(["CustomVoice"]),
}

/** POST /v1/audio/transcriptions and /v1/audio/translations */
export const TRANSCRIPTION_FIELDS: FieldTable = {
  ...OF_EVERY_REQUEST,
  file: taken,
  language: taken,
  response_format: taken,
  stream: taken,
  timestamp_granularities: taken,
  // Hints: transcription always picks the likeliest text.
  prompt: taken,
  temperature: taken,
  chunking_strategy: {
    // Audio is always split at silences, which is what `auto` requests.
    asks: (value) => value !== "auto",
    message: "chunking_strategy must be auto: others are not supported",
  },
  include: { asks: isNotEmpty, showsValue: true },
  known_speaker_names: refusedUnlessEmpty(),
  known_speaker_references: refusedUnlessEmpty(),
  // vLLM.
  frequency_penalty: ignored,
  hotwords: ignored,
  include_stop_str_in_output: ignored,
  length_penalty: ignored,
  max_completion_tokens: ignored,
  min_p: ignored,
  presence_penalty: ignored,
  repetition_penalty: ignored,
  seed: ignored,
  stream_continuous_usage_stats: ignored,
  stream_include_usage: ignored,
  top_k: ignored,
  top_p: ignored,
  n: refusedFrom(2),
  to_language: refusedUnless(["en"]),
  use_beam_search: refused(),
  vllm_xargs: refused(),
}

/** POST /v1/images/generations, /v1/images/edits and /v1/images/variations */
export const IMAGE_FIELDS: FieldTable = {
  ...OF_EVERY_REQUEST,
  image: taken,
  mask: taken,
  n: taken,
  output_compression: taken,
  output_format: taken,
  partial_images: taken,
  prompt: taken,
  response_format: taken,
  size: taken,
  stream: taken,
  moderation: ignored,
  // These values request our default behaviour; others would change the image and are not supported.
  background: refusedUnless(["auto", "opaque"]),
  input_fidelity: refusedUnless(["low"]),
  quality: refusedUnless(["auto", "standard", "medium"], "; steps and cfg_scale set the quality"),
  style: refusedUnless(["vivid"]),
  // Other servers with Stable Diffusion.
  cfg_scale: taken,
  negative_prompt: taken,
  sampler: taken,
  scheduler: taken,
  seed: taken,
  steps: taken,
  strength: taken,
  height: refused("; size has both sides"),
  width: refused("; size has both sides"),
  // SGLang and vLLM.
  num_inference_steps: taken,
  enable_teacache: ignored,
  generator_device: ignored,
  rollout_sde_type: ignored,
  diffusers_kwargs: refusedUnlessEmpty(),
  guidance_scale: refused("; cfg_scale is the scale of classifier-free guidance"),
  output_quality: refusedUnless(["default"]),
  rollout: refused(),
  true_cfg_scale: refused("; cfg_scale is the scale of classifier-free guidance"),
}

/**
 * `path`: a prefix for the names in messages.
 * @throws Unsupported naming the first unsupported field that is in use
 */
export function refuseUnsupported(fields: Fields, table: FieldTable, path = ""): void {
  for (const [name, treatment] of Object.entries(table)) {
    if (typeof treatment !== "object") continue
    const value = fields.unchecked(name)
    if (value === undefined || !treatment.asks(value, fields)) continue
    throw new Unsupported(treatment.message ?? complaint(path + name, value, treatment), path + name)
  }
}

function complaint(name: string, value: unknown, { showsValue, instead = "" }: Refusal): string {
  return `${name}${showsValue === true ? shown(value) : ""} is not supported${instead}`
}

function shown(value: unknown): string {
  if (isJsonObject(value)) return ""
  const text = Array.isArray(value) ? value.slice(0, 5).join(", ") : String(value)
  return ` ${text.slice(0, 40)}`
}
