import {
  type FieldTable,
  ignored,
  isNotEmpty,
  refused,
  refusedFrom,
  refusedUnless,
  refusedUnlessEmpty,
  taken,
} from "../../read/field-table"
import { OF_EVERY_REQUEST } from "../request-fields"

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
    isInUse: (value) => value !== "auto",
    message: "chunking_strategy must be auto: others are not supported",
  },
  include: { isInUse: isNotEmpty, showsValue: true },
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
