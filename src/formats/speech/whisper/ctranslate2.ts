import { type FileHandle, open } from "node:fs/promises"
import { basename } from "node:path"
import { InvalidModelFile } from "../../../errors/model"
import type { ElementType, ExternalTensor } from "../../onnx/graph-writer"

/** Limits far above any real model, so that a hostile file takes neither time nor memory. */
const MOST_VARIABLES = 100_000
const MOST_NAME_BYTES = 1024
const MOST_DIMENSIONS = 8
/** The supported versions: from the first with data types to the latest. */
const OLDEST_VERSION = 4
const LATEST_VERSION = 6
const SMALL_BYTES = 8
const WINDOW_BYTES = 4096

/** CTranslate2's `DataType` and the bytes per element. */
const TYPES: readonly (readonly [type: ElementType, bytes: number])[] = [
  ["float", 4],
  ["int8", 1],
  ["int16", 2],
  ["int32", 4],
  ["float16", 2],
  ["bfloat16", 2],
]

/** The contents of a CTranslate2 `model.bin`. */
export interface Ct2Model {
  /** Such as `WhisperSpec`. */
  readonly spec: string
  /** By name, including aliases. */
  readonly variables: ReadonlyMap<string, ExternalTensor>
  /** Scalars: settings. */
  readonly numbers: ReadonlyMap<string, number>
}

/**
 * Reads the locations of the variables in a `model.bin`, and the values of scalars only.
 * @throws InvalidModelFile if it is not a valid file; the system's error if it cannot be opened
 */
export async function readCt2Model(path: string): Promise<Ct2Model> {
  const file = await open(path, "r")
  try {
    return await readVariables(new Ct2Cursor(path, file, (await file.stat()).size))
  } finally {
    await file.close()
  }
}

async function readVariables(cursor: Ct2Cursor): Promise<Ct2Model> {
  const version = await cursor.number(4)
  if (version < OLDEST_VERSION || version > LATEST_VERSION)
    throw cursor.fail(
      `it is not a CTranslate2 model of the format ${OLDEST_VERSION} to ${LATEST_VERSION} (found ${version})`,
    )
  const spec = await cursor.name()
  await cursor.number(4) // the revision of the specification
  const count = await cursor.number(4)
  if (count > MOST_VARIABLES) throw cursor.fail(`it claims to have ${count} variables`)
  const variables = new Map<string, ExternalTensor>()
  const numbers = new Map<string, number>()
  for (let i = 0; i < count; i++) await readVariable(cursor, variables, numbers)
  await readAliases(cursor, variables)
  return { spec, variables, numbers }
}

async function readVariable(
  cursor: Ct2Cursor,
  variables: Map<string, ExternalTensor>,
  numbers: Map<string, number>,
): Promise<void> {
  const name = await cursor.name()
  const rank = await cursor.number(1)
  if (rank > MOST_DIMENSIONS) throw cursor.fail(`'${name}' has ${rank} dimensions`)
  const shape: number[] = []
  for (let i = 0; i < rank; i++) shape.push(await cursor.number(4))
  const typeNumber = await cursor.number(1)
  const [type, elementBytes] = TYPES[typeNumber] ?? []
  if (type === undefined || elementBytes === undefined)
    throw cursor.fail(`'${name}' is of an unknown type (${typeNumber})`)
  const bytes = await cursor.number(4)
  if (bytes !== shape.reduce((product, dimension) => product * dimension, elementBytes))
    throw cursor.fail(`'${name}' of the shape [${shape.join(",")}] cannot have ${bytes} bytes`)
  variables.set(name, { type, shape, location: cursor.fileName, offset: cursor.position, bytes })
  const isNumber = rank === 0 && bytes <= SMALL_BYTES && type.startsWith("int")
  if (isNumber) numbers.set(name, await cursor.number(bytes))
  else cursor.skip(bytes, name)
}

/** Other names of the same variables. */
async function readAliases(cursor: Ct2Cursor, variables: Map<string, ExternalTensor>): Promise<void> {
  const count = await cursor.number(4)
  if (count > MOST_VARIABLES) throw cursor.fail(`it claims to have ${count} aliases`)
  for (let i = 0; i < count; i++) {
    const alias = await cursor.name()
    const variable = variables.get(await cursor.name())
    if (variable === undefined) throw cursor.fail(`'${alias}' stands for a missing variable`)
    variables.set(alias, variable)
  }
}

/** Reads little-endian values in order through a small window. */
class Ct2Cursor {
  readonly fileName: string
  readonly #path: string
  readonly #file: FileHandle
  readonly #size: number
  #position = 0
  #window = Buffer.alloc(0)
  #windowStart = 0

  constructor(path: string, file: FileHandle, size: number) {
    this.#path = path
    this.fileName = basename(path)
    this.#file = file
    this.#size = size
  }

  get position(): number {
    return this.#position
  }

  fail(reason: string): InvalidModelFile {
    return new InvalidModelFile(this.#path, reason)
  }

  /** An unsigned integer of 1, 2 or 4 bytes. */
  async number(bytes: number): Promise<number> {
    const taken = await this.#take(bytes)
    return taken.readUIntLE(0, bytes)
  }

  /** A string preceded by its length and terminated by a zero byte. */
  async name(): Promise<string> {
    const length = await this.number(2)
    if (length < 1 || length > MOST_NAME_BYTES) throw this.fail("it is damaged: a name is too long")
    return (await this.#take(length)).toString("utf8", 0, length - 1)
  }

  skip(bytes: number, what: string): void {
    if (this.#position + bytes > this.#size)
      throw this.fail(
        `it is cut short: it has ${this.#size} bytes, but '${what}' ends at ${this.#position + bytes}`,
      )
    this.#position += bytes
  }

  async #take(bytes: number): Promise<Buffer> {
    if (this.#position + bytes > this.#size) throw this.fail(`it is cut short after ${this.#size} bytes`)
    const offset = this.#position - this.#windowStart
    if (offset < 0 || offset + bytes > this.#window.length) {
      const { bytesRead, buffer } = await this.#file.read(
        Buffer.alloc(WINDOW_BYTES),
        0,
        WINDOW_BYTES,
        this.#position,
      )
      this.#window = buffer.subarray(0, bytesRead)
      this.#windowStart = this.#position
    }
    const at = this.#position - this.#windowStart
    this.#position += bytes
    return this.#window.subarray(at, at + bytes)
  }
}
