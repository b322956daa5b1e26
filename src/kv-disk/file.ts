/**
 * The file of one saved prompt. Little-endian:
 *
 * | bytes | content                                                       |
 * | ----: | ------------------------------------------------------------- |
 * |     8 | `xllmkv01`; the digits are the version of this format         |
 * |     4 | how often it was used; changed in place, so not in the hash   |
 * |     4 | size of the description                                       |
 * |     8 | xxHash64 of the description's size, the description, the tokens |
 * |       | the description, as JSON                                      |
 * |       | the tokens, 4 bytes each                                      |
 * |       | llama.cpp's state of the sequence                             |
 *
 * llama.cpp aborts the process on a truncated state and accepts flipped bits without complaint, so nothing is
 * handed to it before length and hash are checked.
 */
import { type FileHandle, open } from "node:fs/promises"
import { breathe } from "../lib/async/breathe"

const MAGIC = Buffer.from("xllmkv01", "latin1")
const USES_AT = 8
const SIZE_AT = 12
const HASH_AT = 16
const DESCRIPTION_AT = 24

/** Far more than any description has. */
const MOST_DESCRIPTION_BYTES = 64 * 1024

/** Hashed or read at once: about 1 ms, since decode steps wait for it. */
const PIECE_BYTES = 4 * 1024 ** 2

/** What a file says about itself. */
export interface PromptDescription {
  /** Everything that the state depends on besides the tokens; a state is valid only where this is the same. */
  readonly fingerprint: string
  /** The model that it was computed by: name and id. */
  readonly model: string
  readonly modelId: string
  /** Separates those who do not share prompts; empty: shared by all. */
  readonly realm: string
  /** Given by a client that saved it on purpose; absent: it was saved by itself. */
  readonly name?: string
  readonly stateBytes: number
  /** xxHash64 of the state, in hexadecimal. */
  readonly stateHash: string
  /** How long the prompt took to compute, in ms. */
  readonly computeMs: number
  readonly createdAt: string
}

/** The part of a file before the state. */
export interface PromptHead extends PromptDescription {
  readonly tokens: Int32Array
  readonly uses: number
  /** Offset of the state. */
  readonly stateAt: number
}

/** Why a file is of no use: a phrase that follows its name. */
export class DamagedPrompt extends Error {
  override readonly name = "DamagedPrompt"
}

/** The bytes that precede the state. */
export function encodeHead(description: PromptDescription, tokens: Int32Array): Buffer {
  const json = Buffer.from(JSON.stringify(description), "utf8")
  const head = Buffer.alloc(DESCRIPTION_AT + json.length + tokens.byteLength)
  MAGIC.copy(head)
  head.writeUInt32LE(json.length, SIZE_AT)
  json.copy(head, DESCRIPTION_AT)
  Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength).copy(head, DESCRIPTION_AT + json.length)
  head.writeBigUInt64LE(hashOfHead(head), HASH_AT)
  return head
}

/**
 * Reads and checks everything before the state.
 * @throws DamagedPrompt; the system's error where the file cannot be read
 */
export async function readHead(file: FileHandle): Promise<PromptHead> {
  const { size } = await file.stat()
  const start = await readExactly(file, 0, DESCRIPTION_AT)
  if (!start.subarray(0, MAGIC.length).equals(MAGIC))
    throw new DamagedPrompt("is of another version, or damaged")
  const descriptionBytes = start.readUInt32LE(SIZE_AT)
  if (descriptionBytes > MOST_DESCRIPTION_BYTES) throw new DamagedPrompt("has a damaged header")
  const json = await readExactly(file, DESCRIPTION_AT, descriptionBytes)
  const description = parseDescription(json)
  const tokensAt = DESCRIPTION_AT + descriptionBytes
  const tokenBytes = size - tokensAt - description.stateBytes
  if (tokenBytes <= 0 || tokenBytes % Int32Array.BYTES_PER_ELEMENT !== 0)
    throw new DamagedPrompt("has a wrong length")
  const tokens = await readExactly(file, tokensAt, tokenBytes)
  if (start.readBigUInt64LE(HASH_AT) !== hashOfHead(Buffer.concat([start, json, tokens])))
    throw new DamagedPrompt("has a damaged header")
  return {
    ...description,
    tokens: new Int32Array(tokens.buffer.slice(tokens.byteOffset, tokens.byteOffset + tokens.byteLength)),
    uses: start.readUInt32LE(USES_AT),
    stateAt: tokensAt + tokenBytes,
  }
}

/**
 * Reads and checks the state, in pieces.
 * @throws DamagedPrompt; the system's error where the file cannot be read
 */
export async function readState(
  file: FileHandle,
  { stateAt, stateBytes, stateHash }: PromptHead,
): Promise<Uint8Array> {
  const state = Buffer.allocUnsafeSlow(stateBytes)
  let hash = 0n
  for (let at = 0; at < stateBytes; at += PIECE_BYTES) {
    const piece = state.subarray(at, Math.min(at + PIECE_BYTES, stateBytes))
    const { bytesRead } = await file.read(piece, 0, piece.length, stateAt + at)
    if (bytesRead < piece.length) throw new DamagedPrompt("is cut short")
    hash = Bun.hash.xxHash64(piece, hash)
  }
  if (hash.toString(16) !== stateHash) throw new DamagedPrompt("has a damaged state")
  return state
}

/** {@link PromptDescription.stateHash}, computed in pieces with everything else in between. */
export async function hashState(state: Uint8Array): Promise<string> {
  let hash = 0n
  for (let at = 0; at < state.length; at += PIECE_BYTES) {
    hash = Bun.hash.xxHash64(state.subarray(at, at + PIECE_BYTES), hash)
    await breathe()
  }
  return hash.toString(16)
}

/** Counts one more use. */
export async function countUse(path: string, uses: number): Promise<void> {
  const file = await open(path, "r+")
  try {
    const count = Buffer.alloc(4)
    count.writeUInt32LE(Math.min(uses, 0xffff_ffff))
    await file.write(count, 0, count.length, USES_AT)
  } finally {
    await file.close()
  }
}

/** Everything from the description on, and its size. */
function hashOfHead(head: Buffer): bigint {
  const size = head.subarray(SIZE_AT, SIZE_AT + 4)
  return Bun.hash.xxHash64(head.subarray(DESCRIPTION_AT), Bun.hash.xxHash64(size))
}

async function readExactly(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at)
  if (bytesRead < bytes) throw new DamagedPrompt("is cut short")
  return buffer
}

function parseDescription(json: Buffer): PromptDescription {
  let value: unknown
  try {
    value = JSON.parse(json.toString("utf8"))
  } catch {
    throw new DamagedPrompt("has a damaged header")
  }
  if (!isDescription(value)) throw new DamagedPrompt("has a damaged header")
  return value
}

function isDescription(value: unknown): value is PromptDescription {
  if (typeof value !== "object" || value === null) return false
  const fields = value as Partial<Record<keyof PromptDescription, unknown>>
  const texts = [
    fields.fingerprint,
    fields.model,
    fields.modelId,
    fields.realm,
    fields.stateHash,
    fields.createdAt,
  ]
  return (
    texts.every((text) => typeof text === "string") &&
    Number.isSafeInteger(fields.stateBytes) &&
    Number(fields.stateBytes) > 0 &&
    typeof fields.computeMs === "number" &&
    (fields.name === undefined || typeof fields.name === "string")
  )
}
