import { describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { InvalidModelFile } from "../../src/errors/model"
import { looksLikeSafetensors, readSafetensorsHeader } from "../../src/formats/safetensors"
import { writeSafetensors } from "../support/files/safetensors-writer"
import { tempFolder } from "../support/temp-folder"

/** A file with that header, which claims to have `length` bytes (absent: the truth), and that many bytes of data. */
function fileOf(header: unknown, { length, data = 0 }: { length?: bigint; data?: number } = {}): Uint8Array {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header))
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(length ?? BigInt(text.length))
  return Buffer.concat([start, text, Buffer.alloc(data)])
}

function tensor(fields: object): unknown {
  return { t: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24], ...fields } }
}

async function refusal(bytes: Uint8Array): Promise<string> {
  using folder = tempFolder()
  const path = join(folder.path, "x.safetensors")
  writeFileSync(path, bytes)
  const error: unknown = await readSafetensorsHeader(path).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof InvalidModelFile)) throw new Error(`it was not refused, but gave ${String(error)}`)
  return error.reason
}

describe("the header of a safetensors file", () => {
  test("names the tensors, their places and the metadata", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "x.safetensors")
    writeFileSync(
      path,
      fileOf({ __metadata__: { license: "mit", odd: 3 }, ...(tensor({}) as object) }, { data: 24 }),
    )
    const { metadata, tensors } = await readSafetensorsHeader(path)
    expect([...metadata]).toEqual([["license", "mit"]])
    const [only] = tensors
    expect(only).toMatchObject({ name: "t", dtype: "F32", shape: [2, 3], elements: 6 })
    expect((only?.end ?? 0) - (only?.start ?? 0)).toBe(24)
    expect(only?.end).toBe((await Bun.file(path).bytes()).length)
  })

  test("is read from a file of gigabytes that is nearly all holes", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "huge.safetensors")
    writeSafetensors(path, [{ name: "a", shape: [1024, 1024, 4096] }])
    expect((await readSafetensorsHeader(path)).tensors).toHaveLength(1)
    expect(Bun.file(path).size).toBeGreaterThan(8 * 1024 ** 3)
  })

  test("takes types of less than a byte as they are", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "x.safetensors")
    writeFileSync(path, fileOf(tensor({ dtype: "F4", data_offsets: [0, 3] }), { data: 3 }))
    expect((await readSafetensorsHeader(path)).tensors[0]?.elements).toBe(6)
  })
})

describe("a damaged or hostile file is refused with the reason", () => {
  test.each([
    ["an empty file", new Uint8Array(), "not a safetensors file"],
    ["a text", Buffer.from("{ some JSON that is long enough }"), "not a safetensors file"],
    ["a header longer than any", fileOf({}, { length: 2n ** 63n }), "not a safetensors file"],
    [
      "a header that reaches past the end",
      fileOf({}, { length: 1000n }),
      "cut short: its header has 1000 bytes",
    ],
    [
      "brackets without an end",
      fileOf("{" + '"a":' + "[".repeat(10_000)),
      "its header has more than 8192 levels",
    ],
    [
      "more keys than any",
      fileOf(`{"__metadata__":{${Array.from({ length: 131_072 }, (_, key) => `"${key}":""`).join(",")}}}`),
      "its header has more than 131072 keys",
    ],
    ["half a JSON", fileOf('{"t": ['), "not valid JSON"],
    ["an entry that is no object", fileOf({ t: 5 }), "'t' is not an object"],
    ["a tensor without a type", fileOf(tensor({ dtype: null })), "does not describe the tensor 't'"],
    ["a negative dimension", fileOf(tensor({ shape: [-2, 3] })), "does not describe the tensor 't'"],
    ["a fraction for a dimension", fileOf(tensor({ shape: [1.5] })), "does not describe the tensor 't'"],
    ["three offsets", fileOf(tensor({ data_offsets: [0, 1, 2] })), "does not describe the tensor 't'"],
    ["offsets in the wrong order", fileOf(tensor({ data_offsets: [24, 0] })), "impossible sizes"],
    ["more elements than can be counted", fileOf(tensor({ shape: [2 ** 40, 2 ** 40] })), "impossible sizes"],
    ["a hundred dimensions", fileOf(tensor({ shape: Array(100).fill(1) })), "100 dimensions"],
    ["bytes that do not fit the shape", fileOf(tensor({ shape: [2] })), "2 elements of F32, but 24 bytes"],
    ["a tensor past the end", fileOf(tensor({}), { data: 10 }), "the tensor 't' ends at"],
  ])("%s", async (_, bytes, reason) => {
    expect(await refusal(bytes)).toContain(reason)
  })
})

test("a file is told by its first bytes", () => {
  expect(looksLikeSafetensors(fileOf(tensor({})))).toBe(true)
  expect(looksLikeSafetensors(Buffer.from("GGUF\x03\0\0\0{"))).toBe(false)
  expect(looksLikeSafetensors(Buffer.from('{"a": 1, "b": 2}'))).toBe(false)
})
