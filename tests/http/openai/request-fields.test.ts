import { describe, expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import { SPEECH_FIELDS, TRANSCRIPTION_FIELDS } from "../../../src/http/openai/audio/audio-fields"
import { toSpeechCall } from "../../../src/http/openai/audio/speech-call"
import { toTranscriptionCall } from "../../../src/http/openai/audio/transcription-call"
import { toEditCall } from "../../../src/http/openai/images/image-call"
import { IMAGE_FIELDS } from "../../../src/http/openai/images/image-fields"
import { CHAT_FIELDS, COMPLETION_FIELDS } from "../../../src/http/openai/request-fields"
import { toChatCall, toCompletionCall } from "../../../src/http/openai/translate"
import type { FieldTable } from "../../../src/http/read/field-table"
import { USER_HI } from "../../support/http"

/** Fields by server, as their sources or documentation list them. */
const SAMPLING_OF_LLAMA_SERVER =
  "temperature dynatemp_range dynatemp_exponent top_k top_p min_p top_n_sigma xtc_probability xtc_threshold typical_p " +
  "repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length " +
  "dry_penalty_last_n dry_sequence_breakers mirostat mirostat_tau mirostat_eta adaptive_target adaptive_decay seed " +
  "n_probs min_keep backend_sampling post_sampling_probs samplers logit_bias ignore_eos stop"

const LLAMA_SERVER =
  `${SAMPLING_OF_LLAMA_SERVER} stream stream_options cache_prompt return_tokens return_progress sse_ping_interval ` +
  "n_predict max_tokens max_completion_tokens n_indent n_keep n_discard n_cmpl n n_cache_reuse t_max_predict_ms " +
  "response_fields id_slot verbose timings_per_token lora json_schema grammar grammar_lazy grammar_triggers " +
  "preserved_tokens reasoning_format reasoning_control reasoning_budget_tokens thinking_budget_tokens " +
  "reasoning_budget_message parse_tool_calls generation_prompt echo response_format logprobs"

const VLLM =
  "model frequency_penalty logit_bias logprobs max_tokens n presence_penalty response_format seed stop stream " +
  "stream_options temperature top_p user use_beam_search top_k min_p repetition_penalty watermarking length_penalty " +
  "stop_token_ids include_stop_str_in_output ignore_eos min_tokens skip_special_tokens spaces_between_special_tokens " +
  "truncate_prompt_tokens truncation_side prompt_logprobs logprob_token_ids allowed_token_ids bad_words echo " +
  "add_special_tokens structured_outputs guided_json guided_regex guided_choice guided_grammar priority request_id " +
  "session_id return_tokens_as_token_ids return_token_ids routed_experts_prompt_start return_token_offsets " +
  "return_mm_kwargs cache_salt kv_transfer_params ec_transfer_params vllm_xargs repetition_detection " +
  "thinking_token_budget stream_interval"

const SGLANG =
  "model frequency_penalty logit_bias logprobs max_tokens n presence_penalty response_format seed stop stream " +
  "stream_options temperature top_p user return_hidden_states return_routed_experts routed_experts_start_len " +
  "return_cached_tokens_details return_token_ids top_k min_p min_tokens regex ebnf repetition_penalty stop_token_ids " +
  "stop_regex no_stop_trim ignore_eos skip_special_tokens lora_path session_id session_params custom_params " +
  "custom_logit_processor images_config bootstrap_host bootstrap_port bootstrap_room routed_dp_rank " +
  "disagg_prefill_dp_rank data_parallel_rank rid extra_key cache_salt ngram_corpus_id priority"

const LM_STUDIO =
  "model top_p top_k temperature max_tokens stream stop presence_penalty frequency_penalty logit_bias repeat_penalty " +
  "seed ttl draft_model"

const PEERS: Readonly<Record<string, readonly string[]>> = {
  chat: [
    // OpenAI
    "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens " +
      "metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key " +
      "prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier " +
      "stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity " +
      "web_search_options",
    LLAMA_SERVER,
    "messages tools tool_choice parallel_tool_calls chat_template_kwargs reasoning_effort top_logprobs " +
      "add_generation_prompt continue_final_message",
    VLLM,
    "messages top_logprobs tools tool_choice reasoning_effort include_reasoning parallel_tool_calls documents " +
      "chat_template chat_template_kwargs media_io_kwargs mm_processor_kwargs add_generation_prompt " +
      "continue_final_message return_prompt_text max_completion_tokens",
    SGLANG,
    "messages top_logprobs max_completion_tokens tools tool_choice parallel_tool_calls return_prompt_token_ids " +
      "return_meta_info reasoning_effort reasoning task continue_final_message separate_reasoning stream_reasoning " +
      "chat_template_kwargs max_dynamic_patch min_dynamic_patch use_audio_in_video input_ids",
    LM_STUDIO,
    "messages",
    // TGI
    "messages model frequency_penalty logit_bias logprobs top_logprobs max_tokens n presence_penalty stream stop seed " +
      "temperature top_p tools tool_prompt tool_choice response_format stream_options",
  ],
  completion: [
    // OpenAI
    "model prompt best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop stream " +
      "stream_options suffix temperature top_p user",
    LLAMA_SERVER,
    "prompt",
    VLLM,
    "prompt suffix prompt_embeds",
    SGLANG,
    "prompt best_of echo suffix json_schema custom_labels",
    LM_STUDIO,
    "prompt",
    // TGI
    "model prompt max_tokens temperature top_p frequency_penalty seed stream stop suffix",
  ],
  speech: [
    "input model voice instructions response_format speed stream_format",
    "task_type language ref_audio ref_text x_vector_only_mode max_new_tokens stream",
  ],
  transcription: [
    "file model chunking_strategy include known_speaker_names known_speaker_references language prompt response_format " +
      "stream temperature timestamp_granularities",
    "file model language hotwords prompt response_format timestamp_granularities stream stream_include_usage " +
      "stream_continuous_usage_stats vllm_xargs to_language use_beam_search n length_penalty " +
      "include_stop_str_in_output temperature top_p top_k min_p seed frequency_penalty repetition_penalty " +
      "presence_penalty max_completion_tokens",
  ],
  image: [
    "prompt background model moderation n output_compression output_format partial_images quality response_format size " +
      "stream style user image input_fidelity mask",
    "prompt model n quality response_format size style background output_format user num_inference_steps guidance_scale " +
      "true_cfg_scale seed generator_device negative_prompt output_quality output_compression enable_teacache rollout " +
      "rollout_sde_type diffusers_kwargs",
  ],
}

/** A value that asks for something, by field, and what has to come with it. */
type Samples = Readonly<Record<string, unknown>>

interface Route {
  readonly name: string
  readonly table: FieldTable
  readonly call: (fields: object) => unknown
  /** For the fields that are taken and those that are refused. */
  readonly samples: Samples
  /** For fields that mean nothing without another. */
  readonly beside?: Readonly<Record<string, object>>
  /** Fields that are read from elsewhere than the body's values, or only checked. */
  readonly elsewhere?: readonly string[]
  /** Values of refused fields that ask for nothing. */
  readonly harmless: Samples
}

const GENERATION: Samples = {
  ...{
    model: "m",
    id_slot: 3,
    keep_alive: 5,
    ttl: 6,
    frequency_penalty: 0.5,
    logit_bias: { "5": 1 },
    logprobs: true,
    n: 2,
  },
  ...{ max_completion_tokens: 3, max_tokens: 3, presence_penalty: 0.5, seed: 1, stop: "x", stream: true },
  ...{
    stream_options: { include_usage: true },
    temperature: 0.5,
    top_p: 0.5,
    cache_prompt: false,
    cache_salt: "x",
    lora: [{ name: "x" }],
  },
  ...{
    prediction: { type: "content", content: "x" },
    "speculative.type": "ngram-mod",
    "speculative.n_max": 8,
    "speculative.n_min": 2,
    "speculative.p_min": 0.5,
  },
  ...{
    dry_allowed_length: 3,
    dry_base: 2,
    dry_multiplier: 1,
    dry_penalty_last_n: 9,
    dry_sequence_breakers: ["x"],
  },
  ...{ dynatemp_exponent: 2, dynatemp_range: 0.5, ignore_eos: true, min_keep: 2, min_p: 0.2, mirostat: 2 },
  ...{ mirostat_eta: 0.2, mirostat_tau: 3, n_cmpl: 2, n_predict: 3, n_probs: 2, repeat_last_n: 9 },
  ...{ repeat_penalty: 1.2, return_progress: true, return_tokens: true, samplers: ["top_k"] },
  ...{
    timings_per_token: true,
    top_k: 3,
    top_n_sigma: 1,
    typical_p: 0.5,
    xtc_probability: 0.5,
    xtc_threshold: 0.2,
  },
  ...{ include_stop_str_in_output: true, min_tokens: 1, repetition_penalty: 1.2, skip_special_tokens: true },
  ...{ stop_token_ids: [5], no_stop_trim: true },
  // Refused.
  ...{
    moderation: { model: "x" },
    response_format: { type: "json_object" },
    adaptive_target: 0.5,
    grammar: "root ::= x",
  },
  ...{
    json_schema: {},
    n_indent: 1,
    post_sampling_probs: true,
    reasoning_budget_tokens: 0,
  },
  ...{
    t_max_predict_ms: 1,
    thinking_budget_tokens: 5,
    allowed_token_ids: [5],
    bad_words: ["x"],
  },
  ...{
    ec_transfer_params: { a: 1 },
    guided_choice: ["a"],
    guided_grammar: "x",
    guided_json: {},
    guided_regex: "x",
  },
  ...{ include_reasoning: false, kv_transfer_params: { a: 1 }, logprob_token_ids: [5], prompt_logprobs: 0 },
  ...{
    repetition_detection: { a: 1 },
    return_prompt_text: true,
    return_token_ids: true,
    return_token_offsets: true,
  },
  ...{ return_tokens_as_token_ids: true, structured_outputs: { regex: "x" }, thinking_token_budget: 5 },
  ...{ truncation_side: "right", use_beam_search: true, vllm_xargs: { a: 1 }, watermarking: true },
  ...{ custom_logit_processor: "x", custom_params: { a: 1 }, ebnf: "x", lora_path: "x", regex: "x" },
  ...{ return_cached_tokens_details: true, return_hidden_states: true, return_routed_experts: true },
  ...{ session_params: { a: 1 }, stop_regex: "x" },
}

const HARMLESS: Samples = {
  ...{
    response_format: { type: "text" },
    adaptive_target: -1,
    grammar: "",
    json_schema: "",
    lora: [],
    n_indent: 0,
  },
  ...{
    post_sampling_probs: false,
    reasoning_budget_tokens: -1,
    t_max_predict_ms: -1,
    thinking_budget_tokens: -1,
  },
  ...{
    allowed_token_ids: [],
    bad_words: [],
    include_reasoning: true,
    return_token_ids: false,
    use_beam_search: false,
  },
  ...{
    thinking_token_budget: -1,
    truncation_side: "left",
    kv_transfer_params: {},
    stop_regex: [],
    watermarking: false,
  },
  ...{ custom_params: {}, return_hidden_states: false, logprob_token_ids: [], vllm_xargs: {} },
}

const FUNCTIONS = [{ name: "f" }]
const TOOLS = [{ type: "function", function: { name: "f" } }]

const FILES = { imagePath: "/tmp/a.png" }

const ROUTES: readonly Route[] = [
  {
    name: "chat",
    table: CHAT_FIELDS,
    call: (fields) => toChatCall({ messages: USER_HI, ...fields }),
    samples: {
      ...GENERATION,
      ...{ messages: [{ role: "user", content: "Ho" }], reasoning_effort: "low", top_logprobs: 2 },
      ...{ add_generation_prompt: false, chat_template_kwargs: { a: 1 }, continue_final_message: true },
      ...{
        reasoning: { effort: "low" },
        audio: { voice: "x" },
        function_call: { name: "f" },
        functions: FUNCTIONS,
      },
      ...{
        modalities: ["audio"],
        tool_choice: "required",
        tools: TOOLS,
        web_search_options: {},
      },
      ...{ parallel_tool_calls: false, separate_reasoning: false, thinking: { type: "disabled" } },
      reasoning_format: "none",
      ...{ add_special_tokens: true, chat_template: "x", documents: [{ text: "x" }], echo: true },
      ...{
        truncate_prompt_tokens: -1,
        input_ids: [1],
        return_meta_info: true,
        return_prompt_token_ids: true,
      },
      ...{ task: "title" },
    },
    beside: {
      top_logprobs: { logprobs: true },
      function_call: { functions: FUNCTIONS },
      tool_choice: { tools: TOOLS },
      parallel_tool_calls: { tools: TOOLS },
      continue_final_message: { messages: [...USER_HI, { role: "assistant", content: "Well" }] },
    },
    harmless: {
      ...HARMLESS,
      modalities: ["text"],
      ...{ add_special_tokens: false, documents: [], echo: false, input_ids: [], return_meta_info: false },
    },
  },
  {
    name: "completion",
    table: COMPLETION_FIELDS,
    call: (fields) => toCompletionCall({ prompt: "Hi", ...fields }),
    samples: {
      ...GENERATION,
      ...{ logprobs: 2, best_of: 2, echo: true, prompt: "Ho", suffix: "x", truncate_prompt_tokens: 5 },
      ...{ add_special_tokens: false, prompt_embeds: "x" },
    },
    harmless: { ...HARMLESS, add_special_tokens: true, prompt_embeds: [] },
  },
  {
    name: "speech",
    table: SPEECH_FIELDS,
    call: (fields) => toSpeechCall({ input: "Hi", ...fields }),
    samples: {
      ...{
        model: "m",
        keep_alive: 5,
        ttl: 6,
        input: "Ho",
        raw_text: true,
        response_format: "wav",
        sample_rate: 16_000,
        speed: 2,
        stream_format: "sse",
      },
      ...{ voice: "x", language: "English", max_new_tokens: 9, ref_audio: "x", task_type: "Base" },
    },
    harmless: { language: "Auto", task_type: "CustomVoice" },
  },
  {
    name: "transcription",
    table: TRANSCRIPTION_FIELDS,
    call: (body) => toTranscriptionCall({ body: { ...body }, audioPath: "/tmp/a", task: "transcribe" }),
    samples: {
      ...{
        model: "m",
        keep_alive: 5,
        ttl: 6,
        language: "de",
        response_format: "srt",
        stream: true,
        prompt: "x",
      },
      ...{ temperature: 0.5, timestamp_granularities: ["word"], chunking_strategy: { type: "server_vad" } },
      ...{ include: ["logprobs"], known_speaker_names: ["a"], known_speaker_references: ["a"], n: "2" },
      ...{ to_language: "de", use_beam_search: "true", vllm_xargs: "{}" },
    },
    elsewhere: ["file"],
    harmless: {
      ...{ chunking_strategy: "auto", include: [], known_speaker_names: [], n: "1", to_language: "en" },
      ...{ use_beam_search: "false" },
    },
  },
  {
    name: "image",
    table: IMAGE_FIELDS,
    call: (fields) => toEditCall({ prompt: "a cat", ...fields }, FILES),
    samples: {
      ...{
        model: "m",
        keep_alive: 5,
        ttl: 6,
        n: 2,
        output_compression: 50,
        output_format: "webp",
        partial_images: 1,
      },
      ...{
        prompt: "a dog",
        response_format: "b64_json",
        size: "64x64",
        stream: true,
        cfg_scale: 2,
        sampler: "euler",
      },
      ...{
        negative_prompt: "x",
        scheduler: "karras",
        seed: 1,
        steps: 3,
        strength: 0.2,
        num_inference_steps: 3,
      },
      ...{
        background: "transparent",
        input_fidelity: "high",
        quality: "hd",
        style: "natural",
        height: 64,
        width: 64,
      },
      ...{
        diffusers_kwargs: { a: 1 },
        guidance_scale: 3,
        output_quality: "high",
        rollout: true,
        true_cfg_scale: 3,
      },
    },
    beside: { output_compression: { output_format: "jpeg" } },
    elsewhere: ["image", "mask"],
    harmless: {
      ...{ background: "auto", input_fidelity: "low", quality: "auto", style: "vivid", diffusers_kwargs: {} },
      ...{ output_quality: "default", rollout: false },
    },
  },
]

describe.each(ROUTES)(
  "of a $name request",
  ({ name, table, call, samples, beside = {}, elsewhere = [], harmless }) => {
    const fieldsOf = (treatment: (entry: FieldTable[string]) => boolean) =>
      Object.entries(table)
        .filter(([field, entry]) => treatment(entry) && !elsewhere.includes(field))
        .map(([field]) => field)
    const taken = fieldsOf((entry) => entry === "taken")
    const ignored = fieldsOf((entry) => entry === "ignored")
    const refused = fieldsOf((entry) => typeof entry === "object")

    test("every field that a peer has is in the table", () => {
      const known = (PEERS[name] ?? []).flatMap((fields) => fields.split(" "))
      expect(known.filter((field) => !(field in table))).toEqual([])
    })

    test.each(taken)("%s is taken: it changes what is done", (field) => {
      const given = samples[field]
      expect(given).toBeDefined()
      const others = beside[field] ?? {}
      expect(call({ ...others, [field]: given })).not.toEqual(call(others))
    })

    test.each(ignored)("%s is ignored: whatever it says changes nothing", (field) => {
      for (const value of [true, 5, "x", ["x"], { a: 1 }]) {
        if (field === "instructions" && typeof value !== "string") continue
        expect(call({ [field]: value })).toEqual(call({}))
      }
    })

    test.each(refused)("%s is refused by its name where it asks for something", (field) => {
      const given = samples[field]
      expect(given).toBeDefined()
      expect(failure(() => call({ [field]: given }))).toMatchObject({
        code: "unsupported",
        status: 400,
        param: field,
      })
      expect(failure(() => call({ [field]: given })).message).toStartWith(field)
      expect(call({ [field]: null })).toEqual(call({}))
    })

    test("refused fields may say that nothing is asked for", () => {
      for (const [field, value] of Object.entries(harmless))
        expect(call({ [field]: value })).toEqual(call({}))
    })
  },
)

function failure(run: () => unknown) {
  try {
    run()
  } catch (error) {
    if (error instanceof XllmError) return error.toWire()
    throw error
  }
  throw new Error("it was accepted")
}
