import { closeSync, openSync, readSync } from "node:fs"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import type { GgufValue } from "../../../src/formats/gguf/types"

/** A GGUF in a form that can be compared. */
export interface GgufSummary {
  /** Name, type, shape and SHA-256 of each tensor, in the order of the file. */
  readonly tensors: readonly string[]
  /** The values of all keys as JSON; long ones shortened, with their SHA-256. */
  readonly keys: Readonly<Record<string, string>>
}

const MAX_TEXT = 200

export function summarizeGguf(path: string): GgufSummary {
  const lists = [...readGgufHeader(path).metadata].filter(([, value]) => typeof value === "object")
  const header = readGgufHeader(path, { keepArrays: lists.map(([key]) => key) })
  const file = openSync(path, "r")
  try {
    const tensors = header.tensors.map(({ name, type, shape, offset, bytes = 0 }) => {
      const data = Buffer.alloc(bytes)
      readSync(file, data, 0, bytes, header.dataOffset + offset)
      return `${name} ${type.name} [${shape.join()}] ${sha256(data)}`
    })
    const keys = Object.fromEntries([...header.metadata].map(([key, value]) => [key, shown(value)]))
    return { tensors, keys }
  } finally {
    closeSync(file)
  }
}

function shown(value: GgufValue): string {
  const plain = typeof value === "object" ? [value.elementType, value.values] : value
  const text = JSON.stringify(typeof plain === "bigint" ? String(plain) : plain)
  return text.length > MAX_TEXT ? `${text.slice(0, 60)}#${sha256(text)}` : text
}

export function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex")
}
