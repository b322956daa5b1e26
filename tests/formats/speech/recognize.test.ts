import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { InvalidModelFile } from "../../../src/errors/model"
import { readModelFolder } from "../../../src/formats/model-folder"
import { recognizeSpeech } from "../../../src/formats/speech/recognize"
import type { TtsModel } from "../../../src/formats/speech/tts-model"
import { emptyGraph, piperConfig, writeFiles, writePiperVoice } from "../../support/files/speech-models"
import {
  encodeTinyTtsModel,
  TINY_TTS_MODEL_METADATA,
  TINY_TTS_MODEL_TOKENS,
  writeTinyTtsModel,
} from "../../support/files/tiny-tts-model"
import { tempFolder } from "../../support/temp-folder"

type Files = Readonly<Record<string, string | Uint8Array | object>>

async function recognize(files: Files, of = "") {
  using temp = tempFolder()
  writeFiles(temp.path, files)
  return await recognizeSpeech(await readModelFolder(join(temp.path, of)))
}

async function voice(files: Files, of = ""): Promise<TtsModel> {
  const found = await recognize(files, of)
  if (found?.kind !== "tts") throw new Error("this is no voice")
  return found
}

/** What recognition fails with. */
async function refusal(files: Files): Promise<string> {
  const error = await recognize(files).catch((reason: unknown) => reason)
  if (!(error instanceof InvalidModelFile)) throw new Error("it was not refused")
  return error.message
}

const piperGraph = encodeTinyTtsModel({ metadata: {}, piperInputs: true })
const piper = { "en_US-tiny-low.onnx": piperGraph, "en_US-tiny-low.onnx.json": piperConfig() }

describe("a raw voice of Piper", () => {
  test("uses the data of espeak-ng that lie beside it", async () => {
    expect((await voice(piper)).plan.espeak).not.toHaveProperty("ownData")
    const { plan } = await voice({ ...piper, "espeak-ng-data/phontab": "x" })
    expect(plan.espeak?.ownData).toEndWith("/espeak-ng-data")
  })

  test("is known by its graph and the JSON beside it", async () => {
    const { description, plan } = await voice({ ...piper, MODEL_CARD: "# Card\n\n* License: CC0\n" })
    expect(description).toEqual({
      kind: "tts",
      family: "piper",
      sampleRate: 16_000,
      speakers: ["anna", "ben"],
      languages: ["en-US"],
      capabilities: ["speech"],
      license: "CC0",
      files: [
        { name: "MODEL_CARD", sizeBytes: 23 },
        { name: "en_US-tiny-low.onnx", sizeBytes: piperGraph.length },
        expect.objectContaining({ name: "en_US-tiny-low.onnx.json" }),
      ],
    })
    expect(plan.addedMetadata).toEqual({
      model_type: "vits",
      comment: "piper",
      has_espeak: 1,
      language: "English",
      voice: "en-us",
      n_speakers: 2,
      sample_rate: 16_000,
    })
    expect(plan).toMatchObject({
      lengthScale: 1.25,
      noise: { scale: 0.5, scaleW: 0.7 },
      espeak: { language: "en-us" },
    })
  })

  test("may be given as its file alone", async () => {
    expect((await voice(piper, "en_US-tiny-low.onnx")).description.family).toBe("piper")
  })

  test("without a language has espeak's", async () => {
    const config = piperConfig({ language: undefined, espeak: { voice: "de" } })
    const { description, plan } = await voice({ ...piper, "en_US-tiny-low.onnx.json": config })
    expect(description.languages).toEqual(["de"])
    expect(plan.addedMetadata).toMatchObject({ language: "de", voice: "de" })
  })

  test("gives a rate that is a known slip of the pen", async () => {
    const config = piperConfig({ audio: { sample_rate: 22_500 } })
    const { description } = await voice({ ...piper, "en_US-tiny-low.onnx.json": config })
    expect(description.sampleRate).toBe(22_050)
  })

  test("loses symbols that the engine would end over, and keeps the space", async () => {
    const config = piperConfig({
      phoneme_id_map: { _: [0], "^": [1], $: [2], " ": [3], oʊ: [4], "\n": [5], a: [6, 7], b: 8 },
    })
    const { plan } = await voice({ ...piper, "en_US-tiny-low.onnx.json": config })
    expect(plan.tokens).toEqual({ content: "_ 0\n^ 1\n$ 2\n  3\na 6\nb 8\n" })
  })

  test.each([
    ["no rate", { audio: {} }, /audio\.sample_rate is missing/],
    ["no espeak voice", { espeak: {} }, /espeak\.voice is missing/],
    [
      "another kind of phonemes",
      { phoneme_type: "pinyin" },
      /phoneme_type is 'pinyin'; only models for 'espeak'/,
    ],
    ["no beginning of a sentence", { phoneme_id_map: { _: [0], $: [2] } }, /phoneme_id_map lacks '\^'/],
    ["no padding and no end", { phoneme_id_map: { "^": [0] } }, /lacks '_' and '\$'/],
    ["a symbol without a number", { phoneme_id_map: { _: [], "^": [1], $: [2] } }, /has no number for '_'/],
    ["no speakers", { num_speakers: 0 }, /num_speakers must be a whole number above 0, got 0/],
    [
      "a speaker beyond the last",
      { speaker_id_map: { anna: 2 } },
      /gives 'anna' the number 2, but there are 2/,
    ],
  ])("is refused with %s", async (_, fields, message) => {
    expect(await refusal({ ...piper, "en_US-tiny-low.onnx.json": piperConfig(fields) })).toMatch(message)
  })

  test("is refused where its JSON is none", async () => {
    expect(await refusal({ ...piper, "en_US-tiny-low.onnx.json": "{" })).toMatch(/it is not JSON/)
  })

  test("is refused without its JSON, which is named", async () => {
    expect(await refusal({ "x.onnx": piperGraph })).toMatch(
      /lacks sample_rate.*needs x\.onnx\.json beside it/,
    )
  })

  test("is refused beside another one", async () => {
    const both = { ...piper, "other.onnx": piperGraph, "other.onnx.json": piperConfig() }
    expect(await refusal(both)).toMatch(/several text-to-speech models here/)
  })
})

const prepared = { "model.onnx": encodeTinyTtsModel(), "tokens.txt": TINY_TTS_MODEL_TOKENS }

describe("a voice as sherpa-onnx publishes it", () => {
  test("is taken as it is", async () => {
    const { description, plan } = await voice({ ...prepared, LICENSE: "\nMIT License\n\nPermission…" })
    expect(description).toMatchObject({
      family: "vits",
      sampleRate: 16_000,
      speakers: [undefined, undefined, undefined, undefined],
      languages: ["English"],
      license: "MIT License",
    })
    expect(plan.addedMetadata).toBeUndefined()
    expect(plan).toMatchObject({ family: "vits", lexicons: [], lengthScale: 1 })
  })

  const withMetadata = (metadata: Readonly<Record<string, string | number>>) => ({
    ...prepared,
    "model.onnx": encodeTinyTtsModel({ metadata: { ...TINY_TTS_MODEL_METADATA, ...metadata } }),
  })
  const piperTokens = "_ 0\n^ 1\n$ 2\na 3\n"

  test.each(["piper", "coqui", "icefall"])("of %s's wants espeak-ng, its own data first", async (comment) => {
    const { description, plan } = await voice({
      ...withMetadata({ comment, frontend: "", voice: "de" }),
      "tokens.txt": `${piperTokens}, 4\n`,
      "espeak-ng-data/phontab": "x",
    })
    expect(description.family).toBe(comment)
    expect(plan.espeak?.language).toBe("de")
    expect(plan.espeak?.ownData).toEndWith("/espeak-ng-data")
  })

  test("has its speakers' names from the JSON that came with it", async () => {
    const { description } = await voice({
      ...withMetadata({ comment: "piper", frontend: "", n_speakers: 2 }),
      "tokens.txt": piperTokens,
      "model.onnx.json": { speaker_id_map: { anna: 0, ben: 1 } },
    })
    expect(description.speakers).toEqual(["anna", "ben"])
  })

  test("with a lexicon gets it, and rewriting rules in their order", async () => {
    const { plan } = await voice({
      ...withMetadata({ frontend: "", comment: "melo", version: 2 }),
      "tokens.txt": "AA1 0\nB 1\n",
      "lexicon.txt": "a AA1\n",
      "number.fst": "",
      "new_heteronym.fst": "",
      "date.fst": "",
      "phone.fst": "",
      "rule.far": "",
    })
    const names = (paths: readonly string[]) => paths.map((path) => path.split("/").at(-1))
    expect(names(plan.lexicons)).toEqual(["lexicon.txt"])
    expect(names(plan.ruleFsts)).toEqual(["phone.fst", "date.fst", "number.fst", "new_heteronym.fst"])
    expect(names(plan.ruleFars)).toEqual(["rule.far"])
    expect(plan.espeak).toBeUndefined()
  })

  test("prefers the graph that is not quantised", async () => {
    const { plan } = await voice({ ...prepared, "model.int8.onnx": encodeTinyTtsModel() })
    expect(plan.model).toEndWith("/model.onnx")
  })

  test.each([
    ["no tokens", { "tokens.txt": undefined }, /tokens\.txt is missing beside it/],
    [
      "a bad line of tokens",
      { "tokens.txt": "a 1\nb\n" },
      /tokens\.txt: line 2: 'b' is not a symbol and its number/,
    ],
    [
      "no metadata",
      { "model.onnx": encodeTinyTtsModel({ metadata: {} }) },
      /lacks sample_rate, n_speakers, language, comment/,
    ],
    ["no rate", withMetadata({ sample_rate: "" }), /its metadata lacks sample_rate/],
    ["a rate that is none", withMetadata({ sample_rate: "fast" }), /gives 'fast' for sample_rate/],
    ["an old MeloTTS", withMetadata({ comment: "melo" }), /an old export of MeloTTS/],
    ["no lexicon", withMetadata({ comment: "melo", version: 2, frontend: "" }), /lexicon\.txt is missing/],
    [
      "tokens without an end of sentence",
      { ...withMetadata({ comment: "piper", frontend: "" }), "tokens.txt": "_ 0\n^ 1\n" },
      /its tokens\.txt lacks '\$'/,
    ],
    [
      "a comma in a path",
      { ...withMetadata({ frontend: "" }), "lexicon,1.txt": "a b\n", "tokens.txt": "b 1\n" },
      /comma/,
    ],
    [
      "a graph that is cut off",
      { "model.onnx": encodeTinyTtsModel().slice(0, 1000) },
      /model\.onnx: it is cut short/,
    ],
  ])("is refused with %s", async (_, changes, message) => {
    const files = Object.entries({ ...prepared, ...changes }).filter(([, content]) => content !== undefined)
    expect(await refusal(Object.fromEntries(files) as Files)).toMatch(message)
  })
})

const KOKORO = { model_type: "kokoro", sample_rate: 24_000, n_speakers: 2, has_espeak: 1, style_dim: "3,1,4" }
const KOKORO_PUNCTUATION = [...' ;:,.!?—…"()“”']
  .map((symbol, id) => `${symbol === " " ? " " : symbol} ${id}\n`)
  .join("")

describe("Kokoro as sherpa-onnx publishes it", () => {
  const graph = (metadata: object) => emptyGraph(["tokens", "style", "speed"], { ...KOKORO, ...metadata })
  const files = {
    "model.onnx": graph({}),
    "voices.bin": new Uint8Array(2 * 3 * 4 * 4),
    "tokens.txt": "a 1\n",
  }

  test("is known by its metadata and its table of voices", async () => {
    const { description, plan } = await voice({
      ...files,
      "model.onnx": graph({ speaker_names: "af,af_bella" }),
    })
    expect(description).toMatchObject({ family: "kokoro", sampleRate: 24_000, speakers: ["af", "af_bella"] })
    expect(plan.voices).toMatchObject({ path: expect.stringMatching(/voices\.bin$/) })
  })

  test("of several languages uses its lexicons for English and Chinese, espeak-ng for the others", async () => {
    const { plan } = await voice({
      ...files,
      "model.onnx": graph({ version: 2, speaker_names: "af_bella,ff_siwis" }),
      "tokens.txt": KOKORO_PUNCTUATION,
      "lexicon-us-en.txt": "a b\n",
      "lexicon-gb-en.txt": "a b\n",
      "lexicon-zh.txt": "a b\n",
    })
    expect(plan.lexicons.map((path) => path.split("/").at(-1))).toEqual([
      "lexicon-us-en.txt",
      "lexicon-zh.txt",
    ])
    expect(plan.espeak?.speakerLanguages).toEqual(["", "fr"])
  })

  test("has Chinese voices only with a lexicon for them", async () => {
    const chinese = {
      ...files,
      "model.onnx": graph({ version: 2, speaker_names: "af_bella,zf_xiaobei" }),
      "tokens.txt": KOKORO_PUNCTUATION,
      "lexicon-us-en.txt": "a b\n",
    }
    expect((await voice(chinese)).plan.espeak?.speakerLanguages).toEqual(["", "cmn"])
    const { plan } = await voice({ ...chinese, "lexicon-zh.txt": "a b\n" })
    expect(plan.espeak?.speakerLanguages).toEqual(["", ""])
  })

  test.each([
    [
      "a table of another size",
      { "voices.bin": new Uint8Array(95) },
      /95 bytes long, but 2 speakers take 96/,
    ],
    ["no table", { "voices.bin": undefined }, /voices\.bin is missing beside it/],
    ["a shape that is none", { "model.onnx": graph({ style_dim: "3,x" }) }, /gives '3,x' for style_dim/],
    [
      "tokens without a comma",
      { "model.onnx": graph({ version: 2 }), "tokens.txt": "a 1\n" },
      /lacks ' ' and ';'/,
    ],
  ])("is refused with %s", async (_, changes, message) => {
    const changed = Object.entries({ ...files, ...changes }).filter(([, content]) => content !== undefined)
    expect(await refusal(Object.fromEntries(changed) as Files)).toMatch(message)
  })
})

describe("raw Kokoro", () => {
  const graph = emptyGraph(["input_ids", "style", "speed"])
  const style = (rows: number) => new Uint8Array(rows * 256 * 4)
  const files = {
    "onnx/model.onnx": graph,
    "onnx/model_quantized.onnx": graph,
    "voices/bm_lewis.bin": style(5),
    "voices/af_alloy.bin": style(5),
    "tokenizer.json": { model: { vocab: { $: 0, a: 43, b: 44, "two letters": 45 } } },
    "README.md": "---\nlanguage: en\nlicense: apache-2.0\n---\n# Kokoro\n",
  }

  test("is known by its graph's inputs and the files of its voices", async () => {
    const { description, plan } = await voice(files)
    expect(description).toMatchObject({
      family: "kokoro",
      sampleRate: 24_000,
      speakers: ["af_alloy", "bm_lewis"],
      languages: ["en-us", "en-gb-x-rp"],
      license: "apache-2.0",
    })
    expect(plan.model).toEndWith("onnx/model.onnx")
    expect(plan.tokens).toEqual({ content: "a 43\nb 44\n" })
    expect(plan.addedMetadata).toMatchObject({
      style_dim: "5,1,256",
      n_speakers: 2,
      speaker_names: "af_alloy,bm_lewis",
    })
    expect(plan.espeak?.speakerLanguages).toEqual(["en-us", "en-gb-x-rp"])
  })

  test("without a tokenizer has the published symbols", async () => {
    const { plan } = await voice({ ...files, "tokenizer.json": {} })
    expect("content" in plan.tokens && plan.tokens.content).toContain("ə 83\n")
  })

  test("offers no voices for Chinese, which it could not speak", async () => {
    const { description, plan } = await voice({ ...files, "voices/zf_xiaobei.bin": style(5) })
    expect(description.speakers).toEqual(["af_alloy", "bm_lewis"])
    expect(plan.addedMetadata).toMatchObject({ n_speakers: 2 })
    const chinese = { "model.onnx": graph, "voices/zf_xiaobei.bin": style(5) }
    expect(await refusal(chinese)).toMatch(/all of its voices speak Chinese, which takes a lexicon/)
  })

  test("is refused without voices", async () => {
    expect(await refusal({ "model.onnx": graph })).toMatch(/its voices are missing/)
  })

  test("is refused where a voice has another size", async () => {
    expect(await refusal({ ...files, "voices/bm_lewis.bin": style(4) })).toMatch(
      /'bm_lewis' has 4096 bytes of style vectors, but 'af_alloy' has 5120/,
    )
  })
})

describe("other voices", () => {
  const MATCHA = {
    model_type: "matcha-tts",
    sample_rate: 22_050,
    n_speakers: 1,
    use_eos_bos: 1,
    pad_id: 0,
    has_espeak: 1,
  }
  const matcha = {
    "model-steps-3.onnx": emptyGraph(["x", "x_length", "temperature"], MATCHA),
    "tokens.txt": "^ 1\n$ 2\n",
  }

  test("Matcha gets the vocoder beside it", async () => {
    const { plan } = await voice({ ...matcha, "vocos-22khz-univ.onnx": emptyGraph(["mels"]) })
    expect(plan.vocoder).toEndWith("vocos-22khz-univ.onnx")
    expect((await voice({ ...matcha, "voc.onnx": emptyGraph(["mels"]) })).plan.vocoder).toEndWith("voc.onnx")
  })

  test("Matcha is refused without a vocoder, and told where there are some", async () => {
    expect(await refusal(matcha)).toMatch(/needs a vocoder beside it, such as vocos-22khz-univ\.onnx/)
  })

  test("Kitten has its table of voices", async () => {
    const metadata = {
      model_type: "kitten-tts",
      sample_rate: 24_000,
      n_speakers: 8,
      has_espeak: 1,
      style_dim: "1,256",
    }
    const files = {
      "model.fp16.onnx": emptyGraph(["input_ids", "style", "speed"], metadata),
      "tokens.txt": "a 1\n",
    }
    const { description } = await voice({ ...files, "voices.bin": new Uint8Array(8 * 256 * 4) })
    expect(description).toMatchObject({ family: "kitten", sampleRate: 24_000 })
    expect(description.speakers).toHaveLength(8)
  })

  test.each([
    ["Pocket TTS", ["lm_main.int8.onnx", "lm_flow.int8.onnx", "text_conditioner.onnx"]],
    ["ZipVoice", ["text_encoder.onnx", "fm_decoder.onnx"]],
    ["Supertonic", ["vector_estimator.onnx", "duration_predictor.onnx"]],
  ])("%s is refused by its name", async (name, graphs) => {
    expect(await refusal(Object.fromEntries(graphs.map((file) => [file, emptyGraph(["x"])])))).toContain(name)
  })
})

describe("what is no voice", () => {
  test("is refused with its inputs and outputs where it is an unknown graph", async () => {
    expect(await refusal({ "odd.onnx": emptyGraph(["ids", "speed"]) })).toMatch(
      /odd\.onnx: it is not a supported .* inputs: ids float\[N\], speed float\[N\]; outputs: audio float\[N\]/,
    )
  })

  test("is not of speech where there is no graph, or only one that helps others", async () => {
    expect(await recognize({ "model.gguf": "GGUF", "notes.txt": "x" })).toBeUndefined()
    expect(await recognize({ "silero_vad.onnx": emptyGraph(["input", "state", "sr"]) })).toBeUndefined()
  })
})

test("the model's own files stay as they are", async () => {
  using temp = tempFolder()
  writePiperVoice(temp.path)
  writeTinyTtsModel(join(temp.path, "other"))
  const before = readFileSync(join(temp.path, "en_US-tiny-low.onnx"))
  await recognizeSpeech(await readModelFolder(join(temp.path, "en_US-tiny-low.onnx")))
  expect(readFileSync(join(temp.path, "en_US-tiny-low.onnx")).equals(before)).toBe(true)
})
