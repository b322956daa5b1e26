import { afterAll, describe, expect, test } from "bun:test"
import { closeSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readImportance } from "../../src/convert/importance"
import { makeImportance } from "../../src/convert/make-importance"
import { planGguf } from "../../src/convert/plan"
import { quantizeGguf } from "../../src/convert/quantize"
import { findQuantizeType } from "../../src/convert/quantize-types"
import { HfFolder } from "../../src/convert/source/folder"
import { readGgufHeader } from "../../src/formats/gguf/read"
import { writeGgufModel } from "../../src/formats/gguf/write"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { failure } from "../support/failure"
import { writeTinyModel } from "../support/files/tiny-model"
import { jobsIn } from "../support/hf/job"
import { TINY_FOLDERS, writeTinyFolder } from "../support/hf/tiny-folders"
import { tempFolder } from "../support/temp-folder"

const temp = tempFolder()
const place = temp.path
afterAll(() => temp[Symbol.dispose]())
const runJob = jobsIn(place)

const CHUNK = 32
const OPTIONS = { chunkTokens: CHUNK, threads: 1, withOutput: false, parseSpecial: false, gpuLayers: 0 }
const TEXT = join(place, "text.txt")
writeFileSync(TEXT, `${"The cat sat on the mat, and 12 mice ran away. ".repeat(8)}\n`)

function numbers(path: string, name: string): Float32Array {
  const { tensors, dataOffset } = readGgufHeader(path)
  const tensor = tensors.find((each) => each.name === name)
  if (tensor?.type.name !== "F32") throw new Error(`no tensor '${name}' of F32`)
  const bytes = new Uint8Array(tensor.bytes ?? 0)
  const file = openSync(path, "r")
  readSync(file, bytes, 0, bytes.length, dataOffset + tensor.offset)
  closeSync(file)
  return new Float32Array(bytes.buffer)
}

describe("an importance matrix", () => {
  test("has the mean squares of what each tensor is multiplied with", async () => {
    const source = join(place, "tiny.gguf")
    writeTinyModel(source, { dim: 64 })
    const progress: string[] = []
    const { tensors, chunks = 0 } = await makeImportance({
      ...{ source, out: join(place, "tiny.imatrix.gguf"), runJob },
      options: { ...OPTIONS, text: TEXT },
      onProgress: (done, total) => progress.push(`${done} of ${total}`),
    })
    expect(tensors.map(({ name }) => name)).toContain("blk.1.ffn_down.weight")
    expect(progress.at(-1)).toBe(`${chunks} of ${chunks}`)

    const library = Library.open(await locateLlama(place), { useGpu: false, logDescriptor: 2, logLevel: 4 })
    using model = Model.describe(library, source)
    if (model === undefined) throw new Error("llama.cpp refused the model")
    const text = (await Bun.file(TEXT).text()).slice(0, -1)
    const ids = model.vocabulary.tokenize(text, { addSpecial: true, parseSpecial: false })
    expect(chunks).toBe(Math.floor(ids.length / CHUNK))
    const embeddings = numbers(source, "token_embd.weight")
    const norm = numbers(source, "blk.0.attn_norm.weight")
    // The first layer's queries are multiplied with the normalized embeddings.
    const sums = new Float64Array(64)
    for (const id of ids.subarray(0, chunks * CHUNK)) {
      const row = embeddings.subarray(id * 64, id * 64 + 64)
      const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / 64 + 1e-5)
      for (let column = 0; column < 64; column++)
        sums[column] = (sums[column] ?? 0) + ((row[column] ?? 0) * scale * (norm[column] ?? 0)) ** 2
    }
    const found = tensors.find(({ name }) => name === "blk.0.attn_q.weight")?.values ?? []
    for (let column = 0; column < 64; column++)
      expect((found[column] ?? 0) / ((sums[column] ?? 0) / (chunks * CHUNK))).toBeCloseTo(1, 3)
  })

  test("of a mixture of experts counts each of them, and makes the smallest types possible", async () => {
    const make = TINY_FOLDERS["mixtral"]
    if (make === undefined) throw new Error("no folder")
    const folder = writeTinyFolder(join(place, "mixtral"), make())
    await using plan = await planGguf(await HfFolder.open(folder), { outType: "f32" })
    const [source = ""] = await writeGgufModel(join(place, "mixtral.gguf"), plan.fields, plan.tensors)
    const out = join(place, "mixtral.imatrix.gguf")
    const { chunks = 0 } = await makeImportance({ source, out, runJob, options: { ...OPTIONS, text: TEXT } })
    const counts = numbers(out, "blk.0.ffn_up_exps.weight.counts")
    expect(counts.length).toBe(4)
    // Each token is given to two of the four.
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2 * chunks * CHUNK)
    const { paths } = await quantizeGguf({
      source,
      out: join(place, "small.gguf"),
      type: findQuantizeType("IQ2_XXS"),
      options: { importance: readImportance(out) },
      runJob,
    })
    expect(paths.length).toBe(1)
  })

  test("is refused with the reason, and leaves nothing", async () => {
    const source = join(place, "tiny.gguf")
    writeTinyModel(source, { dim: 64 })
    const short = join(place, "short.txt")
    writeFileSync(short, "Hello")
    const before = readdirSync(place).sort()
    const make = async (text: string, out = join(place, "other.gguf")) =>
      (await failure(makeImportance({ source, out, runJob, options: { ...OPTIONS, text } }))).message
    expect(await make(short)).toMatch(/short\.txt.*the text has \d+ tokens, and at least 64 are needed/)
    expect(await make(join(place, "absent.txt"))).toContain("absent.txt")
    expect(await make(TEXT, source)).toContain("the file exists")
    expect(readdirSync(place).sort()).toEqual(before)
  })
})
