/**
 * How much may come in, from whoever: in requests, Modelfiles and model files, settings and flags. Each limit is chosen
 * by what the largest value that it lets through costs everybody else, and says so; where OpenAI or llama.cpp has a limit
 * of its own, that is named. All readers take their bounds from here; only what concerns a single file format is a
 * constant of its reader. Figures were measured on one core of a small server.
 */
import type { SamplingParameters } from "./domain/chat"
import type { JsonShape } from "./lib/json-shape"

/** The values that a number may have, both ends included. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** How long a text may be, in UTF-16 units: what `length` counts. */
export interface TextBound {
  readonly maxLength: number
}

/** How many entries a list may have. */
export interface ListBound {
  readonly maxItems: number
}

const KIB = 1024
const MIB = 1024 ** 2
const DAY_SECONDS = 86_400

/** llama.cpp counts in 32 bits. */
export const MAX_INT32 = 2 ** 31 - 1

// -------------------------------------------------------------------------------------------- HTTP bodies

/** The largest JSON bodies, in bytes. To decode and parse one holds up everybody else. */
export const BODY_BYTES = {
  /**
   * A prompt of a million tokens, even where every character of it is escaped as `\uXXXX`. At worst 150 ms: 85 to
   * decode, 90 to parse.
   */
  generation: 16 * MIB,
  /** A text to be spoken or drawn, or the name of a model. */
  other: MIB,
}

/** The largest form: audio and images go from the connection to the disk, and never through memory as a whole. */
export const DEFAULT_UPLOAD_BYTES = 50 * MIB

/**
 * What JSON that others have written may consist of. Counted before it is parsed, because the parser does not stop: 8 MB
 * of `[` take it 1.7 s, a million different keys 0.5 s.
 */
export const JSON_SHAPE: JsonShape = {
  /** Few enough for the parser's stack. What is read of them is far less deep. */
  levels: 8192,
  /** 0.5 µs each, so 65 ms. {@link COUNTS.messages} messages with four fields each have half as many. */
  keys: 131_072,
  /** {@link COUNTS.promptTokens} token ids and whatever comes with them. 30 ns each. */
  values: 1_500_000,
}

/** The same of files of models: a vocabulary has a key for each token. Each version of a file is read once. */
export const MODEL_JSON_SHAPE: JsonShape = { ...JSON_SHAPE, keys: 524_288 }

/** Parts of a form. Their texts are kept in memory. */
export const FORM = {
  /** More than any of our forms has. */
  parts: 200,
  /** {@link TEXTS.imagePrompt} in characters of four bytes. */
  textBytes: 128 * KIB,
  nameLength: 100,
  /** Of a part's head: lines, and bytes. */
  headers: 32,
  headerBytes: 16 * KIB,
}

// ------------------------------------------------------------------------------------ fields of requests

/** Texts of requests. Where nothing else is said they are only handed on, and bounded so that nobody has to wonder. */
export const TEXTS = {
  /** Twice as long as Hugging Face's longest; the name is in log lines, metrics and paths of files. */
  model: { maxLength: 512 },
  /** The name of who speaks (OpenAI: 64), or of a speaker. */
  name: { maxLength: 512 },
  /** The id of a tool call. */
  id: { maxLength: 512 },
  /** What ends an answer: looked for after every token, and text as long as the longest is held back. */
  stop: { maxLength: 1024 },
  /** Each is compared with the whole vocabulary. llama.cpp's own limit. */
  sequenceBreaker: { maxLength: 40 },
  /** Every token of it is biased. */
  biasedText: { maxLength: 64 },
  /** What a model reads: the body bounds it, and the context of the model, which is exact. */
  prompt: { maxLength: BODY_BYTES.generation },
  /** OpenAI's limit. Some minutes of speech. */
  speech: { maxLength: 4096 },
  /** OpenAI's limit. Accepted, but ignored. */
  instructions: { maxLength: 4096 },
  /** OpenAI's limit. */
  imagePrompt: { maxLength: 32_000 },
  /** A hint, of which Whisper reads 224 tokens. */
  transcriptionPrompt: { maxLength: 32_000 },
  /** A code, a size, one of a few words. */
  word: { maxLength: 64 },
} as const satisfies Readonly<Record<string, TextBound>>

/** Numbers of things in one request. */
export const COUNTS = {
  /** A template walks through them; 16,384 take it some 100 ms in a thread of its own. */
  messages: { maxItems: 16_384 },
  /** Of all messages together. */
  contentParts: { maxItems: 16_384 },
  /** OpenAI's limit. Each becomes a request of its own, 64 at a time. */
  prompts: { maxItems: 2048 },
  /** Of all prompts together. The longest contexts that are in use; 30 ms to parse. */
  promptTokens: { maxItems: 1_048_576 },
  /** OpenAI allows 4; nothing here becomes slow with more. */
  stops: { maxItems: 16 },
  /** Looked up for every token. */
  stopTokens: { maxItems: 1024 },
  /** 6,000 kept a decode thread for 30 s. */
  sequenceBreakers: { maxItems: 64 },
  /**
   * Of tokens, by id or by text: every one is added to the logits of every token of every answer. Enough to forbid a
   * whole script; 30 µs a token.
   */
  biases: { maxItems: 16_384 },
  /** Those by text, which have to be tokenized first. */
  biasedTexts: { maxItems: 1024 },
  /** `include`, `timestamp_granularities` and the like, which have few values that mean anything. */
  words: { maxItems: 64 },
} as const satisfies Readonly<Record<string, ListBound>>

/** Arguments of chat templates (`chat_template_kwargs`), which a template may walk through. */
export const TEMPLATE_ARGUMENTS = {
  /** Nobody means more levels than this. */
  depth: 32,
  /** Values and keys, at all levels. */
  values: 4096,
  /** Of all texts in them: documents are handed over so. */
  characters: MIB,
}

/** Whole numbers of requests. */
export const NUMBERS = {
  /** OpenAI's limit of `n`. */
  choices: { min: 1, max: 128 },
  /** OpenAI's limit of `top_logprobs`. */
  topLogprobs: { min: 0, max: 20 },
  /** Of an answer. Far beyond any context. */
  tokens: { min: 0, max: MAX_INT32 },
  tokenId: { min: 0, max: MAX_INT32 },
  /** Seeds of other APIs have up to 64 bits. Beyond 2^53 the last digits are lost, which makes them no less repeatable. */
  seed: { min: -(2 ** 64), max: 2 ** 64 },
  speaker: { min: 0, max: MAX_INT32 },
  /** The most that a model's context can have; the file and the memory set the real limit. */
  context: { min: 1, max: 16_777_216 },
} as const satisfies Readonly<Record<string, Range>>

/** OpenAI's limits of `logit_bias`. */
export const BIAS: Range = { min: -100, max: 100 }

/** What the fields of one request may come to together: each may be small, and their product is not. */
export const PRODUCTS = {
  /** Prompts × choices. All of them are in memory until the last is finished. */
  sequences: 2048,
  /** Prompts × biases: each prompt travels to its worker with all of them. */
  biases: 131_072,
  /** Characters of the prompts × choices, where the prompt is repeated in every choice. */
  echoed: 32 * MIB,
  /**
   * Choices × tokens of a prompt × log probabilities for each, where the prompt's own are wanted. They come as one
   * event: 150 ms to be received and written down, and as long again in the worker.
   */
  echoedLogprobs: 131_072,
  /** Log probabilities of an answer that is collected before it is sent, at 150 bytes each: 300 MB. */
  collectedLogprobs: 2_000_000,
}

// ------------------------------------------------------------------------------------------------ sampling

/** Sampling parameters that have one number. */
export type SamplingNumber = {
  [K in keyof SamplingParameters]-?: SamplingParameters[K] extends number ? K : never
}[keyof SamplingParameters]

/** The values of sampling parameters, whoever says them: requests, Modelfiles, model files and flags. */
export const SAMPLING = {
  temperature: { min: 0, max: 2 },
  dynamicTemperatureRange: { min: 0, max: 2 },
  dynamicTemperatureExponent: { min: 0, max: 100 },
  topK: { min: 0, max: MAX_INT32 },
  topP: { min: 0, max: 1 },
  minP: { min: 0, max: 1 },
  typicalP: { min: 0, max: 1 },
  topNSigma: { min: -1, max: 1000 },
  minKeep: { min: 0, max: MAX_INT32 },
  xtcProbability: { min: 0, max: 1 },
  xtcThreshold: { min: 0, max: 1 },
  /** Logits are divided by it. */
  repeatPenalty: { min: 0.01, max: 100 },
  /** llama.cpp allocates as many; the worker takes at most the context. */
  repeatLastN: { min: -1, max: MAX_INT32 },
  presencePenalty: { min: -2, max: 2 },
  frequencyPenalty: { min: -2, max: 2 },
  dryMultiplier: { min: 0, max: 100 },
  dryBase: { min: 1, max: 100 },
  dryAllowedLength: { min: 0, max: MAX_INT32 },
  /** As `repeatLastN`. */
  dryPenaltyLastN: { min: -1, max: MAX_INT32 },
  mirostat: { min: 0, max: 2 },
  mirostatTau: { min: 0, max: 100 },
  mirostatEta: { min: 0, max: 1 },
} as const satisfies Readonly<Record<SamplingNumber, Range>>

// --------------------------------------------------------------------------------------------------- times

/** What becomes a timer, in seconds: timers of more than 2^31 ms (24.8 days) fire at once. */
export const LONGEST_WAIT_SECONDS = 24 * DAY_SECONDS

/** What becomes a date, in seconds: 100 years. Whoever means for ever can say so. */
export const LONGEST_STAY_SECONDS = 100 * 365 * DAY_SECONDS

// -------------------------------------------------------------------------------------- what a model brings

/** What Modelfiles and manifests may say. The server reads manifests whenever it lists models. */
export const MODEL_TEXTS = {
  /** A whole Modelfile, in bytes; the texts below are parts of it. */
  modelfileBytes: 4 * MIB,
  /** Compiled when a model is loaded, and translated where it is one of Go. Published ones end below 64 KiB. */
  template: { maxLength: MIB },
  /** Read with every chat. */
  system: { maxLength: MIB },
  message: { maxLength: MIB },
  messages: { maxItems: 1024 },
  license: { maxLength: MIB },
  licenses: { maxItems: 64 },
  /** A request may have fewer: it can choose. */
  stops: { maxItems: 64 },
  /** Names, paths and versions; as long as a path of the system may be. */
  line: { maxLength: 4096 },
  /** Instructions of a Modelfile. */
  instructions: { maxItems: 4096 },
  parameters: { maxItems: 256 },
} as const

/** The models directory, which is looked through whenever a model is asked for. */
export const MODELS_FOLDER = {
  /** Models that somebody has put there: a list of as many takes 150 ms of computing, the first one 2 s. */
  models: 10_000,
  /** Files and folders, at all levels: it may have been named by mistake, and be somebody's whole home. */
  entries: 100_000,
}

// ------------------------------------------------------------------------------------------------ settings

/** Values of settings and flags. */
export const SETTINGS = {
  /** A configuration file, with all its sections of models. */
  fileBytes: MIB,
  /** A path, an address, a key. */
  text: { maxLength: 4096 },
  list: { maxItems: 1024 },
  /** llama.cpp's own limit (LLAMA_MAX_DEVICES). */
  devices: { maxItems: 16 },
  /** A petabyte. */
  bytes: { min: 1, max: 2 ** 50 },
  /** Shares of a split are compared with each other only. */
  share: { min: 0, max: 1e9 },
} as const

// ------------------------------------------------------------------------------------------- what is shown

/** How much of what others have sent is repeated to people, in characters. */
export const SHOWN = {
  /** A value in an error message. */
  value: 40,
  /** A name or a path in one. */
  name: 200,
  /** A whole error message; a Modelfile's or a configuration file's has many lines. */
  message: 8192,
  /** A field of a log line, but for prompts and answers where those are logged. */
  logField: 4096,
}
