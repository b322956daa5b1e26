import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { readImportance } from "../../src/convert/importance"
import { quantizeGguf } from "../../src/convert/quantize"
import { findQuantizeType } from "../../src/convert/quantize-types"
import { failure } from "../support/failure"
import { sha256 } from "../support/hf/gguf-summary"
import { jobsIn } from "../support/hf/job"
import { writeImportance, writeWideModel } from "../support/hf/wide-model"
import { tempFolder } from "../support/temp-folder"
import recorded from "./quantized.json"

/** What llama-quantize of the same release makes of the model, on x64. */
const SUMS: Readonly<Record<string, string>> = recorded

/** The others take seconds each. */
const TYPES = ["F16", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M", "Q2_K", "TQ1_0", "MXFP4"]

const temp = tempFolder()
const folder = temp.path
const source = join(folder, "wide.gguf")
writeWideModel(source)
afterAll(() => temp[Symbol.dispose]())

const runJob = jobsIn(folder)

describe.if(process.arch === "x64")("quantizing", () => {
  test("gives the same files as llama-quantize", async () => {
    for (const name of TYPES) {
      const out = join(folder, `wide-${name}.gguf`)
      const type = findQuantizeType(name.toLowerCase())
      const { bytes } = await quantizeGguf({ source, out, type, options: { threads: 1 }, runJob })
      const file = Bun.file(out)
      expect([name, file.size, sha256(await file.bytes())]).toEqual([name, bytes, SUMS[name] ?? ""])
    }
  })

  test("follows an importance matrix, and notes it, as llama-quantize does", async () => {
    const matrix = join(folder, "wide.imatrix.gguf")
    writeImportance(matrix, source)
    const out = join(folder, "wide-IQ3_S.gguf")
    const importance = { ...readImportance(matrix), file: "wide.imatrix.gguf" }
    await quantizeGguf({
      source,
      out,
      type: findQuantizeType("iq3_s"),
      options: { importance, threads: 1 },
      runJob,
    })
    expect(sha256(await Bun.file(out).bytes())).toBe(SUMS["IQ3_S"] ?? "")
  })

  test("says how many tensors fall back, and why", async () => {
    const out = join(folder, "fallback.gguf")
    const { fallbacks, tensors, fallbackReasons } = await quantizeGguf({
      source,
      out,
      type: findQuantizeType("Q6_K"),
      options: { dryRun: true },
      runJob,
    })
    expect({ fallbacks, tensors, fallbackReasons }).toEqual({
      fallbacks: 2,
      tensors: 21,
      fallbackReasons: ["288 columns are not divisible by 256"],
    })
    expect(await Bun.file(out).exists()).toBe(false)
  })

  test("leaves nothing behind when it is stopped", async () => {
    const controller = new AbortController()
    const before = readdirSync(folder).sort()
    const out = join(folder, "stopped.gguf")
    const request = {
      source,
      out,
      type: findQuantizeType("Q4_K_M"),
      options: {},
      runJob,
      signal: controller.signal,
    }
    const error = await failure(quantizeGguf({ ...request, onProgress: () => controller.abort() }))
    expect(error).toBeInstanceOf(Error)
    expect(readdirSync(folder).sort()).toEqual(before)
  })

  test("refuses models that are quantized already, and types that need an importance matrix", async () => {
    const quantized = join(folder, "again.gguf")
    await quantizeGguf({ source, out: quantized, type: findQuantizeType("Q8_0"), options: {}, runJob })
    const again = { source: quantized, out: join(folder, "x.gguf"), options: {}, runJob }
    expect(String(await failure(quantizeGguf({ ...again, type: findQuantizeType("Q4_0") })))).toContain(
      "it is quantized already (Q8_0)",
    )
    expect(
      String(await failure(quantizeGguf({ ...again, source, type: findQuantizeType("IQ2_XS") }))),
    ).toContain("needs an importance matrix")
  })

  test("never replaces the model that it reads", async () => {
    const error = await failure(
      quantizeGguf({
        source,
        out: source,
        type: findQuantizeType("Q8_0"),
        options: {},
        runJob,
        mayReplace: true,
      }),
    )
    expect(String(error)).toContain("would replace the model")
  })
})

test("suggests the type that was meant", () => {
  expect(() => findQuantizeType("q4_k_n")).toThrow("did you mean Q4_K_M?")
})
