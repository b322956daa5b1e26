import { open } from "node:fs/promises"
import { reasonOf } from "../errors/base"
import { InvalidModelFile } from "../errors/model"
import { findExcess } from "../lib/json-shape"
import { JSON_SHAPE } from "../limits"

/** A tensor of a safetensors file, without its data. */
export interface SafetensorsTensor {
  readonly name: string
  /** `F32`, `F16`, `BF16`, `F8_E4M3`, …; in capitals. */
  readonly dtype: string
  /** The contiguous dimension last. */
  readonly shape: readonly number[]
  readonly elements: number
  /** Offset in the file; `end` is exclusive. */
  readonly start: number
  readonly end: number
}

export interface SafetensorsHeader {
  /** The strings under `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly SafetensorsTensor[]
}

/** The file begins with the length of the header, as an unsigned 64-bit little-endian number. */
const LENGTH_BYTES = 8
/** Real headers are below 2 MB; the format allows 100 MB. */
const MAX_HEADER_BYTES = 8 * 1024 ** 2
const MAX_DIMENSIONS = 8
const METADATA_KEY = "__metadata__"
const OPENING_BRACE = 0x7b

/**
 * Bytes per element; types that pack several elements into a byte are not listed, and their sizes not
 * checked.
 */
const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map([
  ["BOOL", 1],
  ["U8", 1],
  ["I8", 1],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
  ["F8_E8M0", 1],
  ["U16", 2],
  ["I16", 2],
  ["F16", 2],
  ["BF16", 2],
  ["U32", 4],
  ["I32", 4],
  ["F32", 4],
  ["U64", 8],
  ["I64", 8],
  ["F64", 8],
])

/**
 * Whether a file beginning with `head` (at least 9 bytes) looks like a safetensors file, possibly incomplete.
 */
export function looksLikeSafetensors(head: Uint8Array): boolean {
  return headerLength(head) !== undefined && head[LENGTH_BYTES] === OPENING_BRACE
}

/**
 * Reads the header of a safetensors file, without tensor data.
 * @throws InvalidModelFile if the file is incomplete or invalid; the system's error if it cannot be opened
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const read = async (start: number, length: number): Promise<Uint8Array> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
      return buffer.subarray(0, bytesRead)
    }
    const head = await read(0, LENGTH_BYTES + 1)
    const length = headerLength(head)
    if (length === undefined || !looksLikeSafetensors(head))
      throw new InvalidModelFile(path, "it is not a safetensors file")
    if (length > size - LENGTH_BYTES)
      throw new InvalidModelFile(
        path,
        `the file is cut short: its header has ${length} bytes, the file ${size}`,
      )
    const bytes = await read(LENGTH_BYTES, length)
    const excess = await findExcess(bytes, JSON_SHAPE)
    if (excess !== undefined)
      throw new InvalidModelFile(path, `its header has more than ${JSON_SHAPE[excess]} ${excess}`)
    // A name may begin with U+FEFF; dropped, it would be the same as another one.
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
    return parseHeader(path, text, LENGTH_BYTES + length, size)
  } finally {
    await file.close()
  }
}

/** `undefined` if no header can be this long. */
function headerLength(head: Uint8Array): number | undefined {
  if (head.length <= LENGTH_BYTES) return undefined
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true)
  return length >= 2n && length <= BigInt(MAX_HEADER_BYTES) ? Number(length) : undefined
}

function parseHeader(path: string, text: string, dataStart: number, fileBytes: number): SafetensorsHeader {
  const entries = Object.entries(parseObject(path, text))
  const metadata = new Map<string, string>()
  const tensors: SafetensorsTensor[] = []
  for (const [name, entry] of entries) {
    if (!isObject(entry)) throw new InvalidModelFile(path, `the header's entry '${name}' is not an object`)
    if (name !== METADATA_KEY) tensors.push(readTensor(path, name, entry, dataStart))
    else
      for (const [key, value] of Object.entries(entry))
        if (typeof value === "string") metadata.set(key, value)
  }
  const last = tensors.reduce<SafetensorsTensor | undefined>(
    (latest, tensor) => (latest === undefined || tensor.end > latest.end ? tensor : latest),
    undefined,
  )
  if (last !== undefined && last.end > fileBytes)
    throw new InvalidModelFile(
      path,
      `the file is cut short: it has ${fileBytes} bytes, but the tensor '${last.name}' ends at ${last.end}`,
    )
  return { metadata, tensors }
}

function parseObject(path: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = reasonOf(error)
    throw new InvalidModelFile(path, `its header is not valid JSON: ${reason}`)
  }
  if (!isObject(value)) throw new InvalidModelFile(path, "its header is not a JSON object")
  return value
}

function readTensor(
  path: string,
  name: string,
  { dtype, shape, data_offsets: offsets }: Readonly<Record<string, unknown>>,
  dataStart: number,
): SafetensorsTensor {
  if (typeof dtype !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2)
    throw new InvalidModelFile(path, `the header does not describe the tensor '${name}' correctly`)
  if (shape.length > MAX_DIMENSIONS)
    throw new InvalidModelFile(path, `the tensor '${name}' has ${shape.length} dimensions`)
  const elements = shape.reduce((product, size) => product * size, 1)
  const [begin = 0, end = 0] = offsets
  if (!Number.isSafeInteger(elements) || begin > end)
    throw new InvalidModelFile(path, `the tensor '${name}' has impossible sizes`)
  const bytes = ELEMENT_BYTES.get(dtype)
  if (bytes !== undefined && elements * bytes !== end - begin)
    throw new InvalidModelFile(
      path,
      `the tensor '${name}' has ${elements} elements of ${dtype}, but ${end - begin} bytes`,
    )
  return { name, dtype, shape, elements, start: dataStart + begin, end: dataStart + end }
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
