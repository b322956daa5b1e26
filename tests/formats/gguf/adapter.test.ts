import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import {
  type AdapterBase,
  describeAdapter,
  misfitOf,
  readAdapterBase,
} from "../../../src/formats/gguf/adapter"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { type GgufEntry, writeGguf } from "../../support/files/gguf-writer"
import { writeTinyAdapter } from "../../support/files/tiny-adapter"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const path = join(folder.path, "adapter.gguf")

const USUAL: readonly GgufEntry[] = [
  ["general.architecture", "string", "llama"],
  ["general.type", "string", "adapter"],
  ["adapter.type", "string", "lora"],
  ["adapter.lora.alpha", "f32", 16],
]

type Shapes = Readonly<Record<string, readonly number[]>>

const PAIR: Shapes = { "x.weight.lora_a": [64, 8], "x.weight.lora_b": [8, 32] }

function described(shapes: Shapes = PAIR, entries: readonly GgufEntry[] = USUAL) {
  const tensors = Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    type: "f32" as const,
    values: new Float32Array(shape.reduce((product, size) => product * size, 1)),
  }))
  writeGguf(path, entries, tensors)
  return describeAdapter(path, readGgufHeader(path))
}

/** The usual metadata with other values for some keys. */
const having = (...changed: readonly GgufEntry[]): readonly GgufEntry[] => [
  ...USUAL.filter(([key]) => !changed.some(([other]) => other === key)),
  ...changed,
]

describe("an adapter", () => {
  test("is described by its header", () => {
    expect(described()).toEqual({
      architecture: "llama",
      alpha: 16,
      rank: 8,
      tensors: [{ name: "x.weight", a: [64, 8], b: [8, 32] }],
    })
  })

  test("may leave out alpha, and have norms, which are not used", () => {
    const entries = USUAL.filter(([key]) => key !== "adapter.lora.alpha")
    expect(described({ ...PAIR, "y_norm.weight": [64] }, entries)).toMatchObject({
      alpha: 0,
      tensors: [{ name: "x.weight" }],
    })
  })

  test.each<[string, Shapes, readonly GgufEntry[]]>([
    ["it is a model GGUF, not a LoRA adapter", PAIR, USUAL.filter(([key]) => key !== "general.type")],
    [
      "it is an adapter of the type 'ia3'; only 'lora' is known",
      PAIR,
      having(["adapter.type", "string", "ia3"]),
    ],
    ["it does not name the architecture", PAIR, having(["general.architecture", "u32", 5])],
    // These would end the process in llama.cpp.
    [
      "its adapter.lora.alpha is not a finite number of the type f32",
      PAIR,
      having(["adapter.lora.alpha", "u32", 16]),
    ],
    ["its adapter.lora.alpha is not", PAIR, having(["adapter.lora.alpha", "string", "16"])],
    ["its adapter.lora.alpha is not", PAIR, having(["adapter.lora.alpha", "f32", Number.NaN])],
    ["it is an activated adapter", PAIR, having(["adapter.alora.invocation_tokens", "i32s", [1, 2]])],
    ["its tensor 'x.weight' is neither of the two parts", { "x.weight": [4, 4] }, USUAL],
    ["of 'x.weight' it has only one of the two parts", { "x.weight.lora_a": [64, 8] }, USUAL],
    [
      "what it adds to 'x.weight' is empty",
      { "x.weight.lora_a": [64, 0], "x.weight.lora_b": [0, 32] },
      USUAL,
    ],
    ["it has no tensors", {}, USUAL],
  ])("is refused: %s", (reason, shapes, entries) => {
    expect(() => described(shapes, entries)).toThrow(reason)
  })
})

describe("a model and an adapter", () => {
  const base = (shapes: Shapes): AdapterBase => ({
    architecture: "llama",
    shapes: new Map(Object.entries(shapes)),
  })
  const misfit = (shapes: Shapes, of: AdapterBase) => misfitOf(described(shapes), of, "'m'")

  test("belong together where every matrix has its shape", () => {
    expect(misfit(PAIR, base({ "x.weight": [64, 32] }))).toBeUndefined()
    const experts = { "x.weight.lora_a": [64, 8, 4], "x.weight.lora_b": [8, 32, 4] }
    expect(misfit(experts, base({ "x.weight": [64, 32, 4] }))).toBeUndefined()
    const embedding = { "token_embd.weight.lora_a": [8, 500], "token_embd.weight.lora_b": [8, 64] }
    const both = { "token_embd.weight": [64, 500], "output.weight": [64, 500] }
    expect(misfit(embedding, base(both))).toBeUndefined()
  })

  test.each<[string, Shapes, Shapes]>([
    ["changes 'x.weight', which 'm' does not have", PAIR, { "y.weight": [64, 32] }],
    ["changes 'x.weight' of 64 × 32, and that of 'm' has 64 × 33", PAIR, { "x.weight": [64, 33] }],
    ["changes 'x.weight' of 64 × 32, and that of 'm' has 64 × 32 × 4", PAIR, { "x.weight": [64, 32, 4] }],
    [
      "has two parts for 'x.weight' that do not belong together",
      { "x.weight.lora_a": [64, 8], "x.weight.lora_b": [9, 32] },
      { "x.weight": [64, 32] },
    ],
    [
      "changes 'token_embd.weight', which 'm' uses for its output as well: llama.cpp cannot do that",
      { "token_embd.weight.lora_a": [8, 500], "token_embd.weight.lora_b": [8, 64] },
      { "token_embd.weight": [64, 500] },
    ],
  ])("do not: it %s", (reason, shapes, model) => {
    expect(misfit(shapes, base(model))).toBe(reason)
  })

  test("are compared by the files' headers", () => {
    const model = writeTinyModel(join(folder.path, "model.gguf")).path
    const of = (file: string) => describeAdapter(file, readGgufHeader(file))
    const own = readAdapterBase([model])
    expect(misfitOf(of(writeTinyAdapter(join(folder.path, "a.gguf"))), own, "'m'")).toBeUndefined()
    expect(
      misfitOf(of(writeTinyAdapter(join(folder.path, "b.gguf"), { architecture: "qwen2" })), own, "'m'"),
    ).toBe("is for models of the architecture 'qwen2', and 'm' is a 'llama'")
  })
})
