import { describe, expect, test } from "bun:test"
import { InvalidModelFile, ModelNotFound } from "../../../../src/errors/model"
import { InvalidRequest } from "../../../../src/errors/request"
import { ChecksumMismatch, NotAuthorized } from "../../../../src/errors/store"
import { voiceFolder } from "../../../../src/store/pull/sources/huggingface"
import { PullScene, tinyModelBytes } from "../../../support/fakes/pull-scene"
import { someBytes } from "../../../support/files/some-bytes"
import { encodeTinyTtsModel, TINY_TTS_MODEL_TOKENS } from "../../../support/files/tiny-tts-model"

const Q4 = tinyModelBytes()
const Q8 = tinyModelBytes({ seed: 2 })

describe("a model on Hugging Face", () => {
  test("is installed by its quantisation, which may be left away", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/tiny-GGUF"] = {
      files: {
        "README.md": "# Tiny",
        "tiny-Q4_K_M.gguf": Q4,
        "tiny-Q8_0.gguf": Q8,
        LICENSE: "Do what you like.",
      },
    }
    expect(await it.pull("org/tiny-GGUF")).toMatchObject({ name: "org/tiny-GGUF:latest", kind: "text" })
    await it.pull("hf:org/tiny-GGUF:q8_0")
    expect(await it.filesOf("org/tiny-GGUF")).toEqual([{ name: "tiny-Q4_K_M.gguf", role: "model" }])
    expect(await it.filesOf("org/tiny-GGUF:Q8_0")).toEqual([{ name: "tiny-Q8_0.gguf", role: "model" }])
    const manifest = await it.store.manifest("org/tiny-GGUF")
    expect(manifest).toMatchObject({
      source: { type: "huggingface", reference: "org/tiny-GGUF:latest" },
      licenses: ["Do what you like."],
    })
    expect(manifest?.source?.revision).toMatch(/^[0-9a-f]{40}$/)
    expect((await it.store.describe("org/tiny-GGUF")).kind).toBe("text")
  })

  test("tells what it does, in Ollama's words", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/tiny"] = { files: { "tiny.gguf": Q4 } }
    await it.pull("hf.co/org/tiny")
    expect(it.statuses).toEqual([
      "pulling manifest",
      "verifying sha256 digest",
      "writing manifest",
      "success",
    ])
    const progress = it.events.filter((event) => event.type === "progress")
    expect(progress[0]).toMatchObject({ completed: 0, total: Q4.length })
    expect(progress.at(-1)).toMatchObject({ completed: Q4.length, total: Q4.length })
    expect(progress.at(-1)?.status).toMatch(/^pulling [0-9a-f]{12}$/)
  })

  test("takes the largest that fits in memory where the usual one is not there, and says so", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/tiny"] = { files: { "tiny-Q2_K.gguf": someBytes(2000), "tiny-Q8_0.gguf": Q8 } }
    await it.pull("org/tiny")
    expect(it.notes).toEqual(["there is no Q4_K_M; using Q8_0, the largest of 2 that fits in memory"])
  })

  test("has all parts of a split file, its projector, and no matrix of importances", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/big"] = {
      files: {
        "Q4_K_M/big-Q4_K_M-00001-of-00002.gguf": Q4,
        "Q4_K_M/big-Q4_K_M-00002-of-00002.gguf": Q8,
        "big-imatrix.gguf": someBytes(5000),
        "mmproj-F32.gguf": someBytes(6000, 2),
        "mmproj-F16.gguf": someBytes(6000, 3),
      },
    }
    await it.pull("org/big")
    expect(await it.filesOf("org/big")).toEqual([
      { name: "big-Q4_K_M-00001-of-00002.gguf", role: "model" },
      { name: "big-Q4_K_M-00002-of-00002.gguf", role: "model" },
      { name: "mmproj-F16.gguf", role: "projector" },
    ])
  })

  test("that may be one of several is not guessed", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/many"] = { files: { "a-Q4_K_M.gguf": Q4, "b-Q4_K_M.gguf": Q8 } }
    await expect(it.pull("org/many")).rejects.toThrow(InvalidRequest)
    await expect(it.pull("org/many")).rejects.toThrow("name one of org/many:a-Q4_K_M, org/many:b-Q4_K_M")
    await expect(it.pull("org/many:Q5_0")).rejects.toThrow("it has nothing called 'Q5_0'; name one of")
    expect(await it.pull("org/many:b-Q4_K_M")).toMatchObject({ name: "org/many:b-Q4_K_M" })
  })

  test("that is not there is not looked for elsewhere, but the other places are named", async () => {
    await using it = await PullScene.create()
    const failure = it.pull("org/none")
    await expect(failure).rejects.toThrow(ModelNotFound)
    await expect(failure).rejects.toThrow(
      "'hf:org/none:latest' was tried; other places are named ollama:org/none:latest",
    )
    await failure.catch(() => {})
    expect(it.registry.server.requests).toEqual([])
  })

  test("behind a gate needs a token, which the host of the files never sees", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/gated"] = { files: { "tiny.gguf": Q4 }, token: "hf_secret" }
    await expect(it.pull("org/gated")).rejects.toThrow(NotAuthorized)
    await expect(it.pull("org/gated")).rejects.toThrow("set HF_TOKEN")
    it.hubToken = "hf_wrong"
    await expect(it.pull("org/gated")).rejects.toThrow("the account of HF_TOKEN may not read it")
    it.hubToken = "hf_secret"
    await it.pull("org/gated")
    expect(it.hub.api.requests.some(({ authorization }) => authorization === "Bearer hf_secret")).toBe(true)
    expect(it.hub.storage.requests.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  test("comes although signed addresses end to be valid", async () => {
    await using it = await PullScene.create()
    const large = Buffer.concat([Q4, someBytes(30_000_000)])
    it.hub.repositories["org/large"] = { files: { "large.gguf": large } }
    it.hub.signatureUses = 2
    await it.pull("org/large")
    expect(it.hub.signatures).toBeGreaterThan(2)
    expect(it.hub.storage.sent()).toBe(large.length)
  })

  test("whose content is not what the listing declares is not installed", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/wrong"] = { files: { "tiny.gguf": Q4 }, wrongSums: ["tiny.gguf"] }
    await expect(it.pull("org/wrong")).rejects.toThrow(ChecksumMismatch)
    await expect(it.pull("org/wrong")).rejects.toThrow("it was deleted")
    expect(await it.store.list()).toEqual([])
  })

  test("that changes while it is downloaded is downloaded anew, which is said", async () => {
    await using it = await PullScene.create()
    const before = Buffer.concat([Q4, someBytes(20_000_000)])
    const after = Buffer.concat([Q8, someBytes(20_000_000, 9)])
    it.hub.repositories["org/moving"] = { files: { "m.gguf": before } }
    it.hub.storage.onSent = () => {
      if (it.hub.storage.sent() > 5_000_000)
        it.hub.repositories["org/moving"] = { files: { "m.gguf": after } }
    }
    const { sizeBytes } = await it.pull("org/moving")
    expect(sizeBytes).toBe(after.length)
    expect(it.notes.join()).toContain("has changed at its source")
  })

  test("that holds nothing usable is refused", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/other"] = { files: { "model.gguf": someBytes(3000) } }
    await expect(it.pull("org/other")).rejects.toThrow(InvalidModelFile)
    expect(await it.store.list()).toEqual([])
  })

  test("may be named by the address of its file", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/tiny"] = { files: { "a.gguf": Q4, "b.gguf": Q8 } }
    const { name } = await it.pull("https://huggingface.co/org/tiny/resolve/main/b.gguf")
    expect(name).toBe("org/tiny:b.gguf")
    expect(await it.filesOf(name)).toEqual([{ name: "b.gguf", role: "model" }])
  })
})

test.each([
  ["en_US-joe-medium", "en/en_US/joe/medium"],
  ["zh_CN-huayan-x_low", "zh/zh_CN/huayan/x_low"],
  ["sr_RS-serbski_institut-medium", "sr/sr_RS/serbski_institut/medium"],
  ["Q4_K_M", undefined],
])("a voice called %s is looked for in %p", (tag, folder) => {
  expect(voiceFolder(tag)).toBe(folder)
})

describe("a model of several files", () => {
  test("is a voice if its files are, and keeps their names", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/tones"] = {
      files: {
        "README.md": "# Tones",
        LICENSE: "Public domain.",
        "model.onnx": encodeTinyTtsModel({}),
        "tokens.txt": TINY_TTS_MODEL_TOKENS,
        "test_wavs/0.wav": someBytes(100),
      },
    }
    expect(await it.pull("org/tones")).toMatchObject({ kind: "tts" })
    expect((await it.filesOf("org/tones")).map(({ name }) => name).toSorted()).toEqual([
      "LICENSE",
      "model.onnx",
      "tokens.txt",
    ])
    expect(await it.store.describe("org/tones")).toMatchObject({ kind: "tts", family: "vits" })
  })

  test("of no kind that is known is refused", async () => {
    await using it = await PullScene.create()
    it.hub.repositories["org/data"] = { files: { "config.json": "{}", "model.bin": someBytes(2000) } }
    const failure = it.pull("org/data")
    await expect(failure).rejects.toThrow(InvalidModelFile)
    await failure.catch(() => {})
    expect(await it.store.list()).toEqual([])
  })
})
