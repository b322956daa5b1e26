import { describe, expect, test } from "bun:test"
import { ModelNotFound } from "../../../src/errors/model"
import { Unsupported } from "../../../src/errors/request"
import { NotAuthorized } from "../../../src/errors/store"
import { parseChallenge } from "../../../src/store/pull/sources/registry-access"
import { PullScene, tinyModelBytes } from "../../support/fakes/pull-scene"
import { writeGguf } from "../../support/files/gguf-writer"
import { someBytes } from "../../support/files/some-bytes"

const MODEL = tinyModelBytes()

describe("a model from Ollama's library", () => {
  test("comes with everything that its layers say", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:1b", {
      model: MODEL,
      template: "{{ if .System }}{{ .System }}\n{{ end }}{{ .Prompt }}",
      system: "You are tiny.",
      params: { temperature: 0.5, stop: ["<end>"], num_ctx: 2048 },
      messages: [{ role: "user", content: "hi" }],
      license: "MIT",
    })
    expect(await it.pull("tiny:1b")).toMatchObject({ name: "tiny:1b", kind: "text" })
    expect(await it.store.manifest("tiny:1b")).toMatchObject({
      source: { type: "ollama", reference: "tiny:1b", revision: expect.stringMatching(/^[0-9a-f]{64}$/) },
      files: [{ name: "model.gguf", role: "model" }],
      template: { syntax: "go" },
      system: "You are tiny.",
      parameters: { temperature: 0.5, stop: ["<end>"], num_ctx: 2048 },
      messages: [{ role: "user", content: "hi" }],
      licenses: ["MIT"],
    })
  })

  test("comes without redirects too", async () => {
    await using it = await PullScene.create()
    it.registry.redirects = false
    it.registry.publish("library/tiny:latest", { model: MODEL })
    await it.pull("tiny")
    expect(it.registry.storage.requests).toEqual([])
  })

  test("that is made for a renderer uses its file's template, which is said", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:latest", {
      model: MODEL,
      config: { renderer: "qwen9", parser: "qwen9" },
    })
    await it.pull("tiny")
    expect(it.notes.join()).toContain("using the chat template of its file")
    expect(await it.store.manifest("tiny")).toMatchObject({ renderer: "qwen9", parser: "qwen9" })
  })

  test("that is not there names the other places", async () => {
    await using it = await PullScene.create()
    const failure = it.pull("nope")
    await expect(failure).rejects.toThrow(ModelNotFound)
    await expect(failure).rejects.toThrow(
      "'ollama:library/nope:latest' was tried; other places are named hf:NAMESPACE/nope:latest or ollama:NAMESPACE/nope:latest",
    )
    await failure.catch(() => {})
    expect(it.hub.api.requests).toEqual([])
  })

  test("gets a token where one is wanted, and keeps it to the registry", async () => {
    await using it = await PullScene.create()
    it.registry.token = "sesame"
    it.registry.publish("library/tiny:latest", { model: MODEL })
    await it.pull("tiny")
    expect(it.registry.tokens).toBe(1)
    expect(it.registry.storage.requests.map(({ authorization }) => authorization)).toEqual([undefined])
  })

  test("is not asked for where tokens come from somebody else", async () => {
    await using it = await PullScene.create()
    it.registry.token = "sesame"
    it.registry.realm = `${it.registry.storage.url}/token`
    it.registry.publish("library/tiny:latest", { model: MODEL })
    await expect(it.pull("tiny")).rejects.toThrow(NotAuthorized)
  })

  test("replaces what had its name, and what only that used", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/tiny:latest", { model: MODEL })
    await it.pull("tiny")
    const [old] = (await it.store.manifest("tiny"))?.files ?? []
    it.registry.publish("library/tiny:latest", { model: tinyModelBytes({ seed: 5 }) })
    await it.pull("tiny")
    expect(old && (await it.store.blobs.has(old.digest))).toBe(false)
    expect(await it.store.list()).toHaveLength(1)
  })

  test("in another form than GGUF is refused before it is downloaded", async () => {
    await using it = await PullScene.create()
    it.registry.publish("library/mlx:latest", { model: MODEL, config: { model_format: "safetensors" } })
    await expect(it.pull("mlx")).rejects.toThrow(Unsupported)
    expect(it.registry.storage.sent()).toBeLessThan(1000)
  })

  test("of another registry on this machine is fetched over plain HTTP", async () => {
    await using it = await PullScene.create()
    it.registry.publish("team/tiny:v2", { model: MODEL })
    expect(await it.pull(`${it.registry.host}/team/tiny:v2`)).toMatchObject({ kind: "text" })
  })
})

describe("a file that llama.cpp cannot load", () => {
  const entries = [
    ["general.architecture", "string", "llama"],
    ["llama.attention.layer_norm_rms_epsilon", "f32", 1e-5],
  ] as const
  const tensor = (name: string) => ({ name, shape: [32], type: "f32" as const, values: new Float32Array(32) })

  test.each([
    [
      "of an unknown architecture",
      [["general.architecture", "string", "gptoss"]] as const,
      "blk.0.x",
      "'gptoss'",
    ],
    ["with a picture encoder in it", entries, "v.blk.0.attn_q.weight", "v.blk.0.attn_q.weight"],
    ["without what the architecture needs", entries.slice(0, 1), "blk.0.x", "layer_norm_rms_epsilon"],
  ])("%s is refused, saying why", async (_what, metadata, name, reason) => {
    await using it = await PullScene.create()
    const path = `${it.folder.path}/odd.gguf`
    writeGguf(path, metadata, [tensor(name)])
    it.registry.publish("library/odd:latest", { model: await Bun.file(path).bytes() })
    const failure = it.pull("odd")
    await expect(failure).rejects.toThrow(Unsupported)
    await expect(failure).rejects.toThrow(reason)
    await expect(failure).rejects.toThrow("models on Hugging Face")
    await failure.catch(() => {})
    expect(await it.store.list()).toEqual([])
  })

  test("is found out by its start, and nothing of it is kept", async () => {
    await using it = await PullScene.create()
    const path = `${it.folder.path}/odd.gguf`
    writeGguf(path, [["general.architecture", "string", "gptoss"]], [tensor("blk.0.x")])
    const model = Buffer.concat([await Bun.file(path).bytes(), someBytes(100_000_000)])
    it.registry.publish("library/odd:latest", { model })
    const failure = it.pull("odd")
    await expect(failure).rejects.toThrow("llama.cpp does not support the architecture 'gptoss'")
    await failure.catch(() => {})
    expect(it.registry.storage.sent()).toBeLessThan(model.length * 0.8)
    expect([...new Bun.Glob("**/*").scanSync(`${it.folder.path}/models/partial`)]).toEqual([])
  })
})

test.each([
  [
    'Bearer realm="https://a/token",service="b",scope="c"',
    { realm: "https://a/token", service: "b", scope: "c" },
  ],
  ["Bearer realm=https://a/token", { realm: "https://a/token", service: undefined, scope: undefined }],
  ['Basic realm="x"', undefined],
  [null, undefined],
])("the challenge %p is %p", (header, challenge) => {
  expect(parseChallenge(header)).toEqual(challenge)
})
