import { join } from "node:path"
import { InvalidModelFile } from "../../errors/model"
import { CONVERT } from "../../limits"
import { decodeUtf8, type HfFolder } from "../source/folder"

/** A piece of a SentencePiece model. */
interface Piece {
  readonly text: string
  readonly score: number
  /** llama.cpp's numbers of kinds are SentencePiece's. */
  readonly type: number
}

/** What is needed of a SentencePiece model (sentencepiece_model.proto). */
export interface PieceModel {
  readonly pieces: readonly Piece[]
  /** 1 unigram, 2 byte pairs, … */
  readonly modelType: number
  readonly addDummyPrefix: boolean
  readonly removeExtraWhitespace: boolean
  readonly charsmap: Uint8Array
}

/** Numbers of fields. */
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 }
const PIECE = { text: 1, score: 2, type: 3 }
const TRAINER = { modelType: 3 }
const NORMALIZER = { charsmap: 2, addDummyPrefix: 3, removeExtraWhitespace: 4 }

/** @throws InvalidModelFile for a file that is not a SentencePiece model */
export function parsePieceModel(folder: HfFolder, bytes: Uint8Array): PieceModel {
  const pieces: Piece[] = []
  let modelType = 1
  let addDummyPrefix = true
  let removeExtraWhitespace = true
  let charsmap: Uint8Array = new Uint8Array()
  try {
    for (const field of fieldsOf(bytes)) {
      if (field.number === MODEL.pieces && field.bytes !== undefined) {
        pieces.push(parsePiece(field.bytes))
        if (pieces.length > CONVERT.tokens) throw new RangeError("too many pieces")
      } else if (field.number === MODEL.trainer && field.bytes !== undefined) {
        for (const own of fieldsOf(field.bytes)) if (own.number === TRAINER.modelType) modelType = own.value
      } else if (field.number === MODEL.normalizer && field.bytes !== undefined)
        for (const own of fieldsOf(field.bytes)) {
          if (own.number === NORMALIZER.charsmap && own.bytes !== undefined) charsmap = own.bytes
          if (own.number === NORMALIZER.addDummyPrefix) addDummyPrefix = own.value !== 0
          if (own.number === NORMALIZER.removeExtraWhitespace) removeExtraWhitespace = own.value !== 0
        }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new InvalidModelFile(
      join(folder.path, "tokenizer.model"),
      `it is not a valid SentencePiece model: ${error.message}`,
    )
  }
  if (pieces.length === 0)
    throw new InvalidModelFile(join(folder.path, "tokenizer.model"), "it has no pieces")
  return { pieces, modelType, addDummyPrefix, removeExtraWhitespace, charsmap }
}

function parsePiece(bytes: Uint8Array): Piece {
  let text = ""
  let score = 0
  let type = 1
  for (const field of fieldsOf(bytes)) {
    if (field.number === PIECE.text && field.bytes !== undefined) text = decodeUtf8(field.bytes)
    else if (field.number === PIECE.score && field.bytes?.length === 4)
      score = new DataView(field.bytes.buffer, field.bytes.byteOffset).getFloat32(0, true)
    else if (field.number === PIECE.type) type = field.value
  }
  return { text, score, type }
}

interface ProtobufField {
  readonly number: number
  /** A variable-length number; 0 for others. */
  readonly value: number
  /** The content of others. */
  readonly bytes: Uint8Array | undefined
}

/** The fields of a protobuf message. @throws RangeError where it ends within one */
function* fieldsOf(bytes: Uint8Array): Generator<ProtobufField> {
  let at = 0
  const variable = (): number => {
    let value = 0
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new RangeError("it ends within a number")
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw new RangeError("a number is too long")
  }
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new RangeError("it ends within a field")
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = variable()
    const number = Math.floor(tag / 8)
    switch (tag % 8) {
      case 0:
        yield { number, value: variable(), bytes: undefined }
        break
      case 1:
        yield { number, value: 0, bytes: take(8) }
        break
      case 2:
        yield { number, value: 0, bytes: take(variable()) }
        break
      case 5:
        yield { number, value: 0, bytes: take(4) }
        break
      default:
        throw new RangeError("a field has an unknown type")
    }
  }
}
