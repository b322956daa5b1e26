import { describe, expect, test } from "bun:test"
import { chooseGguf } from "../../../src/store/pull/choose/choose-gguf"
import { chooseParts } from "../../../src/store/pull/choose/choose-parts"
import { quantizationIn } from "../../../src/store/pull/choose/quantization"
import { NoChoice, type RepositoryFile } from "../../../src/store/pull/choose/repository"

const GB = 1e9

/** A listing; `path@size` has a size in GB. */
function listing(...entries: readonly string[]): readonly RepositoryFile[] {
  return entries.map((entry) => {
    const [path = "", size = "1"] = entry.split("@")
    return { path, sizeBytes: Number(size) * GB, digest: undefined, gitOid: undefined }
  })
}

const names = (files: readonly RepositoryFile[], tag = "latest", memory = 24 * GB) =>
  chooseGguf(files, tag, memory).files.map(({ name, role }) =>
    role === "model" ? name : `${name} (${role})`,
  )

const parts = (files: readonly RepositoryFile[], tag = "latest") =>
  chooseParts(files, tag).files.map(({ name }) => name)

test.each([
  ["Qwen3-0.6B-Q8_0.gguf", "Q8_0"],
  ["model.IQ4_XS.gguf", "IQ4_XS"],
  ["x-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"],
  ["llama-fp16.gguf", "F16"],
  ["BF16/model-00001-of-00002.gguf", "BF16"],
  ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
  ["qwen2-1_5b-instruct-q4_k_m.gguf", "Q4_K_M"],
  ["tinyllama.gguf", undefined],
])("%s is quantised as %p", (path, label) => {
  expect(quantizationIn(path)).toBe(label)
})

describe("of the GGUF files of a repository", () => {
  test("the usual quantisation is taken, in any case", () => {
    expect(names(listing("a-q4_k_m.gguf", "a-q8_0.gguf"))).toEqual(["a-q4_k_m.gguf"])
    expect(names(listing("a-UD-Q4_K_M.gguf", "a-Q8_0.gguf"))).toEqual(["a-UD-Q4_K_M.gguf"])
  })

  test("the best that fits in memory is taken otherwise", () => {
    const files = listing("a-Q3_K_M.gguf@3", "a-Q5_K_M.gguf@5", "a-Q8_0.gguf@8", "a-F16.gguf@16")
    expect(names(files, "latest", 10 * GB)).toEqual(["a-Q8_0.gguf"])
    expect(names(files, "latest", 1 * GB)).toEqual(["a-Q3_K_M.gguf"])
    expect(chooseGguf(files, "latest", GB).note).toContain("may not fit")
  })

  test("a single one is taken without a word", () => {
    const choice = chooseGguf(listing("a-Q2_K.gguf", "imatrix.gguf", "mmproj-a-f16.gguf"), "latest", GB)
    expect(choice.note).toBeUndefined()
    expect(choice.files.map(({ name }) => name)).toEqual(["a-Q2_K.gguf", "mmproj-a-f16.gguf"])
  })

  test.each([
    ["Q8_0", "a-Q8_0.gguf"],
    ["q8_0", "a-Q8_0.gguf"],
    ["a-Q8_0", "a-Q8_0.gguf"],
    ["a-Q8_0.gguf", "a-Q8_0.gguf"],
    ["Q4_K_XL", "a-UD-Q4_K_XL.gguf"],
    ["extra", "b.gguf"],
  ])("the tag %s names %s", (tag, name) => {
    expect(names(listing("a-Q8_0.gguf", "a-UD-Q4_K_XL.gguf", "extra/b.gguf"), tag)).toEqual([name])
  })

  test("a tag that may mean two names none", () => {
    expect(() => names(listing("a-Q8_0.gguf", "b-Q8_0.gguf"), "Q8_0")).toThrow(NoChoice)
  })

  test("a split one without all of its parts is not there", () => {
    const files = listing("a-Q4_K_M-00001-of-00002.gguf", "a-Q8_0.gguf")
    expect(names(files)).toEqual(["a-Q8_0.gguf"])
  })

  test("the parts of a painter come along, one of each", () => {
    const files = listing(
      "flux1-schnell-Q4_0.gguf@6",
      "ae.safetensors@0.3",
      "clip_l.safetensors@0.2",
      "t5xxl_fp16.safetensors@9",
      "t5xxl-Q8_0.gguf@5",
    )
    expect(names(files)).toEqual([
      "flux1-schnell-Q4_0.gguf",
      "ae.safetensors (file)",
      "clip_l.safetensors (file)",
      "t5xxl-Q8_0.gguf (file)",
    ])
  })
})

describe("of a repository with other files", () => {
  const VOICES = listing(
    "README.md",
    "voices.json",
    "en/en_US/joe/medium/MODEL_CARD",
    "en/en_US/joe/medium/en_US-joe-medium.onnx",
    "en/en_US/joe/medium/en_US-joe-medium.onnx.json",
    "en/en_US/joe/medium/samples/speaker_0.mp3",
    "en/en_US/amy/low/MODEL_CARD",
    "en/en_US/amy/low/en_US-amy-low.onnx",
    "en/en_US/amy/low/en_US-amy-low.onnx.json",
  )

  test("a voice of a collection has its graph, its description and its card", () => {
    expect(parts(VOICES, "en_US-joe-medium").toSorted()).toEqual([
      "MODEL_CARD",
      "en_US-joe-medium.onnx",
      "en_US-joe-medium.onnx.json",
    ])
  })

  test("a collection is not taken as a whole", () => {
    expect(() => parts(VOICES)).toThrow("it holds 2 models")
    expect(() => parts(VOICES, "fr_FR-none-low")).toThrow(NoChoice)
  })

  test("a voice as sherpa publishes it comes whole, without samples and scripts", () => {
    const files = listing(
      "README.md",
      "LICENSE",
      "en_GB-alba-medium.onnx",
      "en_GB-alba-medium.onnx.json",
      "tokens.txt",
      "espeak-ng-data/phontab",
      "espeak-ng-data/lang/gmw/en",
      "vits-piper.py",
      ".gitattributes",
    )
    expect(parts(files).toSorted()).toEqual([
      "LICENSE",
      "en_GB-alba-medium.onnx",
      "en_GB-alba-medium.onnx.json",
      "espeak-ng-data/lang/gmw/en",
      "espeak-ng-data/phontab",
      "tokens.txt",
    ])
  })

  test("a recogniser has graphs of 8 bits, unless others are asked for", () => {
    const files = listing(
      "tiny.en-encoder.onnx",
      "tiny.en-encoder.int8.onnx",
      "tiny.en-decoder.onnx",
      "tiny.en-decoder.int8.onnx",
      "tiny.en-tokens.txt",
      "test_wavs/0.wav",
    )
    const whole = ["tiny.en-decoder.int8.onnx", "tiny.en-encoder.int8.onnx", "tiny.en-tokens.txt"]
    expect(parts(files).toSorted()).toEqual(whole)
    expect(chooseParts(files, "latest").note).toBe("of several number formats, using int8")
    expect(() => parts(files, "q4f16")).toThrow("it has nothing called 'q4f16'")
  })

  test("Kokoro has one graph and all of its voices", () => {
    const files = listing(
      "config.json",
      "tokenizer.json",
      "onnx/model.onnx",
      "onnx/model_fp16.onnx",
      "onnx/model_q8f16.onnx",
      "onnx/model_quantized.onnx",
      "voices/af_heart.bin",
      "voices/am_adam.bin",
    )
    const others = ["config.json", "tokenizer.json", "voices/af_heart.bin", "voices/am_adam.bin"]
    expect(parts(files).toSorted()).toEqual([...others, "onnx/model_quantized.onnx"].toSorted())
    expect(parts(files, "q8f16").toSorted()).toEqual([...others, "onnx/model_q8f16.onnx"].toSorted())
  })

  test("faster-whisper comes with the weights that it has", () => {
    const files = listing("README.md", "config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
    expect(parts(files)).toEqual(["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"])
  })

  test("a folder of a repository is a model by itself", () => {
    const files = listing("a/model.onnx", "a/tokens.txt", "b/model.onnx", "b/tokens.txt", "LICENSE")
    expect(parts(files, "b").toSorted()).toEqual(["model.onnx", "tokens.txt"])
  })

  test("a checkpoint at the top is taken, not the same in parts", () => {
    const files = listing(
      "v1-5-pruned-emaonly.safetensors",
      "model_index.json",
      "unet/diffusion_pytorch_model.safetensors",
      "vae/diffusion_pytorch_model.safetensors",
    )
    expect(parts(files)).toEqual(["v1-5-pruned-emaonly.safetensors"])
  })

  test("of several checkpoints one must be named", () => {
    const files = listing(
      "sd3.safetensors",
      "sd3_large.safetensors",
      "model_index.json",
      "vae.safetensors@0.3",
    )
    expect(() => parts(files)).toThrow("it holds 2 models")
    expect(parts(files, "sd3")).toEqual(["sd3.safetensors", "vae.safetensors"])
  })
})
