import { expect, test } from "bun:test"
import { command as quantize } from "../../../src/cli/commands/weights/quantize"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { fakeIo } from "../../support/fakes/fake-io"
import { writeWideModel } from "../../support/hf/wide-model"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

test("a pattern that is not a regular expression is refused before the model is read", async () => {
  const given = ["./absent.gguf", "Q8_0", "--tensor-type", "attn_(q=q8_0"]
  await expect(quantize.execute(given, fakeIo())).rejects.toThrow(
    "--tensor-type: 'attn_(q' is not a regular expression",
  )
})

test("layers can be left out, keys set, and the types of tensors read from a file", async () => {
  using temp = tempFolder()
  const source = join(temp.path, "wide.gguf")
  writeWideModel(source)
  const rules = join(temp.path, "types.txt")
  writeFileSync(rules, "attn_q=f16\nffn_up=f32 ")
  const out = join(temp.path, "small.gguf")
  const options = [
    "--prune-layers",
    "1",
    "--tensor-type-file",
    rules,
    "--override-kv",
    "general.name=str:mine",
  ]
  const numbers = [
    "--override-kv",
    "x.count=int:7",
    "--override-kv",
    "x.share=float:0.5",
    "--override-kv",
    "x.is=bool:true",
  ]
  const environment = { XLLM_HOME: temp.path }
  const { err, code } = await runXllm(["quantize", source, "Q8_0", "-o", out, ...options, ...numbers], {
    environment,
  })
  expect([err, code]).toEqual(["", 0])
  const { metadata, tensors } = readGgufHeader(out)
  expect(Object.fromEntries(metadata)).toMatchObject({
    "general.name": "mine",
    "llama.block_count": 1,
    "x.count": 7,
    "x.share": 0.5,
    "x.is": true,
  })
  const typeOf = (name: string) => tensors.find((tensor) => tensor.name === name)?.type.name
  expect(["attn_q", "ffn_up", "attn_k"].map((name) => typeOf(`blk.0.${name}.weight`))).toEqual([
    "F16",
    "F32",
    "Q8_0",
  ])
  expect(typeOf("blk.1.attn_q.weight")).toBeUndefined()
})

test.each([
  [["--override-kv", "name"], "must be a key, a type (int, float, bool or str) and a value"],
  [["--override-kv", "a=bool:1"], "must be a key, a type"],
  [["--override-kv", `a=str:${"x".repeat(128)}`], "may have 127 bytes at most"],
  [["--prune-layers", "1,-2"], "must be numbers of layers, such as 20,21, got '1,-2'"],
])("%p is refused before the model is read", async (flags, message) => {
  await expect(quantize.execute(["./absent.gguf", "Q8_0", ...flags], fakeIo())).rejects.toThrow(message)
})

test("a refusal names the model as it was given", async () => {
  using temp = tempFolder()
  const models = join(temp.path, "models")
  mkdirSync(models)
  writeWideModel(join(models, "wide.gguf"))
  const environment = { XLLM_HOME: temp.path }
  const made = await runXllm(["quantize", "wide", "Q8_0", "-o", join(models, "small.gguf")], { environment })
  expect(made.code).toBe(0)
  const { err } = await runXllm(["quantize", "small", "Q4_0", "-o", join(temp.path, "x.gguf")], {
    environment,
  })
  expect(err).toStartWith("Error: small: it is quantized already (Q8_0)")
})
