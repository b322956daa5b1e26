import { describe, expect, test } from "bun:test"
import { attachedParts } from "../../../src/store/managed/attached-parts"
import { defaultsOf } from "../../../src/store/managed/defaults"
import type { Manifest } from "../../../src/store/managed/manifest"

const digest = `sha256:${"a".repeat(64)}` as const

function defaults(manifest: Partial<Manifest>) {
  return defaultsOf(whole(manifest))
}

function whole(manifest: Partial<Manifest>): Manifest {
  return {
    version: 1,
    kind: "text",
    createdAt: "2026-01-01T00:00:00Z",
    files: [{ name: "model.gguf", role: "model", digest, sizeBytes: 1 }],
    parameters: {},
    ...manifest,
  }
}

test("a model without anything brings nothing along", () => {
  expect(defaults({})).toEqual({})
})

test("texts", () => {
  const messages = [{ role: "user", content: "hi" }] as const
  expect(defaults({ system: "Be brief.", messages })).toEqual({ system: "Be brief.", messages })
  expect(defaults({ system: "", messages: [] })).toEqual({})
})

test("line endings of other systems are line feeds in every text", () => {
  const { system, messages, stop, template } = defaults({
    system: "Be\r\nbrief.",
    messages: [{ role: "user", content: "a\rb" }],
    parameters: { stop: ["\r\nUser:"] },
    template: { syntax: "go", text: "{{ .Prompt }}\r\n{{ .Response }}" },
  })
  expect(system).toBe("Be\nbrief.")
  expect(messages).toEqual([{ role: "user", content: "a\nb" }])
  expect(stop).toEqual(["\nUser:"])
  expect(template).not.toContain("\r")
})

test("parameters become what requests, and settings, call them", () => {
  const parameters = {
    temperature: 0.5,
    top_k: 20,
    top_p: 0.8,
    min_p: 0.1,
    typical_p: 0.9,
    repeat_last_n: 32,
    repeat_penalty: 1.2,
    presence_penalty: 0.3,
    frequency_penalty: 0.4,
    seed: 42,
    num_predict: 100,
    stop: ["a", "b"],
    num_ctx: 2048,
    num_gpu: 10,
    num_thread: 3,
    use_mmap: false,
    parallel: 4,
    keep_alive: "10m",
    kv_cache_type: "q8_0",
    cache_type_v: "f16",
    ignore_eos: true,
    top_n_sigma: 2,
    dynatemp_range: 0.5,
  }
  expect(defaults({ parameters })).toEqual({
    sampling: {
      temperature: 0.5,
      topK: 20,
      topP: 0.8,
      minP: 0.1,
      typicalP: 0.9,
      repeatLastN: 32,
      repeatPenalty: 1.2,
      presencePenalty: 0.3,
      frequencyPenalty: 0.4,
      seed: 42,
      ignoreEos: true,
      topNSigma: 2,
      dynamicTemperatureRange: 0.5,
    },
    stop: ["a", "b"],
    maxTokens: 100,
    settings: {
      contextLength: 2048,
      gpuLayers: 10,
      decodeThreads: 3,
      prefillThreads: 3,
      memoryMap: false,
      slots: 4,
      keepAliveSeconds: 600,
      kvTypeK: "q8_0",
      kvTypeV: "f16",
    },
  })
})

test("numbers that mean 'as the program likes' are no defaults, and those that mean 'none' or 'for ever' are", () => {
  expect(defaults({ parameters: { num_predict: -1, num_gpu: -1, num_thread: 0 } })).toEqual({})
  expect(defaults({ parameters: { seed: -1, top_k: -1, keep_alive: "-1", num_gpu: 0 } })).toEqual({
    sampling: { seed: null, topK: 0 },
    settings: { keepAliveSeconds: null, gpuLayers: 0 },
  })
})

test("seeds beyond 32 bits are folded, always to the same", () => {
  const { sampling } = defaults({ parameters: { seed: 2 ** 40 + 5 } })
  expect(sampling?.seed).toBeLessThan(2 ** 32 - 1)
  expect(defaults({ parameters: { seed: 2 ** 40 + 5 } }).sampling).toEqual(sampling ?? {})
})

test("parameters that are not known, or not what they should be, count as absent", () => {
  const parameters = {
    temperature: 99,
    top_k: "many",
    nothing: 1,
    stop: "alone",
    constructor: 1,
    num_ctx: true,
  }
  expect(defaults({ parameters })).toEqual({})
})

describe("attached parts", () => {
  const parts = (manifest: Partial<Manifest>) =>
    attachedParts(whole(manifest), (of) => `/blobs/${of.slice(7, 10)}`)
  const model = { name: "model.gguf", role: "model", digest, sizeBytes: 1 } as const
  const adapter = {
    name: "a.gguf",
    role: "adapter",
    digest: `sha256:${"b".repeat(64)}`,
    sizeBytes: 2,
    scale: 0.25,
  } as const

  test("have a path, a digest and a size, and adapters the scale that was set last", () => {
    const one = {
      role: "adapter",
      name: "a.gguf",
      path: "/blobs/bbb",
      digest: adapter.digest,
      sizeBytes: 2,
    } as const
    const files = [model, adapter]
    expect(parts({ files })).toEqual([{ ...one, scale: 0.25 }])
    expect(parts({ files, parameters: { adapter_scale: 2 } })).toEqual([{ ...one, scale: 2 }])
    const { scale: _, ...unscaled } = adapter
    expect(parts({ files: [model, unscaled] })).toEqual([{ ...one, scale: 1 }])
  })

  test("are every file that is neither the weights nor one of many", () => {
    const digests = ["c", "d", "e"].map((digit) => `sha256:${digit.repeat(64)}` as const)
    const [c = digest, d = digest, e = digest] = digests
    const files = [
      { name: "mmproj.gguf", role: "projector", digest: c, sizeBytes: 3 },
      model,
      { name: "draft.gguf", role: "draft", digest: d, sizeBytes: 4 },
      { name: "tokens.txt", role: "file", digest: e, sizeBytes: 5 },
    ] as const
    expect(parts({ files })).toEqual([
      { role: "projector", name: "mmproj.gguf", path: "/blobs/ccc", digest: c, sizeBytes: 3 },
      { role: "draft", name: "draft.gguf", path: "/blobs/ddd", digest: d, sizeBytes: 4 },
    ])
  })
})

describe("a template", () => {
  test("in Jinja is used as it is", () => {
    const template = { text: "{{ messages }}", syntax: "jinja" } as const
    expect(defaults({ template })).toEqual({ template: "{{ messages }}" })
  })

  test("of Go is translated", () => {
    const { template } = defaults({ template: { text: "[{{ .Prompt }}]", syntax: "go" } })
    expect(template).toContain("turn.prompt")
  })

  test("of Go that is not understood leaves the file's own, and says so", () => {
    expect(defaults({ template: { text: "x\n{{ nothing .Prompt }}", syntax: "go" } })).toEqual({
      notes: [
        "line 2 of its template cannot be translated (unknown function 'nothing'): using that of its file",
      ],
    })
  })

  test("stands back where a renderer or a parser would be needed", () => {
    const template = { text: "{{ .Prompt }}", syntax: "go" } as const
    expect(defaults({ template, renderer: "qwen3-coder", parser: "qwen3-coder" })).toEqual({
      notes: ["its renderer 'qwen3-coder' is not supported: using the chat template of its file"],
    })
  })
})
