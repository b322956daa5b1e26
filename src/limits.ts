/**
 * Upper bounds of all input: requests, Modelfiles, model files, settings and flags. Each limit is chosen by what
 * the largest accepted value costs other users, and says so; where OpenAI or llama.cpp has a limit of its own, it
 * is named. All readers take their bounds from here; limits of a single file format are constants of its reader.
 * Measured on one core of a small server.
 */
import type { SamplingParameters } from "./domain/chat"
import type { JsonShape } from "./lib/json-shape"

/** A range of numbers, both ends included. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** Maximum length of a text in UTF-16 units, as counted by `length`. */
export interface TextBound {
  readonly maxLength: number
}

/** Maximum number of entries in a list. */
export interface ListBound {
  readonly maxItems: number
}

/** Bounds of a value with values within it. */
export interface NestedBound {
  readonly depth: number
  /** At all levels. */
  readonly values: number
  /** Of all texts and keys in it. */
  readonly characters: number
}

const KIB = 1024
const MIB = 1024 ** 2
const DAY_SECONDS = 86_400

/** llama.cpp counts in 32 bits. */
export const MAX_INT32 = 2 ** 31 - 1

// -------------------------------------------------------------------------------------------- HTTP bodies

/** The largest JSON bodies, in bytes. Decoding and parsing one blocks all other requests. */
export const BODY_BYTES = {
  /**
   * A prompt of a million tokens, even where every character is escaped as `\uXXXX`. At worst 150 ms: 85 to decode,
   * 90 to parse.
   */
  generation: 16 * MIB,
  /**
   * The same with pictures and sounds in base64, which cost a tenth of other text: a body may exceed `generation` by
   * plain characters only.
   */
  withMedia: 64 * MIB,
  /** {@link TEXTS.speech}, each character escaped as two `\uXXXX`, and the other fields. */
  speech: 4 * MIB,
  /** A prompt for an image, or the name of a model. */
  other: MIB,
}

/**
 * An event of a stream, as the command line reads it from a server, in characters. The largest is an image of
 * 2048 × 2048 pixels that does not compress: 16 MiB, and a third more in base64.
 */
export const EVENT_CHARACTERS = 64 * MIB

/**
 * The largest file with audio or images, also without a server. Uploads are streamed to disk, and never held in memory
 * as a whole. Four hours, the longest recording, take 440 MiB as WAV at the rate that models listen at.
 */
export const DEFAULT_UPLOAD_BYTES = 512 * MIB

/** Pictures and sounds of one request: chats send all of their pictures again with each message. */
export const DEFAULT_MEDIA_FILES = 64

/** A picture or a sound of a request, decoded from base64 on the event loop: 10 ms. */
export const DEFAULT_MEDIA_BYTES = 20 * MIB

/** A picture from the web. */
export const FETCHED_MEDIA = { seconds: 10, redirects: 3, url: { maxLength: 8192 } }

/** Pictures that models look at. */
export const PICTURES = {
  /** 64 megapixels: 256 MB once it is decoded. */
  sourcePixels: 64 * 1024 ** 2,
  /** As a projector gets it; none uses more. */
  pixels: 4096 ** 2,
  /** The longer side with `detail: low`, as in OpenAI's API. */
  lowSide: 512,
  /** Of one, where its size decides: models are trained with up to 16,384, and a phone's photo has 4,000. */
  tokens: { min: 64, max: 16_384, usual: 1024 },
  /** Time to decode one, in seconds. */
  seconds: 30,
}

/** Sounds that models listen to: half an hour of samples takes 115 MB. */
export const SOUNDS = { seconds: 1800 }

/**
 * Limits on the structure of JSON input. Counted before parsing, because the parser cannot be interrupted: 8 MB of
 * `[` take it 1.7 s, a million different keys 0.5 s.
 */
export const JSON_SHAPE: JsonShape = {
  /** Few enough for the parser's stack. The fields that are read are far less deep. */
  levels: 8192,
  /** 0.5 µs each, so 65 ms. {@link COUNTS.messages} messages with four fields each have half as many. */
  keys: 131_072,
  /** {@link COUNTS.promptTokens} token ids and the rest of the request. 30 ns each. */
  values: 1_500_000,
}

/** The same for models' files: a vocabulary has a key for each token. Each version of a file is read once. */
export const MODEL_JSON_SHAPE: JsonShape = { ...JSON_SHAPE, keys: 524_288 }

/** Parts of a form. Their texts are kept in memory. */
export const FORM = {
  /** More than any of our forms has. */
  parts: 200,
  /** {@link TEXTS.imagePrompt} in characters of four bytes. */
  textBytes: 128 * KIB,
  nameLength: 100,
  /** Lines and bytes of a part's header. */
  headers: 32,
  headerBytes: 16 * KIB,
}

// ------------------------------------------------------------------------------------ fields of requests

/** Texts of requests. Those without a reason are merely passed on, and bounded to be safe. */
export const TEXTS = {
  /** Twice as long as Hugging Face's longest; the name appears in log lines, metrics and file paths. */
  model: { maxLength: 512 },
  /** A message's author (OpenAI: 64), or a speaker. */
  name: { maxLength: 512 },
  /** The id of a tool call. */
  id: { maxLength: 512 },
  /** What a tool does; bounded by {@link TOOLS} as well, with all others. */
  description: { maxLength: 256 * KIB },
  /** Of a prompt, sent with it: translated, compiled and tested in the worker, which takes 2 ms per KiB. */
  template: { maxLength: 64 * KIB },
  /** A stop text: searched for after every token, and text as long as the longest one is held back. */
  stop: { maxLength: 1024 },
  /** Each is compared with the whole vocabulary. llama.cpp's own limit. */
  sequenceBreaker: { maxLength: 40 },
  /** Each of its tokens is biased. */
  biasedText: { maxLength: 64 },
  /** Input of a model: bounded by the body, and exactly by the model's context. */
  prompt: { maxLength: BODY_BYTES.generation },
  /**
   * A text that is tokenized whole, which cannot be interrupted: at worst 2 s, on a thread of its own. Twice what any model
   * that embeds reads, and a quarter of a million tokens of a text that is only counted.
   */
  tokenized: { maxLength: MIB },
  /** Five hours of speech, synthesised sentence by sentence. OpenAI's limit is 4096. */
  speech: { maxLength: 250_000 },
  /** OpenAI's limit. Accepted, but ignored. */
  instructions: { maxLength: 4096 },
  /** OpenAI's limit. */
  imagePrompt: { maxLength: 32_000 },
  /** A hint, of which Whisper reads 224 tokens. */
  transcriptionPrompt: { maxLength: 32_000 },
  /** A code, a size, one of a few words. */
  word: { maxLength: 64 },
} as const satisfies Readonly<Record<string, TextBound>>

/** Numbers of items in one request. */
export const COUNTS = {
  /** A template iterates over them; 16,384 take it about 100 ms in a separate thread. */
  messages: { maxItems: 16_384 },
  /** Of all messages together, with their tool calls. */
  contentParts: { maxItems: 16_384 },
  /** OpenAI's limit. Each becomes a separate request, 64 at a time. */
  prompts: { maxItems: 2048 },
  /** OpenAI's limit of `input`. Tokenized off the event loop, and computed in turns with other requests' texts. */
  embeddingInputs: { maxItems: 2048 },
  /** Texts to rank: as many as can be embedded. */
  documents: { maxItems: 2048 },
  /** Of all prompts together. The longest contexts in use; 30 ms to parse. */
  promptTokens: { maxItems: 1_048_576 },
  /** Texts among the token ids of a request's prompts: each is tokenized on its own, one after another. */
  mixedTexts: { maxItems: 256 },
  /** Files around a gap: editors send a dozen. */
  files: { maxItems: 256 },
  /** OpenAI allows 4; more cost nothing noticeable here. */
  stops: { maxItems: 16 },
  /** Texts of which the answer is one: compiled off the event loop, 6 µs each. */
  alternatives: { maxItems: 16_384 },
  /** Looked up for every token. */
  stopTokens: { maxItems: 1024 },
  /** 6,000 blocked a decode thread for 30 s. */
  sequenceBreakers: { maxItems: 64 },
  /**
   * By token id or text: each is added to the logits of every token of every answer. Enough to ban a whole script;
   * 30 µs per token.
   */
  biases: { maxItems: 16_384 },
  /** Biases by text, which have to be tokenized first. */
  biasedTexts: { maxItems: 1024 },
  /** Downloads that run at once without a client. */
  pulls: { maxItems: 8 },
  /** Clients of `GET /v0/events`. */
  watchers: { maxItems: 256 },
  /** `include`, `timestamp_granularities` and the like, which have few valid values. */
  words: { maxItems: 64 },
} as const satisfies Readonly<Record<string, ListBound>>

/** What is learned from a chat template by rendering small conversations. */
export const TEMPLATE_LEARNING = {
  /** Characters of a rendered conversation; of a longer one nothing is learned. */
  rendered: 65_536,
  /** Places in it at which the arguments of a call are looked for. */
  places: 256,
} as const

/** Arguments of chat templates (`chat_template_kwargs`), which a template may iterate over. */
export const TEMPLATE_ARGUMENTS: NestedBound = {
  /** Deeper than any real arguments. */
  depth: 32,
  /** Values and keys, at all levels. */
  values: 4096,
  /** Of all texts in them: documents are passed this way. */
  characters: MIB,
}

/** All tools of a request together, with their descriptions and schemas, which a template writes into the prompt. */
export const TOOLS: NestedBound & ListBound = {
  /** OpenAI allows 128, and so few that a model chooses well; each adds a rule to the grammar of calls. */
  maxItems: 1024,
  /** A level of a schema has two of JSON; schemas have at most {@link GRAMMAR_DEPTH}. */
  depth: 192,
  /** 40 tools of 200 properties have 25,000. Checking them takes 30 ms. */
  values: 65_536,
  /** 300,000 tokens of a prompt. */
  characters: MIB,
}

/** Whole numbers of requests. */
export const NUMBERS = {
  /** OpenAI's limit of `n`. */
  choices: { min: 1, max: 128 },
  /** OpenAI's limit of `top_logprobs`. */
  topLogprobs: { min: 0, max: 20 },
  /** llama-server's `n_probs`, which has no limit there; more than this many take longer to send than to compute. */
  alternatives: { min: 0, max: 512 },
  /** Of an answer. Far beyond any context. */
  tokens: { min: 0, max: MAX_INT32 },
  tokenId: { min: 0, max: MAX_INT32 },
  /**
   * Seeds of other APIs have up to 64 bits. Beyond 2^53 the last digits are lost, but results stay reproducible.
   */
  seed: { min: -(2 ** 64), max: 2 ** 64 },
  /** Of samplers; llama.cpp replaces the largest 32-bit number by a random one. */
  fixedSeed: { min: 0, max: 2 ** 32 - 2 },
  /** -1 is llama-server's: any. */
  slot: { min: -1, max: MAX_INT32 },
  /** Characters at the start of a line. */
  indent: { min: 0, max: MAX_INT32 },
  /** Of an answer's time; -1 is llama-server's default: no limit. */
  milliseconds: { min: -1, max: MAX_INT32 },
  /** Of a vector; the model's own length is the limit. */
  dimensions: { min: 1, max: 65_536 },
  /** The p of a p-norm; -1 is llama-server's: none. */
  norm: { min: -1, max: MAX_INT32 },
  /** vLLM's: -1 is as many as the model takes. */
  truncatedTokens: { min: -1, max: MAX_INT32 },
  /** Of ranked documents. */
  topN: { min: 1, max: MAX_INT32 },
  speaker: { min: 0, max: MAX_INT32 },
  /** Guessed tokens of one step: a context has room for the logits of 64 tokens. */
  draft: { min: 0, max: 63 },
  /** The longest possible context of a model; the file and the memory set the real limit. */
  context: { min: 1, max: 16_777_216 },
} as const satisfies Readonly<Record<string, Range>>

/** Rotary position embeddings. llama.cpp accepts any number, and answers with noise. */
export const ROPE = {
  /** Models use 10,000 to about 10^9. */
  freqBase: { min: 1, max: 1e12 },
  /** A thousand times as long as trained; more than 1 is a shorter one. */
  freqScale: { min: 0.001, max: 1000 },
} as const satisfies Readonly<Record<string, Range>>

/** OpenAI's limits of `logit_bias`. */
export const BIAS: Range = { min: -100, max: 100 }

/** Limits on products of a request's fields: each may be small while their product is not. */
export const PRODUCTS = {
  /** Prompts × choices. All of them stay in memory until the last is finished. */
  sequences: 2048,
  /** Prompts × biases: each prompt is sent to its worker with all of them. */
  biases: 131_072,
  /** Prompts × characters of a schema or grammar: each prompt is sent to its worker with it, and answered with it. */
  constraintCharacters: 4 * MIB,
  /** Characters of the query × documents: it is read with each of them. */
  rankedCharacters: 32 * MIB,
  /** Characters of the prompts × choices, where every choice echoes the prompt. */
  echoed: 32 * MIB,
  /**
   * Choices × tokens of a prompt × log probabilities per token, where those of the prompt are requested. They
   * arrive as one event: 150 ms to receive and serialise, and as long again in the worker.
   */
  echoedLogprobs: 131_072,
  /** Tokens × numbers in the vector of each, at 20 bytes in the answer: 80 MB. */
  tokenVectorNumbers: 4 * MIB,
  /** Log probabilities of an answer that is collected before it is sent, at 150 bytes each: 300 MB. */
  collectedLogprobs: 2_000_000,
}

/**
 * How far the text that a client expects is looked at: it is tokenized and searched before the answer begins, which
 * takes 50 ms for so many tokens. It is merely a hint: what is beyond is not used.
 */
export const PREDICTION = {
  tokens: 32_768,
  /** Hardly any text has longer tokens on average. */
  tokenCharacters: 5,
} as const

// ----------------------------------------------------------------------------------------------- responses

/** Responses that are kept for later requests, in a file that is read and written between other requests. */
export const RESPONSES = {
  /** One response with its input: 6 ms to write. More than 150,000 tokens. */
  bytes: MIB,
  /** Counted with each new one, which takes 1 ms. */
  rows: 10_000,
  /** Items of one answer that can be referred to. */
  items: 256,
  /** Of one conversation: each is looked up in turn. */
  turns: 1000,
  /** Of one conversation: as much as a request could have. */
  chainBytes: BODY_BYTES.generation,
  /** Items of earlier answers that one request refers to. */
  references: 4096,
}

// -------------------------------------------------------------------------------------------------- images

/** Numbers of image requests, for HTTP, flags and workers alike. */
export const IMAGES = {
  /** OpenAI's limit of `n`. */
  count: { min: 1, max: 10 },
  /** OpenAI's limit of `partial_images`. */
  partial: { min: 0, max: 3 },
  /** In pixels. A model may need larger multiples of its own. */
  side: { min: 64, max: 4096, multipleOf: 8 },
  /** 2048 × 2048 of an image: more needs tens of gigabytes. */
  pixels: 2048 * 2048,
  /** 64 megapixels of an uploaded image, which is scaled down: 256 MB once it is decoded. */
  sourcePixels: 64 * 1024 ** 2,
  /** Each takes as long as the last, and adds nothing beyond a hundred. */
  steps: { min: 1, max: 150 },
  cfgScale: { min: 0, max: 50 },
  compression: { min: 0, max: 100 },
  strength: { min: 0, max: 1 },
  /** Seeds of the image engine. */
  seed: { min: 0, max: 2 ** 32 - 1 },
} as const

// ------------------------------------------------------------------------------------------------ sampling

/** Sampling parameters whose value is one number. */
export type SamplingNumber = {
  [K in keyof SamplingParameters]-?: SamplingParameters[K] extends number ? K : never
}[keyof SamplingParameters]

export type SamplingRanges = Readonly<Record<SamplingNumber, Range>>

/** Ranges of sampling parameters, in requests, Modelfiles, model files and flags alike. */
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
  /** llama.cpp allocates as many; the worker limits it to the context. */
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
} as const satisfies SamplingRanges

/** The same where llama.cpp takes more than OpenAI's API. */
export const LLAMA_SAMPLING = {
  ...SAMPLING,
  temperature: { min: 0, max: 1000 },
  dynamicTemperatureRange: { min: 0, max: 1000 },
  presencePenalty: { min: -100, max: 100 },
  frequencyPenalty: { min: -100, max: 100 },
} as const satisfies SamplingRanges

/** llama.cpp adds any number; this much decides between any two logits. */
export const LLAMA_BIAS: Range = { min: -1e6, max: 1e6 }

// --------------------------------------------------------------------------------------------------- times

/** Values used as timers, in seconds: timers of more than 2^31 ms (24.8 days) fire at once. */
export const LONGEST_WAIT_SECONDS = 24 * DAY_SECONDS

/** Values used as dates, in seconds: 100 years. There is a separate value for "no limit". */
export const LONGEST_STAY_SECONDS = 100 * 365 * DAY_SECONDS

// -------------------------------------------------------------------------------------- what a model brings

/** What the converter reads of a folder from Hugging Face; each is far above what published models have. */
export const CONVERT = {
  folderFiles: 4096,
  /** Files with weights: DeepSeek-V3 has 163. */
  shards: 1024,
  /** A configuration, a card or a template, in bytes. */
  textBytes: 4 * MIB,
  /** The index of the shards: DeepSeek-V3's has 9 MiB. */
  indexBytes: 64 * MIB,
  /** Gemma's tokenizer.json has 33 MiB. Parsed in 0.6 s. */
  tokenizerBytes: 64 * MIB,
  /** Tokens of a vocabulary. Gemma has 262,144. */
  tokens: MIB,
  /** Layers, heads and experts. */
  parts: 16_384,
  /** The text for an importance matrix. Days of computing, mostly. */
  importanceBytes: 64 * MIB,
  /** Tokens of such a text that are evaluated together. */
  importanceChunk: { min: 32, max: 32_768 },
}

/** tokenizer.json: a key for each token, and three values for each merge. */
export const TOKENIZER_JSON_SHAPE: JsonShape = { levels: 64, keys: 2 * MIB, values: 4 * MIB }

/** Limits of Modelfiles and manifests. The server reads manifests whenever it lists models. */
export const MODEL_TEXTS = {
  /** A whole Modelfile, in bytes; the texts below are parts of it. */
  modelfileBytes: 4 * MIB,
  /**
   * Compiled when a model is created, which takes the server up to 200 ms, and when it is loaded; translated if it is a Go
   * template. Published ones stay below 64 KiB.
   */
  template: { maxLength: 128 * KIB },
  /** Read with every chat. */
  system: { maxLength: MIB },
  message: { maxLength: MIB },
  messages: { maxItems: 1024 },
  license: { maxLength: MIB },
  licenses: { maxItems: 64 },
  /** More than in a request, whose author can choose. */
  stops: { maxItems: 64 },
  /** Names, paths and versions; as long as the longest path of the system. */
  line: { maxLength: 4096 },
  /** Instructions of a Modelfile. */
  instructions: { maxItems: 4096 },
  parameters: { maxItems: 256 },
} as const

/** The models directory, which is scanned on every lookup of a model. */
export const MODELS_FOLDER = {
  /** Model files in it: listing this many takes 150 ms of computing, the first time 2 s. */
  models: 10_000,
  /** Files and folders, at all levels: the setting may name a whole home folder by mistake. */
  entries: 100_000,
}

// ------------------------------------------------------------------------------------------------ settings

/** Values of settings and flags. */
export const ADAPTERS = {
  /** Of one request: each adds two products to every one of the model's. */
  ofRequest: { maxItems: 16 },
  scale: { min: -100, max: 100 },
  /** Kept in memory for a model: llama.cpp reserves room in its graphs for each, in use or not. */
  loaded: 32,
  /** In the folder of adapters. */
  files: { maxItems: 4096 },
} as const

export const SETTINGS = {
  /** A configuration file, with all its models' sections. */
  fileBytes: MIB,
  /** A path, an address, a key. */
  text: { maxLength: 4096 },
  list: { maxItems: 1024 },
  /** llama.cpp's own limit (LLAMA_MAX_DEVICES). */
  devices: { maxItems: 16 },
  /** A petabyte. */
  bytes: { min: 1, max: 2 ** 50 },
  /** Shares of a split are only compared with each other. */
  share: { min: 0, max: 1e9 },
} as const

// ------------------------------------------------------------------------------------------- what is shown

/** How much of others' input is repeated in messages, in characters. */
export const SHOWN = {
  /** A value in an error message. */
  value: 40,
  /** A name or a path in an error message. */
  name: 200,
  /** A whole error message; those about Modelfiles and configuration files have many lines. */
  message: 8192,
  /** A field of a log line, except prompts and answers where those are logged. */
  logField: 4096,
}

// ------------------------------------------------------------------------------------------------ grammars

/** llama.cpp's own limit (`MAX_REPETITION_THRESHOLD` in llama-grammar.cpp); above it, it ignores upper bounds. */
export const MOST_REPETITIONS = 2000

/** Rules of one grammar. A rule takes 5 µs to compile. */
export const MOST_GRAMMAR_RULES = 40_000

/** Parts of a JSON schema, referenced ones counted once. */
export const MOST_SCHEMA_PARTS = 10_000

/** Characters of a schema as JSON, an expression, a grammar, or all choices together. Compiled off the event loop. */
export const MOST_CONSTRAINT_CHARACTERS = 256 * KIB

/** A schema as JSON, with the values in it: `const`, `enum`, `examples`, which are not limited by {@link GRAMMAR_DEPTH}. */
export const SCHEMA: NestedBound = {
  /** As of {@link TOOLS}. */
  depth: 192,
  values: 131_072,
  characters: MOST_CONSTRAINT_CHARACTERS,
}

/** Levels of schemas, groups or parentheses within each other: their readers are recursive. */
export const GRAMMAR_DEPTH = 64

/**
 * Ways in which a text may be read at once. llama.cpp compares each with each when a token is accepted, and cannot be
 * interrupted: 4,096 take it 0.5 s.
 */
export const GRAMMAR_PATHS = 2048

/** Rules that begin with each other, in one line: llama.cpp takes 10 ms for a thousand, 8 s for 20,000. */
export const GRAMMAR_REFERENCES = 1000

// ----------------------------------------------------------------------------------------------- measuring

/** What one run may measure: enough for a night, not for a mistake in a script. */
export const MEASURING = {
  /** Of one list. */
  values: 64,
  /** Rows of the table: every combination of the lists. */
  rows: 4096,
  models: 16,
  tokens: 1_048_576,
  repetitions: 1000,
  warmup: 100,
  concurrency: 256,
  perSecond: { min: 0.001, max: 10_000 },
  pairs: { min: 5, max: 1000 },
  /** A text to score, in bytes; a file of prompts has as many. */
  textBytes: 64 * MIB,
  prompts: 1000,
  imageSide: 8192,
  steps: 1000,
  /** A file with an earlier run's results. */
  reportBytes: 64 * MIB,
} as const
