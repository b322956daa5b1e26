import { afterAll, describe, expect, test } from "bun:test"
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { convertToGguf } from "../../src/convert/convert"
import { planGguf } from "../../src/convert/plan"
import { HfFolder } from "../../src/convert/source/folder"
import { XllmError } from "../../src/errors/base"
import { readGgufHeader } from "../../src/formats/gguf/read"
import { failure } from "../support/failure"
import { mulberry } from "../support/files/mulberry"
import { writeDenseSafetensors } from "../support/hf/dense-safetensors"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())

function fresh(name: string, kind = "mistral"): string {
  const folder = join(place, name)
  rmSync(folder, { recursive: true, force: true })
  const make = TINY_FOLDERS[kind]
  if (make === undefined) throw new Error(`no folder '${kind}'`)
  return writeTinyFolder(folder, make())
}

async function convert(folder: string, out = join(place, "out.gguf")): Promise<readonly string[]> {
  await using plan = await planGguf(await HfFolder.open(folder), { pre: "gpt-2" })
  return await convertToGguf({ plan, out, mayReplace: true })
}

/** What is wrong with a folder after `change`. */
async function faultOf(change: (folder: string) => void, kind = "mistral"): Promise<string> {
  const folder = fresh("wrong", kind)
  change(folder)
  const before = readdirSync(place).sort()
  const { message } = await failure(convert(folder))
  expect(readdirSync(place).sort()).toEqual(before)
  return message
}

const editJson = (folder: string, name: string, change: Readonly<Record<string, unknown>>) => {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }))
}

describe("a folder is refused, and nothing written, where", () => {
  test("there is no config.json", async () => {
    expect(await faultOf((folder) => rmSync(join(folder, "config.json")))).toContain("it has no config.json")
  })

  test("the class is not known", async () => {
    const fault = await faultOf((folder) =>
      editJson(folder, "config.json", { architectures: ["ElmForCausalLM"] }),
    )
    expect(fault).toContain("'ElmForCausalLM' cannot be converted")
    expect(fault).toContain("llama, nomic-bert, olmo2, phi3")
  })

  test("the weights are a pickle", async () => {
    const fault = await faultOf((folder) => {
      rmSync(join(folder, "model.safetensors"))
      writeFileSync(join(folder, "pytorch_model.bin"), "cos\nsystem\n(S'touch /tmp/x'\ntR.")
    })
    expect(fault).toContain("'pytorch_model.bin', a pickle, which can run any code")
  })

  test("the weights are quantized already", async () => {
    const change = { quantization_config: { quant_method: "awq" } }
    expect(await faultOf((folder) => editJson(folder, "config.json", change))).toContain(
      "quantized already (awq)",
    )
  })

  test("the index names a file outside", async () => {
    const fault = await faultOf((folder) =>
      writeFileSync(
        join(folder, "model.safetensors.index.json"),
        JSON.stringify({ weight_map: { "model.norm.weight": "../../../etc/passwd" } }),
      ),
    )
    expect(fault).toContain("'../../../etc/passwd' is not the name of a file in the folder")
  })

  test("a shard of the index is missing", async () => {
    const fault = await faultOf((folder) =>
      writeFileSync(
        join(folder, "model.safetensors.index.json"),
        JSON.stringify({ weight_map: { "model.norm.weight": "model-00001-of-00002.safetensors" } }),
      ),
    )
    expect(fault).toContain("the file 'model-00001-of-00002.safetensors' is missing")
  })

  test("a link leads out of it", async () => {
    writeFileSync(join(place, "outside.json"), "{}")
    const fault = await faultOf((folder) => {
      rmSync(join(folder, "tokenizer_config.json"))
      symlinkSync(join(place, "outside.json"), join(folder, "tokenizer_config.json"))
    })
    expect(fault).toContain("'tokenizer_config.json' is a link that leads out of the folder")
  })

  test("two tensors overlap", async () => {
    const fault = await faultOf((folder) => {
      const path = join(folder, "model.safetensors")
      const text = readFileSync(path).toString("latin1")
      const first = /"lm_head\.weight":\{[^}]*"data_offsets":\[0,(\d+)\]/.exec(text)?.[1] ?? ""
      const second = `"data_offsets":[${first},`
      const at = text.indexOf(second)
      const end = Number(/^\d+/.exec(text.slice(at + second.length))?.[0])
      const length = end - Number(first)
      const changed = `"data_offsets":[${Number(first) - 64},${end - 64}]`
      const original = `"data_offsets":[${first},${end}]`
      expect(length).toBeGreaterThan(0)
      writeFileSync(path, Buffer.from(text.replace(original, changed.padEnd(original.length)), "latin1"))
    })
    expect(fault).toContain("overlap")
  })

  test("the file of weights is cut", async () => {
    const fault = await faultOf((folder) => {
      const path = join(folder, "model.safetensors")
      writeFileSync(path, readFileSync(path).subarray(0, statSync(path).size - 100))
    })
    expect(fault).toContain("the file is cut short")
  })

  test("a norm has another size", async () => {
    const fault = await faultOf((folder) => editJson(folder, "config.json", { hidden_size: 32 }))
    expect(fault).toContain("instead of 32")
  })

  test("a layer is missing", async () => {
    expect(await faultOf((folder) => editJson(folder, "config.json", { num_hidden_layers: 3 }))).toContain(
      "the layer 2 of 3 is missing",
    )
  })

  test("the vocabulary is larger than the embeddings", async () => {
    expect(await faultOf((folder) => editJson(folder, "config.json", { vocab_size: 400 }))).toContain(
      "has 300 rows, but the vocabulary has 400 tokens",
    )
  })

  test("an expert is missing", async () => {
    const change = { num_local_experts: 5 }
    expect(await faultOf((folder) => editJson(folder, "config.json", change), "mixtral")).toContain(
      "experts are missing",
    )
  })

  test("a token has an id far beyond all others", async () => {
    const change = { added_tokens_decoder: { "99999999999": { content: "x" } } }
    expect(await faultOf((folder) => editJson(folder, "tokenizer_config.json", change))).toContain(
      "a token has the id 99999999999",
    )
  })

  test("a tokenizer has more pieces than any model", async () => {
    const fault = await faultOf((folder) => {
      const pieces = Array.from({ length: 1_100_000 }, () => '["a",-1.5]').join()
      const text = `{"model":{"type":"Unigram","vocab":[${pieces}]},"added_tokens":[]}`
      writeFileSync(join(folder, "tokenizer.json"), text)
    }, "xlm-roberta")
    expect(fault).toContain("too many tokens")
  })

  test("a file is nested a hundred thousand levels deep", async () => {
    const fault = await faultOf((folder) =>
      writeFileSync(join(folder, "config.json"), "[".repeat(100_000) + "]".repeat(100_000)),
    )
    expect(fault).toContain("levels")
  })

  test("a tensor is not known", async () => {
    const fault = await faultOf((folder) =>
      writeDenseSafetensors(join(folder, "model.safetensors"), [
        { name: "constructor", shape: [2, 2], values: new Float32Array(4) },
      ]),
    )
    expect(fault).toContain("the tensor 'constructor' is not known to the architecture 'llama'")
  })
})

test("weights in another order in their file give the same GGUF", async () => {
  const make = TINY_FOLDERS["mistral"]
  if (make === undefined) throw new Error("no folder")
  const folder = fresh("order")
  writeDenseSafetensors(join(folder, "model.safetensors"), [...make().tensors].reverse())
  const [whole = ""] = await convert(fresh("order-of-names"), join(place, "a.gguf"))
  const [other = ""] = await convert(folder, join(place, "b.gguf"))
  const { summarizeGguf } = await import("../support/hf/gguf-summary")
  expect(summarizeGguf(other).tensors).toEqual(summarizeGguf(whole).tensors)
})

test("weights in shuffled order and renamed shards give the same tensors", async () => {
  const make = TINY_FOLDERS["mistral"]
  if (make === undefined) throw new Error("no folder")
  const tiny = make()
  const folder = fresh("shards")
  rmSync(join(folder, "model.safetensors"))
  const random = mulberry(5)
  const shuffled = tiny.tensors.map((tensor) => [random(), tensor] as const).sort(([a], [b]) => a - b)
  const tensors = shuffled.map(([, tensor]) => tensor)
  const files = ["model-b.safetensors", "model-a.safetensors"] as const
  const halves = [tensors.slice(0, 9), tensors.slice(9)]
  const map: Record<string, string> = {}
  for (const [index, half] of halves.entries()) {
    const file = files[index] ?? files[0]
    writeDenseSafetensors(join(folder, file), half)
    for (const { name } of half) map[name] = file
  }
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }))
  const { summarizeGguf } = await import("../support/hf/gguf-summary")
  const [whole = ""] = await convert(fresh("whole"), join(place, "whole.gguf"))
  const [parts = ""] = await convert(folder, join(place, "parts.gguf"))
  expect([...summarizeGguf(parts).tensors].sort()).toEqual([...summarizeGguf(whole).tensors].sort())
})

test("several files hold the same tensors as one, each below the limit", async () => {
  const folder = fresh("split")
  await using plan = await planGguf(await HfFolder.open(folder))
  const out = join(place, "split.gguf")
  const paths = await convertToGguf({ plan, out, shardBytes: 100_000 })
  expect(paths.length).toBeGreaterThan(1)
  const names = paths.flatMap((path) => readGgufHeader(path).tensors.map(({ name }) => name))
  expect(names).toEqual(plan.tensors.map(({ name }) => name))
  expect(paths[0]).toEndWith(`split-00001-of-${String(paths.length).padStart(5, "0")}.gguf`)
  for (const path of paths) rmSync(path)
})

test("a thousand damaged folders are converted or refused, quickly, and leave nothing", async () => {
  const random = mulberry(77)
  const folders = ["mistral", "llama", "bert", "xlm-roberta", "qwen3moe"].map((kind) =>
    fresh(`seed-${kind}`, kind),
  )
  let refused = 0
  for (let round = 0; round < 1000; round++) {
    const seed = folders[round % folders.length] ?? ""
    const folder = join(place, "damaged")
    mkdirSync(folder, { recursive: true })
    const names = readdirSync(seed).filter((name) => statSync(join(seed, name)).isFile())
    const victim = names[Math.floor(random() * names.length)] ?? ""
    for (const name of names) {
      if (name !== victim) copyFileSync(join(seed, name), join(folder, name))
      else writeFileSync(join(folder, name), damaged(readFileSync(join(seed, name)), random))
    }
    const out = join(place, "damaged.gguf")
    try {
      await convert(folder, out)
      readGgufHeader(out)
    } catch (error) {
      refused++
      if (!(error instanceof XllmError)) throw error
    }
    rmSync(folder, { recursive: true })
    rmSync(out, { force: true })
  }
  expect(refused).toBeGreaterThan(100)
  expect(readdirSync(place).filter((name) => name.endsWith(".part"))).toEqual([])
}, 120_000)

/** A few bytes changed, mostly near the start, where headers are; or cut; or a piece twice. */
function damaged(content: Uint8Array, random: () => number): Uint8Array {
  const bytes = new Uint8Array(content)
  const at = () => Math.floor(random() ** 3 * bytes.length)
  const way = random()
  if (way < 0.15) return bytes.subarray(0, at())
  if (way < 0.3) {
    const from = at()
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from, from + 40), bytes.subarray(from)])
  }
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--)
    bytes[at()] = way < 0.6 ? Math.floor(random() * 256) : 48 + Math.floor(random() * 10)
  return bytes
}
