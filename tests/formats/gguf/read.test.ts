import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { InvalidModelFile } from "../../../src/errors/model"
import { peekGgufKind, readGgufHeader } from "../../../src/formats/gguf/read"
import { writeGguf } from "../../support/files/gguf-writer"
import { CHATML, writeTinyModel } from "../../support/files/tiny-model"

let folder = ""
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "xllm-gguf-"))
})
afterAll(() => rmSync(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number | bigint): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

/** A file of these bytes after magic, version 3 and the counts. */
function rawFile(tensors: number | bigint, keys: number | bigint, ...rest: Buffer[]): string {
  const path = at("raw.gguf")
  writeFileSync(path, Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(keys), ...rest]))
  return path
}

/** The reason that reading the file fails with. */
function reasonOf(path: string): string {
  try {
    readGgufHeader(path)
  } catch (error) {
    if (error instanceof InvalidModelFile) return error.reason
    throw error
  }
  throw new Error("the file was read")
}

describe("a header", () => {
  test("has every value with its type", () => {
    const path = at("values.gguf")
    writeGguf(
      path,
      [
        ["a.u32", "u32", 4294967295],
        ["a.i32", "i32", -5],
        ["a.f32", "f32", 0.5],
        ["a.u64", "u64", 2n ** 63n],
        ["a.bool", "bool", true],
        ["a.string", "string", "žluťoučký"],
        ["a.strings", "strings", ["x", "", "yz"]],
        ["a.i32s", "i32s", [1, -2]],
        ["a.bools", "bools", [true, false]],
      ],
      [],
    )
    const { metadata, version } = readGgufHeader(path)
    expect(version).toBe(3)
    expect(Object.fromEntries(metadata)).toEqual({
      "a.u32": 4294967295,
      "a.i32": -5,
      "a.f32": 0.5,
      "a.u64": 2n ** 63n,
      "a.bool": true,
      "a.string": "žluťoučký",
      "a.strings": { elementType: "string", length: 3, values: ["x", "", "yz"] },
      "a.i32s": { elementType: "i32", length: 2, values: [1, -2] },
      "a.bools": { elementType: "bool", length: 2, values: [true, false] },
    })
  })

  test("has the tensors' shapes, types and sizes", () => {
    const path = at("tensors.gguf")
    writeTinyModel(path, { weights: "q8_0", layers: 1 })
    const { tensors, dataOffset } = readGgufHeader(path)
    const embedding = tensors.find(({ name }) => name === "token_embd.weight")
    expect(embedding).toMatchObject({
      shape: [64, 512],
      elements: 32768,
      bytes: (32768 / 32) * 34,
      offset: 0,
    })
    expect(embedding?.type.name).toBe("Q8_0")
    expect(dataOffset % 32).toBe(0)
    const end = Math.max(...tensors.map((tensor) => dataOffset + tensor.offset + (tensor.bytes ?? 0)))
    expect(end).toBe(readFileSync(path).length)
  })

  test("leaves out long arrays unless they are asked for", () => {
    const path = at("long.gguf")
    writeTinyModel(path, { vocab: 1500 })
    expect(readGgufHeader(path).metadata.get("tokenizer.ggml.tokens")).toEqual({
      elementType: "string",
      length: 1500,
      values: undefined,
    })
    const kept = readGgufHeader(path, { keepArrays: ["tokenizer.ggml.tokens"] })
    expect(kept.metadata.get("tokenizer.ggml.tokens")).toMatchObject({ length: 1500 })
    expect(kept.metadata.get("tokenizer.chat_template")).toBe(CHATML)
  })

  test("is read whole where one of its texts is larger than the reading window", () => {
    const path = at("big-text.gguf")
    const long = "é".repeat(400_000)
    writeGguf(
      path,
      [
        ["a", "string", long],
        ["b", "u32", 7],
      ],
      [],
    )
    const { metadata } = readGgufHeader(path)
    expect(metadata.get("a")).toBe(long)
    expect(metadata.get("b")).toBe(7)
  })

  test("is read where one of its texts is very long; only the beginning of that is kept", () => {
    const path = at("very-long-text.gguf")
    writeGguf(
      path,
      [
        ["a", "string", "x".repeat(3_000_000)],
        ["b", "u32", 7],
      ],
      [],
    )
    const { metadata } = readGgufHeader(path)
    expect(metadata.get("a")).toBe("x".repeat(1_048_576))
    expect(metadata.get("b")).toBe(7)
  })

  test("may have an alignment of its own", () => {
    const path = at("aligned.gguf")
    writeGguf(path, [["general.alignment", "u32", 4096]], [])
    expect(readGgufHeader(path).dataOffset).toBe(4096)
  })
})

describe("a damaged or hostile file is refused with a reason:", () => {
  test("something else than GGUF", () => {
    writeFileSync(at("zip.gguf"), "PK\x03\x04 and more")
    expect(reasonOf(at("zip.gguf"))).toBe("it is not a GGUF file")
    writeFileSync(at("empty.gguf"), "")
    expect(reasonOf(at("empty.gguf"))).toBe("it is not a GGUF file")
  })

  test("another version or byte order", () => {
    writeFileSync(at("v1.gguf"), Buffer.concat([Buffer.from("GGUF"), u32(1), u64(0), u64(0)]))
    expect(reasonOf(at("v1.gguf"))).toBe("GGUF version 1 is not supported (2 and 3 are)")
    writeFileSync(at("be.gguf"), Buffer.concat([Buffer.from("GGUF"), u32(0x03000000), u64(0), u64(0)]))
    expect(reasonOf(at("be.gguf"))).toBe("big-endian GGUF files are not supported")
  })

  test("impossible counts", () => {
    expect(reasonOf(rawFile(0, 2n ** 40n))).toBe("it claims to have 1099511627776 metadata keys")
    expect(reasonOf(rawFile(2n ** 40n, 0))).toBe("it claims to have 1099511627776 tensors")
    expect(reasonOf(rawFile(0, 2n ** 64n - 1n))).toContain("the number of metadata keys is impossibly large")
  })

  test("a file that ends inside its metadata", () => {
    expect(reasonOf(rawFile(0, 1))).toBe("the file ends inside its header")
    expect(reasonOf(rawFile(0, 1, text("key"), u32(4)))).toBe("the file ends inside its header")
  })

  test("lengths past the end of the file", () => {
    expect(reasonOf(rawFile(0, 1, u64(500), Buffer.alloc(10)))).toBe(
      "a metadata key reaches past the end of the file",
    )
    expect(reasonOf(rawFile(0, 1, text("key"), u32(8), u64(99), Buffer.alloc(5)))).toBe(
      "the value of 'key' reaches past the end of the file",
    )
    expect(reasonOf(rawFile(0, 1, text("key"), u32(9), u32(8), u64(2n ** 50n), Buffer.alloc(50)))).toBe(
      "'key' reaches past the end of the file",
    )
  })

  test("endless metadata, in a file with holes", () => {
    const array = (count: bigint): string => rawFile(0, 1, text("key"), u32(9), u32(11), u64(count))
    truncateSync(array(2n ** 34n), 2 ** 40)
    expect(reasonOf(at("raw.gguf"))).toBe("'key' claims to have 17179869184 elements")
    truncateSync(array(2n ** 24n), 2 ** 40)
    expect(reasonOf(at("raw.gguf"))).toBe("the header is larger than 64 MiB")
  })

  test("more texts in arrays than any vocabulary has", () => {
    const texts = (count: number): Buffer => Buffer.alloc(8 * count)
    const array = (key: string, count: number) => [
      text(key),
      u32(9),
      u32(8),
      u64(BigInt(count)),
      texts(count),
    ]
    const most = 1_048_576
    expect(readGgufHeader(rawFile(0, 2, ...array("a", most), ...array("b", most))).metadata.size).toBe(2)
    expect(reasonOf(rawFile(0, 2, ...array("a", most), ...array("b", most + 1)))).toBe(
      "its arrays have more than 2097152 elements",
    )
  })

  test("arrays in arrays and unknown types", () => {
    expect(reasonOf(rawFile(0, 1, text("key"), u32(9), u32(9), u64(1), u32(9), u64(1)))).toBe(
      "'key' is an array of arrays, which is not supported",
    )
    expect(reasonOf(rawFile(0, 1, text("key"), u32(13), u64(1)))).toBe(
      "the key 'key' has the unknown type 13",
    )
  })

  test("a key that is there twice", () => {
    const entry = [text("key"), u32(4), u32(1)]
    expect(reasonOf(rawFile(0, 2, ...entry, ...entry))).toBe("duplicate key 'key'")
  })

  test("tensors that cannot be", () => {
    const info = (dimensions: number, ...sizes: bigint[]): Buffer[] => [
      text("t"),
      u32(dimensions),
      ...sizes.map(u64),
      u32(0),
      u64(0),
    ]
    expect(reasonOf(rawFile(1, 0, ...info(5, 1n, 1n, 1n, 1n, 1n)))).toBe("the tensor 't' has 5 dimensions")
    expect(reasonOf(rawFile(1, 0, ...info(2, 2n ** 50n, 2n ** 50n)))).toBe(
      "the tensor 't' is impossibly large",
    )
    expect(reasonOf(rawFile(1, 0, text("t"), u32(1), u64(33), u32(8), u64(0)))).toBe(
      "the tensor 't' has 33 elements, which Q8_0 cannot hold",
    )
  })

  test("an alignment that is no power of two", () => {
    expect(reasonOf(rawFile(0, 1, text("general.alignment"), u32(4), u32(24)))).toBe(
      "general.alignment must be a power of two, got 24",
    )
  })

  test("a download that stopped half-way", () => {
    const path = at("half.gguf")
    writeTinyModel(path)
    truncateSync(path, 100_000)
    expect(reasonOf(path)).toMatch(
      /^the file is cut short: it has 100000 bytes, but the tensor '.+' ends at \d+$/,
    )
  })

  test("a folder", () => {
    expect(reasonOf(folder)).toBe("it is not a file")
  })
})

describe("the first bytes of a file", () => {
  test("tell architecture and type", () => {
    const path = at("adapter.gguf")
    writeGguf(
      path,
      [
        ["general.architecture", "string", "llama"],
        ["general.type", "string", "adapter"],
        ["x", "string", "y".repeat(1000)],
      ],
      [],
    )
    const head = readFileSync(path).subarray(0, 200)
    expect(peekGgufKind(head)).toEqual({ architecture: "llama", type: "adapter" })
  })

  test("tell nothing where they end too early, or are no GGUF", () => {
    const path = rawFile(0, 1, text("general.architecture"), u32(8), text("llama"))
    expect(peekGgufKind(readFileSync(path).subarray(0, 30))).toEqual({
      architecture: undefined,
      type: undefined,
    })
    expect(peekGgufKind(Buffer.from("GGUF"))).toBeUndefined()
    expect(peekGgufKind(Buffer.from("hello world, hello world, hello world"))).toBeUndefined()
  })
})
