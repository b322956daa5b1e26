import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { readModelFolder } from "../../../src/formats/model-folder"
import type { AsrModel } from "../../../src/formats/speech/asr-model"
import { moonshineTokenLines } from "../../../src/formats/speech/moonshine"
import { recognizeSpeech } from "../../../src/formats/speech/recognize"
import { emptyGraph, writeFiles } from "../../support/files/speech-models"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

type Files = Readonly<Record<string, string | Uint8Array | object>>
type Metadata = Readonly<Record<string, string | number>>

let folders = 0

async function recognize(files: Files): Promise<AsrModel> {
  const path = join(folder.path, `model-${folders++}`)
  mkdirSync(path)
  writeFiles(path, files)
  const model = await recognizeSpeech(await readModelFolder(path))
  if (model?.kind !== "asr") throw new Error(`it is ${model?.kind ?? "nothing"}`)
  return model
}

/** The names of the files that the engine would be given. */
function filesOf({ plan }: AsrModel): Record<string, string> {
  const name = (source: (typeof plan)["tokens"]): string =>
    "make" in source ? `made ${source.name}` : source.path.slice(source.path.lastIndexOf("/") + 1)
  return Object.fromEntries([
    ...Object.entries(plan.files).map(([field, source]) => [field, name(source)]),
    ["tokens", name(plan.tokens)],
  ]) as Record<string, string>
}

const graph = (metadata: Metadata, inputs: readonly string[] = ["x"]): Uint8Array =>
  emptyGraph(inputs, metadata)
const tokens = (...extra: string[]): string =>
  ["<blk>", "a", "b", ...extra].map((token, number) => `${token} ${number}\n`).join("")

const LFR = {
  vocab_size: 3,
  lfr_window_size: 7,
  lfr_window_shift: 6,
  neg_mean: "-1.5,2",
  inv_stddev: "1,0.5",
}
const SENSE_VOICE = {
  ...LFR,
  model_type: "sense_voice_ctc",
  normalize_samples: 0,
  with_itn: 14,
  without_itn: 15,
  lang_auto: 0,
  lang_zh: 3,
  lang_en: 4,
  lang_ja: 11,
  lang_ko: 12,
  lang_yue: 7,
}
const NEMO = { model_type: "EncDecCTCModelBPE", vocab_size: 3, subsampling_factor: 8 }
const NEMO_TRANSDUCER = {
  model_type: "EncDecRNNTBPEModel",
  vocab_size: 2,
  subsampling_factor: 8,
  pred_rnn_layers: 2,
  pred_hidden: 640,
}
const WHISPER = {
  model_type: "whisper-tiny",
  n_mels: 80,
  n_text_layer: 4,
  n_text_ctx: 448,
  n_text_state: 384,
  n_vocab: 51_865,
  sot: 50_258,
  eot: 50_257,
  blank_id: 220,
  translate: 50_358,
  transcribe: 50_359,
  is_multilingual: 1,
  no_timestamps: 50_363,
  no_speech: 50_362,
  sot_sequence: "50258,50259,50359",
  all_language_tokens: "50259,50260",
  all_language_codes: "en,zh",
}
const CANARY_TOKENS = [
  ...["<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|pnc|>", "<|noitn|>"],
  ...["<|notimestamp|>", "<|nodiarize|>", "<|endoftext|>", "<|en|>", "<|es|>", "<|de|>", "<|fr|>"],
]
const CANARY = { model_type: "EncDecMultiTaskModel", vocab_size: 15, subsampling_factor: 8, feat_dim: 128 }
const FIRE_RED = {
  cmvn_mean: "1,2",
  cmvn_inv_stddev: "1,2",
  num_decoder_layers: 16,
  num_head: 20,
  head_dim: 64,
  sos: 3,
  eos: 4,
  max_len: 448,
}
/** Tokens of one byte: its length, and it. */
const TOKENIZER = Uint8Array.of(0, 1, 0x61, 2, 0x20, 0x62)

describe("a recogniser is known by its files", () => {
  test.each<[string, Files, string, string, Record<string, string>]>([
    [
      "Whisper of sherpa-onnx, quantised where it can be had",
      {
        "tiny-encoder.onnx": graph(WHISPER),
        "tiny-encoder.int8.onnx": graph(WHISPER),
        "tiny-decoder.onnx": graph({}),
        "tiny-decoder.int8.onnx": graph({}),
        "tiny-tokens.txt": "YQ== 0\nYg== 1\n",
      },
      "whisper",
      "whisper",
      { encoder: "tiny-encoder.int8.onnx", decoder: "tiny-decoder.int8.onnx", tokens: "tiny-tokens.txt" },
    ],
    [
      "Moonshine in two graphs",
      { "encoder_model.ort": "ORTM", "decoder_model_merged.ort": "ORTM", "tokenizer.bin": TOKENIZER },
      "moonshine",
      "moonshine",
      { encoder: "encoder_model.ort", mergedDecoder: "decoder_model_merged.ort", tokens: "made tokens.txt" },
    ],
    [
      "Moonshine in two ONNX graphs with a table of tokens",
      { "encoder_model.onnx": graph({}), "decoder_model_merged.onnx": graph({}), "tokens.txt": tokens() },
      "moonshine",
      "moonshine",
      { encoder: "encoder_model.onnx", mergedDecoder: "decoder_model_merged.onnx", tokens: "tokens.txt" },
    ],
    [
      "Moonshine in four graphs",
      {
        "preprocess.onnx": graph({}),
        "encode.int8.onnx": graph({}),
        "uncached_decode.int8.onnx": graph({}),
        "cached_decode.int8.onnx": graph({}),
        "tokens.txt": tokens(),
      },
      "moonshine",
      "moonshine",
      {
        preprocessor: "preprocess.onnx",
        encoder: "encode.int8.onnx",
        uncachedDecoder: "uncached_decode.int8.onnx",
        cachedDecoder: "cached_decode.int8.onnx",
        tokens: "tokens.txt",
      },
    ],
    [
      "a transducer of icefall",
      {
        "encoder-epoch-99-avg-1.int8.onnx": graph({ model_type: "zipformer2" }),
        "encoder-epoch-99-avg-1.onnx": graph({ model_type: "zipformer2" }),
        "decoder-epoch-99-avg-1.onnx": graph({ vocab_size: 3, context_size: 2 }),
        "joiner-epoch-99-avg-1.onnx": graph({}),
        "tokens.txt": tokens(),
      },
      "transducer",
      "transducer",
      {
        encoder: "encoder-epoch-99-avg-1.int8.onnx",
        decoder: "decoder-epoch-99-avg-1.onnx",
        joiner: "joiner-epoch-99-avg-1.onnx",
        tokens: "tokens.txt",
      },
    ],
    [
      "a transducer of NeMo",
      {
        "encoder.int8.onnx": graph(NEMO_TRANSDUCER),
        "decoder.int8.onnx": graph({}),
        "joiner.int8.onnx": graph({}),
        "tokens.txt": "a 0\nb 1\n<blk> 2\n",
      },
      "transducer",
      "transducer",
      {
        encoder: "encoder.int8.onnx",
        decoder: "decoder.int8.onnx",
        joiner: "joiner.int8.onnx",
        tokens: "tokens.txt",
      },
    ],
    [
      "Canary",
      { "encoder.onnx": graph(CANARY), "decoder.onnx": graph({}), "tokens.txt": tokens(...CANARY_TOKENS) },
      "canary",
      "canary",
      { encoder: "encoder.onnx", decoder: "decoder.onnx", tokens: "tokens.txt" },
    ],
    [
      "FireRedASR",
      { "encoder.int8.onnx": graph(FIRE_RED), "decoder.int8.onnx": graph({}), "tokens.txt": tokens() },
      "fire-red-asr",
      "fireRedAsr",
      { encoder: "encoder.int8.onnx", decoder: "decoder.int8.onnx", tokens: "tokens.txt" },
    ],
    ...(
      [
        ["sense-voice", "senseVoice", SENSE_VOICE, tokens()],
        ["paraformer", "paraformer", { ...LFR, model_type: "paraformer" }, tokens("</s>")],
        ["zipformer-ctc", "zipformerCtc", { model_type: "zipformer2_ctc" }, tokens()],
        [
          "wenet-ctc",
          "wenetCtc",
          { model_type: "wenet_ctc", vocab_size: 3, subsampling_factor: 4 },
          tokens(),
        ],
        ["nemo-ctc", "nemoCtc", NEMO, tokens()],
        ["nemo-ctc", "nemoCtc", { ...NEMO, model_type: "EncDecHybridRNNTCTCBPEModel" }, tokens()],
        ["medasr-ctc", "medasr", { model_type: "medasr_ctc" }, tokens()],
        ["omnilingual", "omnilingual", { model_type: "omnilingual-asr" }, tokens()],
        ["dolphin", "dolphin", { vocab_size: 3, mean: "1,2", invstd: "1,2" }, tokens()],
      ] as const
    ).map(([family, config, metadata, table]): [string, Files, string, string, Record<string, string>] => [
      family,
      { "model.int8.onnx": graph(metadata), "model.onnx": graph(metadata), "tokens.txt": table },
      family,
      config,
      { model: "model.int8.onnx", tokens: "tokens.txt" },
    ]),
    [
      "TeleSpeech, whose path stands alone",
      { "model.onnx": graph({ model_type: "telespeech_ctc" }), "tokens.txt": tokens() },
      "telespeech-ctc",
      "teleSpeechCtc",
      { "": "model.onnx", tokens: "tokens.txt" },
    ],
  ])("%s", async (_, files, family, config, expected) => {
    const model = await recognize(files)
    expect(model.description).toMatchObject({ kind: "asr", family, capabilities: ["transcription"] })
    expect(model.description.files.length).toBe(Object.keys(files).length)
    expect(model.plan.family).toBe(config)
    expect(filesOf(model)).toEqual(expected)
  })

  test("in a folder of its own, with models of other kinds of files beside them", async () => {
    const model = await recognize({
      "sub/model.onnx": graph({ model_type: "zipformer2_ctc" }),
      "sub/tokens.txt": tokens(),
      "silero_vad.onnx": graph({}, ["input", "state", "sr"]),
      "README.md": "---\nlicense: apache-2.0\n---\n",
    })
    expect(model.description).toMatchObject({ family: "zipformer-ctc", license: "apache-2.0" })
  })

  test("and says what languages it knows", async () => {
    const whisper = await recognize({
      "a-encoder.onnx": graph(WHISPER),
      "a-decoder.onnx": graph({}),
      "a-tokens.txt": "YQ== 0\n",
    })
    expect(whisper.description).toMatchObject({ languages: ["en", "zh"], canTranslate: true })
    const english = await recognize({
      "a-encoder.onnx": graph({ ...WHISPER, is_multilingual: 0, sot_sequence: "50257" }),
      "a-decoder.onnx": graph({}),
      "a-tokens.txt": "YQ== 0\n",
    })
    expect(english.description).toMatchObject({ languages: ["en"], canTranslate: false })
  })
})

describe("what the engine would end its process over", () => {
  test.each<[string, Files, RegExp]>([
    [
      "a key",
      { "model.onnx": graph({ ...NEMO, subsampling_factor: "" }), "tokens.txt": tokens() },
      /lacks subsampling_factor/,
    ],
    [
      "a number",
      { "model.onnx": graph({ ...NEMO, vocab_size: "-1" }), "tokens.txt": tokens() },
      /'-1' for vocab_size/,
    ],
    [
      "a list of numbers",
      { "model.onnx": graph({ ...SENSE_VOICE, neg_mean: "1,x" }), "tokens.txt": tokens() },
      /no list of numbers for neg_mean/,
    ],
    ["a table of tokens", { "model.onnx": graph(NEMO) }, /tokens.txt is missing/],
    ["a blank", { "model.onnx": graph(NEMO), "tokens.txt": "a 0\nb 1\n" }, /<blk> or <eps> or <blank>/],
    [
      "a token",
      { "model.onnx": graph({ ...LFR, model_type: "paraformer" }), "tokens.txt": tokens() },
      /<\/s>/,
    ],
    [
      "tokens of a transducer",
      {
        "encoder.onnx": graph({ model_type: "zipformer2" }),
        "decoder.onnx": graph({ vocab_size: 500, context_size: 2 }),
        "joiner.onnx": graph({}),
        "tokens.txt": tokens(),
      },
      /token 3 of 500 is missing/,
    ],
    [
      "tokens of NeMo's transducer",
      {
        "encoder.onnx": graph({ ...NEMO_TRANSDUCER, vocab_size: 1 }),
        "decoder.onnx": graph({}),
        "joiner.onnx": graph({}),
        "tokens.txt": tokens(),
      },
      /3 tokens, but the model has 2/,
    ],
    [
      "a decoder",
      { "a-encoder.onnx": graph(WHISPER), "a-tokens.txt": "YQ== 0\n" },
      /a-decoder.onnx, is missing/,
    ],
    [
      "languages",
      {
        "a-encoder.onnx": graph({ ...WHISPER, all_language_codes: "en" }),
        "a-decoder.onnx": graph({}),
        "a-tokens.txt": "YQ== 0\n",
      },
      /do not match/,
    ],
    [
      "sound in files",
      {
        "encoder.onnx": graph({ model_type: "zipformer2", decode_chunk_len: 32 }),
        "decoder.onnx": graph({ vocab_size: 3, context_size: 2 }),
        "joiner.onnx": graph({}),
        "tokens.txt": tokens(),
      },
      /streaming speech-to-text model/,
    ],
    [
      "a driver",
      { "conv_frontend.onnx": graph({}), "encoder.onnx": graph({}), "decoder.onnx": graph({}) },
      /Qwen3-ASR is not supported/,
    ],
  ])("for want of %s is named", async (_, files, message) => {
    expect(recognize(files)).rejects.toThrow(message)
  })
})

describe("the tokens of Moonshine's tokenizer.bin", () => {
  test("are written with their bytes in base64", () => {
    expect(moonshineTokenLines("t", TOKENIZER)).toBe(" 0\nYQ== 1\nIGI= 2\n")
  })

  test("may be longer than a byte can say", () => {
    const long = Uint8Array.of(128 + 44, 1, ...new Uint8Array(172).fill(0x61))
    expect(moonshineTokenLines("t", long)).toBe(`${Buffer.alloc(172, "a").toString("base64")} 0\n`)
  })

  test.each([[[]], [[5, 0x61]]])("of %p are refused", (bytes) => {
    expect(() => moonshineTokenLines("t", Uint8Array.from(bytes))).toThrow(/no tokens|cut short/)
  })
})
