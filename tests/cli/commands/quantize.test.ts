import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command } from "../../../src/cli/commands/quantize"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { fakeIo } from "../../support/fakes/fake-io"
import { type GgufTensor, writeGguf } from "../../support/files/gguf-writer"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const folder = tempFolder()
const source = join(folder.path, "tiny-F32.gguf")
const MODEL = { ffn: 512, layers: 2, heads: 4, kvHeads: 4 }

beforeAll(() => writeTinyModel(source, { ...MODEL, dim: 256 }))
afterAll(() => folder[Symbol.dispose]())

/** SHA-256 of the tensor data that llama-quantize of the same release writes on x64. */
const REFERENCE: Readonly<Record<string, string>> = {
  F16: "5780cde06b40b601",
  Q8_0: "198a4c3aa4a66e5b",
  Q6_K: "04cc4afea999103c",
  Q5_1: "2b14ee9b22be96e5",
  Q4_K_M: "ce4a9f1d81a2d04f",
  Q4_0: "20f164eaa07a7bfe",
  IQ4_XS: "0b72033b3c52adf3",
  Q3_K_M: "750e4bddeb14c1ad",
  Q2_K: "e7b648a7adf79d40",
  TQ1_0: "d9dfc37737f7ea3e",
}

async function run(...argv: string[]): Promise<{ readonly out: string; readonly err: string }> {
  const io = fakeIo({ environment: { XLLM_HOME: join(folder.path, "home") } })
  await command.execute(argv, io)
  return io
}

function sumOf(path: string): string {
  const { dataOffset } = readGgufHeader(path)
  return Bun.SHA256.hash(readFileSync(path).subarray(dataOffset), "hex").slice(0, 16)
}

const written = (name: string): string => join(folder.path, name)

describe("quantize", () => {
  test.skipIf(process.arch !== "x64")("writes what llama-quantize writes, to the byte", async () => {
    const types = Object.keys(REFERENCE)
    const { out } = await run(source, types.join(",").toLowerCase(), "-o", written("all"))
    const sums = types.map((type) => [type, sumOf(written(`all/tiny.${type}.gguf`))])
    expect(Object.fromEntries(sums)).toEqual(REFERENCE)
    expect(out).toMatch(/^TYPE +SIZE +OF THE SOURCE +FILE\nF16 +3\.2 MB +50% +\S+tiny\.F16\.gguf\n/)
    expect(readdirSync(written("all"))).toHaveLength(types.length)
  })

  test.skipIf(process.arch !== "x64")("takes llama-quantize's options", async () => {
    const options = [
      "--tensor-type",
      "ffn_down=q8_0",
      "--output-tensor-type",
      "q6_k",
      "--token-embedding-type",
      "q4_0",
    ]
    await run(source, "Q4_0", ...options, "-o", written("chosen.gguf"))
    expect(sumOf(written("chosen.gguf"))).toBe("5186886cb3632244")
    await run(source, "Q4_K_M", "--pure", "-o", written("pure.gguf"))
    expect(sumOf(written("pure.gguf"))).toBe("b1fc0c5d9b2e45e6")
  })

  test("a dry run writes nothing, and the size is that of the file", async () => {
    const [planned] = JSON.parse(
      (await run(source, "q5_0", "--dry-run", "--json", "-o", written("dry.gguf"))).out,
    )
    expect(existsSync(written("dry.gguf"))).toBe(false)
    await run(source, "q5_0", "-o", written("dry.gguf"))
    const { size } = Bun.file(written("dry.gguf"))
    expect(planned).toMatchObject({
      type: "Q5_0",
      tensors: 21,
      fallback_tensors: 0,
      file: written("dry.gguf"),
    })
    expect(Math.abs(planned.bytes - size)).toBeLessThan(20_000)
  })

  test("says which tensors get a larger type, and why", async () => {
    writeTinyModel(written("odd.gguf"), { ...MODEL, dim: 96 })
    const { err } = await run(written("odd.gguf"), "-o", written("odd-4.gguf"))
    expect(err).toMatch(
      /^Q4_K_M: \d+ of 21 tensors got a larger type, because their columns are not divisible by 256\n$/,
    )
  })

  test("refuses weights that are quantized already, unless that is wanted", async () => {
    await run(source, "q8_0", "-o", written("twice.gguf"))
    await expect(run(written("twice.gguf"), "q4_0", "-o", written("thrice.gguf"))).rejects.toThrow(
      "twice.gguf cannot be quantized to Q4_0: its weights are quantized already (q8_0); quantize the original, or allow it with --allow-requantize, which loses more than quantizing the original",
    )
    expect(readdirSync(folder.path).filter((name) => name.includes("thrice"))).toEqual([])
    await run(written("twice.gguf"), "q4_0", "--allow-requantize", "-o", written("thrice.gguf"))
    expect(readGgufHeader(written("thrice.gguf")).metadata.get("general.file_type")).toBe(2)
  })

  test("replaces no file unless it should, and never the model itself", async () => {
    writeFileSync(written("mine.gguf"), "mine")
    await expect(run(source, "-o", written("mine.gguf"))).rejects.toThrow(
      "mine.gguf' exists; choose another file",
    )
    expect(readFileSync(written("mine.gguf"), "utf8")).toBe("mine")
    await expect(run(source, "--force", "-o", source)).rejects.toThrow("is the model itself")
    await run(source, "--force", "-o", written("mine.gguf"))
    expect(readGgufHeader(written("mine.gguf")).tensors).toHaveLength(21)
  })

  test("refuses what it cannot do before it reads anything", async () => {
    await expect(run(source, "q7")).rejects.toThrow("there is no quantization 'q7'; there are F32, F16,")
    await expect(run(source, "iq2_xs")).rejects.toThrow(
      "IQ2_XS needs an importance matrix; give one with --imatrix FILE",
    )
    await expect(run(source, "q4_0", "--tensor-type", "q8_0")).rejects.toThrow(
      "must be PATTERN=TYPE, got 'q8_0'",
    )
    await expect(run(source, "q4_0", "--output-tensor-type", "q9")).rejects.toThrow(
      "there is no tensor type 'q9'",
    )
    await expect(run(source, "q4_0,q8_0", "-o", "x.gguf")).rejects.toThrow("-o must be a folder for 2 types")
    await expect(run(written("none.gguf"))).rejects.toThrow("cannot read")
  })

  test("a cut or foreign file is refused, and leaves nothing", async () => {
    writeFileSync(written("cut.gguf"), readFileSync(source))
    truncateSync(written("cut.gguf"), Bun.file(source).size - 4096)
    await expect(run(written("cut.gguf"), "-o", written("of-cut.gguf"))).rejects.toThrow("cut.gguf")
    writeGguf(written("foreign.gguf"), [["general.architecture", "string", "unheard-of"]], [])
    await expect(run(written("foreign.gguf"), "-o", written("of-foreign.gguf"))).rejects.toThrow(
      "foreign.gguf",
    )
    expect(readdirSync(folder.path).filter((name) => name.includes("of-"))).toEqual([])
  })
})

describe("an importance matrix", () => {
  /** How often each column of each weight was seen, and how large it was; more where a test says so. */
  function writeImatrix(path: string, more: Readonly<Record<string, number>> = {}): void {
    const weights = readGgufHeader(source).tensors.filter(({ shape }) => shape.length > 1)
    const tensors = weights.flatMap(({ name, shape: [columns = 0] }): GgufTensor[] => {
      const sums = Float32Array.from({ length: columns }, (_, at) => (more[name] ?? 1) * (1 + (at % 7)))
      return [
        { name: `${name}.in_sum2`, shape: [columns, 1], type: "f32", values: sums },
        { name: `${name}.counts`, shape: [1, 1], type: "f32", values: Float32Array.of(4) },
      ]
    })
    const entries = [
      ["general.type", "string", "imatrix"],
      ["imatrix.datasets", "strings", ["none"]],
      ["imatrix.chunk_count", "u32", 4],
      ["imatrix.chunk_size", "u32", 512],
    ] as const
    writeGguf(path, entries, tensors)
  }

  test.skipIf(process.arch !== "x64")("is used as llama-quantize uses it", async () => {
    writeImatrix(written("importance.gguf"))
    await run(source, "q2_k_s", "--imatrix", written("importance.gguf"), "-o", written("q2.gguf"))
    expect(sumOf(written("q2.gguf"))).toBe("f0b25e9c31d0ba15")
  })

  test("is refused where it is another file, or has values that are no numbers", async () => {
    const target = written("iq.gguf")
    await expect(run(source, "iq3_s", "--imatrix", source, "-o", target)).rejects.toThrow(
      "it is not an importance matrix in GGUF form, as llama-imatrix writes it",
    )
    writeImatrix(written("nan.gguf"), { "blk.0.ffn_up.weight": Number.NaN })
    await expect(run(source, "iq3_s", "--imatrix", written("nan.gguf"), "-o", target)).rejects.toThrow(
      "'blk.0.ffn_up.weight.in_sum2' has values that are no numbers",
    )
    expect(existsSync(target)).toBe(false)
  })
})
