import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { tensorTypeId, type GgufTensorInfo } from "../../../src/formats/gguf/types"

const ALIGNMENT = 32

/** Of version, tensors and keys, behind the magic number. */
const KEYS_START = 24

/** The tensors of a block whose results are added to what came in. */
const ADDED = /\.(?:attn_output|ffn_down)\.(?:weight|bias)$/

/** A tensor of the new file. */
interface Placed {
  readonly name: string
  readonly info: GgufTensorInfo
  readonly isZero: boolean
}

/**
 * Writes a model with `extra` more blocks that change nothing, because what they add is zero: it says the same as the
 * one it is made from, and each token costs more. So the smaller one is a draft model that is always right.
 */
export function writeDeeperModel(source: string, target: string, extra: number): string {
  const { metadata, tensors, dataOffset } = readGgufHeader(source)
  const bytes = readFileSync(source)
  const architecture = String(metadata.get("general.architecture"))
  const key = `${architecture}.block_count`
  const blocks = Number(metadata.get(key))
  const last = tensors.filter(({ name }) => name.startsWith(`blk.${blocks - 1}.`))
  const added = Array.from({ length: extra }, (_, index) => blocks + index).flatMap((block) =>
    last.map((info): Placed => {
      const name = info.name.replace(/^blk\.\d+\./, `blk.${block}.`)
      return { name, info, isZero: ADDED.test(name) }
    }),
  )
  const placed = [...tensors.map((info): Placed => ({ name: info.name, info, isZero: false })), ...added]
  const head = Buffer.from(bytes.subarray(0, startOfTensors(bytes, tensors)))
  head.writeBigUInt64LE(BigInt(placed.length), 8)
  // Behind the key and the number of its type.
  head.writeUInt32LE(blocks + extra, head.indexOf(key) + key.length + 4)
  let offset = 0
  const infos = placed.map(({ name, info }) => {
    const encoded = encodeInfo(name, info, offset)
    offset += padded(info.bytes ?? 0)
    return encoded
  })
  const file = openSync(target, "w")
  try {
    const start = Buffer.concat([head, ...infos])
    writeAll(file, Buffer.concat([start, Buffer.alloc(padded(start.length) - start.length)]))
    for (const { info, isZero } of placed) {
      const data = Buffer.alloc(padded(info.bytes ?? 0))
      if (!isZero) bytes.copy(data, 0, dataOffset + info.offset, dataOffset + info.offset + (info.bytes ?? 0))
      writeAll(file, data)
    }
  } finally {
    closeSync(file)
  }
  return target
}

function startOfTensors(bytes: Buffer, [first]: readonly GgufTensorInfo[]): number {
  if (first === undefined) throw new Error("the model has no tensors")
  return bytes.indexOf(encodeInfo(first.name, first, first.offset), KEYS_START)
}

function encodeInfo(name: string, { shape, type }: GgufTensorInfo, offset: number): Buffer {
  const text = Buffer.from(name)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const numbers = Buffer.alloc(4 + 8 * shape.length + 4 + 8)
  const end = 4 + 8 * shape.length
  numbers.writeUInt32LE(shape.length)
  for (const [at, size] of shape.entries()) numbers.writeBigUInt64LE(BigInt(size), 4 + 8 * at)
  numbers.writeUInt32LE(tensorTypeId(type.name), end)
  numbers.writeBigUInt64LE(BigInt(offset), end + 4)
  return Buffer.concat([length, text, numbers])
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}
