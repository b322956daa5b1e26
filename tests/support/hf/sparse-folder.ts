import { closeSync, ftruncateSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { TINY_FOLDERS, writeTinyFolder } from "./tiny-folders"

/** Columns of its widest layers: of the embeddings of a tiny model. */
const WIDTH = 64

/** Writes a model with wide layers, all of whose weights are zero: the file has no blocks on the disk. */
export function writeSparseFolder(folder: string, inner: number): string {
  const make = TINY_FOLDERS["qwen2"]
  if (make === undefined) throw new Error("no folder")
  const tiny = make()
  writeTinyFolder(folder, { ...tiny, config: { ...tiny.config, intermediate_size: inner } })
  const header: Record<string, unknown> = {}
  let size = 0
  for (const { name, shape } of tiny.tensors) {
    const own = name.includes(".mlp.") ? (name.includes("down") ? [WIDTH, inner] : [inner, WIDTH]) : shape
    const bytes = 2 * own.reduce((product, count) => product * count, 1)
    header[name] = { dtype: "BF16", shape: own, data_offsets: [size, size + bytes] }
    size += bytes
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const path = join(folder, "model.safetensors")
  rmSync(path)
  writeFileSync(path, length)
  const file = openSync(path, "r+")
  writeSync(file, text, 0, text.length, 8)
  ftruncateSync(file, 8 + text.length + size)
  closeSync(file)
  return folder
}
