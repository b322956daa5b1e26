import { open } from "node:fs/promises"
import { promisify } from "node:util"
import { inflateRaw, type ZlibOptions } from "node:zlib"
import { InvalidModelFile } from "../../errors/model"
import type { FilePart } from "./tts-model"

/** Signatures of ZIP records; fields are little-endian. */
const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
const MOST_COMMENT_BYTES = 65_535
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
const STORED = 0
const DEFLATED = 8

/** More than any archive of style vectors has; one speaker takes half a megabyte. */
const MOST_ENTRIES = 1000
const MOST_DIRECTORY_BYTES = 1024 ** 2
const MOST_ARRAY_BYTES = 16 * 1024 ** 2
const MOST_HEADER_BYTES = 64 * 1024

/** An array begins with a header; the header's length is padded to a multiple of 64. */
const NPY_MAGIC = "\x93NUMPY"

/** A float32 array in an archive. */
export interface NpzArray {
  readonly name: string
  readonly part: FilePart
  /** Size of its data. */
  readonly bytes: number
}

/** Whether a file is an archive of NumPy arrays, whatever its name. */
export async function isNpz(path: string): Promise<boolean> {
  return (await Bun.file(path).slice(0, 2).text()) === "PK"
}

/**
 * The arrays in an archive written by NumPy, in order. Reads only the directory and the arrays' headers.
 * @throws InvalidModelFile if it is not such an archive, or an array is not float32
 */
export async function readNpz(path: string): Promise<NpzArray[]> {
  const file = await open(path, "r")
  try {
    const { size } = await file.stat()
    const read = async (start: number, length: number): Promise<Buffer> => {
      // Checked before allocating: lengths in a file are untrusted.
      if (start < 0 || start + length > size) throw new InvalidModelFile(path, "it is cut short")
      const bytes = Buffer.alloc(length)
      const { bytesRead } = await file.read(bytes, 0, length, start)
      if (bytesRead < length) throw new InvalidModelFile(path, "it is cut short")
      return bytes
    }
    const arrays: NpzArray[] = []
    for (const entry of await readDirectory(path, size, read)) arrays.push(await describe(path, entry, read))
    return arrays
  } finally {
    await file.close()
  }
}

type Read = (start: number, length: number) => Promise<Buffer>

interface Entry {
  readonly name: string
  readonly method: number
  readonly compressedSize: number
  readonly size: number
  readonly localHeader: number
}

async function readDirectory(path: string, size: number, read: Read): Promise<Entry[]> {
  const tailStart = Math.max(0, size - END_BYTES - MOST_COMMENT_BYTES)
  const tail = await read(tailStart, size - tailStart)
  let end = tail.length - END_BYTES
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--
  if (end < 0) throw new InvalidModelFile(path, "it is not an archive of NumPy arrays, or is cut short")
  const count = tail.readUInt16LE(end + 10)
  const bytes = tail.readUInt32LE(end + 12)
  if (count > MOST_ENTRIES || bytes > MOST_DIRECTORY_BYTES)
    throw new InvalidModelFile(path, "it holds more arrays than any model")
  const directory = await read(tail.readUInt32LE(end + 16), bytes)
  const entries: Entry[] = []
  for (let at = 0; entries.length < count;) {
    if (at + ENTRY_BYTES > bytes || directory.readUInt32LE(at) !== ENTRY_SIGNATURE)
      throw new InvalidModelFile(path, "its directory is damaged")
    const nameLength = directory.readUInt16LE(at + 28)
    entries.push({
      name: directory.toString("utf8", at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      localHeader: directory.readUInt32LE(at + 42),
    })
    at += ENTRY_BYTES + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return entries
}

async function describe(path: string, entry: Entry, read: Read): Promise<NpzArray> {
  const { method, compressedSize, size } = entry
  if (method !== STORED && method !== DEFLATED)
    throw new InvalidModelFile(path, `${entry.name} has an unknown compression`)
  if (Math.max(compressedSize, size) > MOST_ARRAY_BYTES)
    throw new InvalidModelFile(path, `${entry.name} is larger than ${MOST_ARRAY_BYTES} bytes`)
  const local = await read(entry.localHeader, LOCAL_BYTES)
  const start = entry.localHeader + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  const isDeflated = method === DEFLATED
  if (!isDeflated && size !== compressedSize) throw new InvalidModelFile(path, `${entry.name} is damaged`)
  const content = isDeflated
    ? await inflate(path, entry, await read(start, compressedSize))
    : await read(start, Math.min(size, MOST_HEADER_BYTES))
  const skip = headerLength(path, entry.name, content)
  return {
    name: entry.name.replace(/\.npy$/, ""),
    part: { path, start, size: compressedSize, skip, ...(isDeflated && { inflatedBytes: size }) },
    bytes: size - skip,
  }
}

const inflateRawAside = promisify<Buffer, ZlibOptions, Buffer>(inflateRaw)

/** @throws InvalidModelFile if the size differs from that in the directory */
async function inflate(path: string, { name, size }: Entry, bytes: Buffer): Promise<Buffer> {
  const content = await inflateRawAside(bytes, { maxOutputLength: size }).catch(() => undefined)
  if (content?.length === size) return content
  throw new InvalidModelFile(path, `${name} is damaged`)
}

/** The length of an array's header. @throws InvalidModelFile if it is not a float32 array */
function headerLength(path: string, name: string, content: Buffer): number {
  if (content.length < 10 || content.toString("latin1", 0, 6) !== NPY_MAGIC)
    throw new InvalidModelFile(path, `${name} is not a NumPy array`)
  const length = content[6] === 1 ? 10 + content.readUInt16LE(8) : 12 + content.readUInt32LE(8)
  const header = content.toString("latin1", 0, Math.min(length, content.length))
  if (length > content.length || !header.includes("'<f4'") || header.includes("'fortran_order': True"))
    throw new InvalidModelFile(path, `${name} is not an array of 32-bit floats in C order`)
  return length
}
