import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs"
import { reasonOf } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { GgufCursor } from "./cursor"
import {
  ARRAY_TYPE,
  type GgufArray,
  type GgufHeader,
  type GgufScalar,
  type GgufScalarType,
  type GgufTensorInfo,
  type GgufValue,
  scalarType,
  tensorType,
} from "./types"

const MAGIC = 0x46554747 // "GGUF", little-endian
/** Version 1 had 32-bit lengths; llama.cpp no longer loads it. */
const VERSIONS: readonly number[] = [2, 3]
const BIG_ENDIAN_VERSIONS: readonly number[] = [0x02000000, 0x03000000]
const DEFAULT_ALIGNMENT = 32
/** ggml's `GGML_MAX_DIMS`. */
const MAX_DIMENSIONS = 4
/**
 * Limits far above any real model, because a header is read synchronously: at worst all of them together take
 * 0.3 s. Models have a few hundred keys and up to ten thousand tensors.
 */
const MAX_KEYS = 16_384
const MAX_TENSORS = 65_536
/**
 * Maximum array entries that are read or, for strings, skipped: vocabularies have 260,000 tokens and twice as
 * many merges.
 */
const MAX_WALKED_ENTRIES = 2_097_152
const MAX_ARRAY_LENGTH = 16_777_216
/** The format's own limit (ggml's docs/gguf.md). */
const MAX_KEY_BYTES = 65_535
/** Per-layer values are arrays too; no model has more layers. */
const KEPT_ARRAY_LENGTH = 1024

export interface ReadGgufOptions {
  /** Keys of long arrays whose values are kept. */
  readonly keepArrays?: readonly string[]
  /** The final size of a file that is still being downloaded. */
  readonly finalBytes?: number
}

/**
 * Reads the header of a GGUF file: metadata and tensor descriptions, without tensor data. Synchronous: about
 * 10 ms for a vocabulary of 150,000 tokens.
 * @throws InvalidModelFile if the file is not a complete GGUF of a supported version; the system's error if
 * it cannot be opened
 */
export function readGgufHeader(path: string, options: ReadGgufOptions = {}): GgufHeader {
  // Non-blocking: opening a pipe without a writer would hang.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new InvalidModelFile(path, "it is not a file")
    const size = options.finalBytes ?? stats.size
    const cursor = new GgufCursor(path, size, (target, position) =>
      readSync(file, target, 0, target.length, position),
    )
    return readHeader(cursor, new Set(options.keepArrays), size)
  } finally {
    closeSync(file)
  }
}

/** The kind of model in a file. */
export interface GgufKind {
  readonly architecture: string | undefined
  /** `general.type`: `model`, `adapter`, `mmproj`, … */
  readonly type: string | undefined
  /**
   * In a further file of a split model: its number, from 2. In the first file this key is too far from the
   * start.
   */
  readonly part?: number
  /** `ARCHITECTURE.pooling_type`: see `describeGguf`. */
  readonly pooling?: number
  /** `ARCHITECTURE.attention.causal`: does every token see only those before it? */
  readonly causal?: boolean
}

/**
 * The kind of model according to the first bytes of a file: writers put these keys before the texts of the tokens.
 * `undefined` if it is not a GGUF file.
 */
export function peekGgufKind(head: Uint8Array): GgufKind | undefined {
  const cursor = new GgufCursor("", head.length, (target, position) => {
    const part = head.subarray(position, position + target.length)
    target.set(part)
    return part.length
  })
  const found = new Map<string, GgufValue>()
  const budget: Budget = { entries: MAX_WALKED_ENTRIES }
  try {
    const { keyCount } = readStart(cursor)
    for (let index = 0; index < keyCount; index++) {
      const [key, value] = readEntry(cursor, new Set(), budget)
      if (key === LAST_PEEKED) break
      if (PEEKED_KEY.test(key)) found.set(key, value)
    }
  } catch (error) {
    if (!(error instanceof InvalidModelFile)) throw error
    // The bytes end within the metadata; it is no GGUF only if they end before that.
    if (cursor.position < START_BYTES) return undefined
  }
  const text = (key: string): string | undefined => {
    const value = found.get(key)
    return typeof value === "string" ? value : undefined
  }
  const number = found.get("split.no")
  const architecture = text("general.architecture")
  const pooling = found.get(`${architecture}.pooling_type`)
  const causal = found.get(`${architecture}.attention.causal`)
  return {
    architecture,
    type: text("general.type"),
    ...(typeof number === "number" && number > 0 && { part: number + 1 }),
    ...(typeof pooling === "number" && { pooling }),
    ...(typeof causal === "boolean" && { causal }),
  }
}

const PEEKED_KEY = /^general\.(architecture|type)$|^split\.no$|\.pooling_type$|\.attention\.causal$/
/** Long, and nothing that is wanted follows it. */
const LAST_PEEKED = "tokenizer.ggml.tokens"

/** Why the file is not a usable GGUF according to its header; undefined if it is. */
export function ggufFault(path: string): string | undefined {
  try {
    readGgufHeader(path)
    return undefined
  } catch (error) {
    return error instanceof InvalidModelFile ? error.reason : reasonOf(error)
  }
}

/** Magic, version and both counts. */
const START_BYTES = 24

function readHeader(cursor: GgufCursor, keep: ReadonlySet<string>, fileSize: number): GgufHeader {
  const { version, keyCount, tensorCount } = readStart(cursor)
  const metadata = new Map<string, GgufValue>()
  const types = new Map<string, GgufScalarType>()
  const budget: Budget = { entries: MAX_WALKED_ENTRIES }
  for (let index = 0; index < keyCount; index++) {
    const [key, value, type] = readEntry(cursor, keep, budget)
    if (metadata.has(key)) throw cursor.fail(`duplicate key '${key}'`)
    metadata.set(key, value)
    if (type !== undefined) types.set(key, type)
  }
  const tensors = Array.from({ length: tensorCount }, () => readTensorInfo(cursor))
  const alignment = alignmentOf(metadata, cursor)
  const dataOffset = Math.ceil(cursor.position / alignment) * alignment
  for (const tensor of tensors) checkComplete(tensor, dataOffset, fileSize, cursor)
  return { version, metadata, types, tensors, dataOffset }
}

function readStart(cursor: GgufCursor): { version: number; keyCount: number; tensorCount: number } {
  if (cursor.remaining < 4 || cursor.u32() !== MAGIC) throw cursor.fail("it is not a GGUF file")
  const version = cursor.u32()
  if (BIG_ENDIAN_VERSIONS.includes(version)) throw cursor.fail("big-endian GGUF files are not supported")
  if (!VERSIONS.includes(version)) {
    throw cursor.fail(`GGUF version ${version} is not supported (${VERSIONS.join(" and ")} are)`)
  }
  const tensorCount = cursor.length("the number of tensors")
  const keyCount = cursor.length("the number of metadata keys")
  if (tensorCount > MAX_TENSORS) throw cursor.fail(`it claims to have ${tensorCount} tensors`)
  if (keyCount > MAX_KEYS) throw cursor.fail(`it claims to have ${keyCount} metadata keys`)
  return { version, keyCount, tensorCount }
}

/** Remaining number of array entries that may be read or skipped. */
interface Budget {
  entries: number
}

function readEntry(
  cursor: GgufCursor,
  keep: ReadonlySet<string>,
  budget: Budget,
): readonly [key: string, value: GgufValue, type?: GgufScalarType] {
  const key = cursor.string("a metadata key", MAX_KEY_BYTES)
  const typeId = cursor.u32()
  if (typeId === ARRAY_TYPE) return [key, readArray(cursor, key, keep.has(key), budget)]
  const scalar = scalarType(typeId)
  if (scalar === undefined) throw cursor.fail(`the key '${key}' has the unknown type ${typeId}`)
  return [key, cursor.scalar(scalar.type, `the value of '${key}'`), scalar.type]
}

function readArray(cursor: GgufCursor, key: string, keep: boolean, budget: Budget): GgufArray {
  const typeId = cursor.u32()
  const length = cursor.length(`the length of '${key}'`)
  if (typeId === ARRAY_TYPE) throw cursor.fail(`'${key}' is an array of arrays, which is not supported`)
  const element = scalarType(typeId)
  if (element === undefined) throw cursor.fail(`the elements of '${key}' have the unknown type ${typeId}`)
  if (length * element.bytes > cursor.remaining)
    throw cursor.fail(`'${key}' reaches past the end of the file`)
  if (length > MAX_ARRAY_LENGTH) throw cursor.fail(`'${key}' claims to have ${length} elements`)
  const what = `an element of '${key}'`
  const isKept = keep || length <= KEPT_ARRAY_LENGTH
  if (isKept || element.type === "string") budget.entries -= length
  if (budget.entries < 0) throw cursor.fail(`its arrays have more than ${MAX_WALKED_ENTRIES} elements`)
  if (isKept) {
    const values: GgufScalar[] = []
    for (let index = 0; index < length; index++) values.push(cursor.scalar(element.type, what))
    return { elementType: element.type, length, values }
  }
  if (element.type === "string") for (let index = 0; index < length; index++) cursor.skipString(what)
  else cursor.skip(length * element.bytes, `'${key}'`)
  return { elementType: element.type, length, values: undefined }
}

function readTensorInfo(cursor: GgufCursor): GgufTensorInfo {
  const name = cursor.string("a tensor's name", MAX_KEY_BYTES)
  const dimensions = cursor.u32()
  if (dimensions > MAX_DIMENSIONS) throw cursor.fail(`the tensor '${name}' has ${dimensions} dimensions`)
  const shape = Array.from({ length: dimensions }, () => cursor.length(`a dimension of '${name}'`))
  const elements = shape.reduce((product, size) => product * size, 1)
  if (!Number.isSafeInteger(elements)) throw cursor.fail(`the tensor '${name}' is impossibly large`)
  const type = tensorType(cursor.u32())
  const offset = cursor.length(`the offset of '${name}'`)
  const known = type.blockElements > 0
  if (known && elements % type.blockElements !== 0) {
    throw cursor.fail(`the tensor '${name}' has ${elements} elements, which ${type.name} cannot hold`)
  }
  const bytes = known ? (elements / type.blockElements) * type.blockBytes : undefined
  return { name, shape, type, offset, elements, bytes }
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, cursor: GgufCursor): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT
  const isPowerOfTwo =
    typeof alignment === "number" && alignment > 0 && Number.isInteger(Math.log2(alignment))
  if (!isPowerOfTwo) throw cursor.fail(`general.alignment must be a power of two, got ${String(alignment)}`)
  return alignment
}

/** Detects incomplete downloads, by far the most frequent damage. */
function checkComplete(
  tensor: GgufTensorInfo,
  dataOffset: number,
  fileSize: number,
  cursor: GgufCursor,
): void {
  const end = dataOffset + tensor.offset + (tensor.bytes ?? 0)
  if (end <= fileSize) return
  throw cursor.fail(
    `the file is cut short: it has ${fileSize} bytes, but the tensor '${tensor.name}' ends at ${end}`,
  )
}
