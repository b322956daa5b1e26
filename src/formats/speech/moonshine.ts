import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import { checkTokens, findTokens, preferQuantized } from "./asr-checks"
import type { AsrModel, AsrPlan, FileSource } from "./asr-model"
import { findLicense } from "./license"
import { folderOf, type SpeechFolder } from "./speech-folder"

/** The model reports no times, so each window becomes a segment and must be short. */
const WINDOW_SECONDS = 16

/** Moonshine as four graphs with tokens.txt. */
export async function recognizeMoonshineV1(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const find = (pattern: RegExp): ModelFolderFile | undefined => preferQuantized(folder.matching(pattern))
  const preprocessor = find(/^preprocess[^/]*\.onnx$/i)
  const encoder = find(/^encode[^/]*\.onnx$/i)
  const uncached = find(/^uncached_decode[^/]*\.onnx$/i)
  const cached = find(/^cached_decode[^/]*\.onnx$/i)
  if (!preprocessor || !encoder || !uncached || !cached) return undefined
  const tokens = findTokens(folder, encoder)
  await checkTokens(folder, tokens, {})
  return await describe(folder, {
    files: {
      preprocessor: { path: preprocessor.path },
      encoder: { path: encoder.path },
      uncachedDecoder: { path: uncached.path },
      cachedDecoder: { path: cached.path },
    },
    tokens: { path: tokens.path },
  })
}

/** Moonshine as two graphs, in ONNX or ONNX Runtime format, with tokens.txt or the original tokenizer.bin. */
export async function recognizeMoonshineV2(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const find = (pattern: RegExp): ModelFolderFile | undefined => preferQuantized(folder.matching(pattern))
  const encoder = find(/^encoder_model[^/]*\.(ort|onnx)$/i)
  const decoder = find(/^decoder_model_merged[^/]*\.(ort|onnx)$/i)
  if (encoder === undefined || decoder === undefined) return undefined
  return await describe(folder, {
    files: { encoder: { path: encoder.path }, mergedDecoder: await decoderSource(decoder) },
    tokens: await tokensSource(folder, encoder),
  })
}

async function describe(folder: SpeechFolder, plan: Pick<AsrPlan, "files" | "tokens">): Promise<AsrModel> {
  return {
    kind: "asr",
    description: {
      kind: "asr",
      family: "moonshine",
      languages: [],
      canTranslate: false,
      capabilities: ["transcription"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      ...plan,
      family: "moonshine",
      options: {},
      linked: [],
      language: { how: "none" },
      timed: false,
      windowSeconds: WINDOW_SECONDS,
    },
  }
}

async function tokensSource(folder: SpeechFolder, encoder: ModelFolderFile): Promise<FileSource> {
  const tokenizer =
    folder.named(`${folderOf(encoder.name)}tokenizer.bin`) ?? folder.matching(/^tokenizer\.bin$/)[0]
  if (folder.matching(/tokens\.txt$/i).length > 0 || tokenizer === undefined) {
    const tokens = findTokens(folder, encoder)
    await checkTokens(folder, tokens, {})
    return { path: tokens.path }
  }
  const lines = moonshineTokenLines(tokenizer.path, await Bun.file(tokenizer.path).bytes())
  return { name: "tokens.txt", make: () => Promise.resolve(lines) }
}

/**
 * Converts a tokenizer.bin to lines for the engine: base64 and id. In it each token's bytes follow their
 * length: one byte below 128, otherwise the lower seven bits and a second byte; 0 is an id without a token.
 * @throws InvalidModelFile if it is truncated
 */
export function moonshineTokenLines(path: string, bytes: Uint8Array): string {
  const lines: string[] = []
  let at = 0
  while (at < bytes.length) {
    let length = bytes[at++] ?? 0
    if (length >= 128) length = (bytes[at++] ?? 0) * 128 + length - 128
    if (at + length > bytes.length)
      throw new InvalidModelFile(path, `it is cut short in token ${lines.length}`)
    lines.push(`${Buffer.from(bytes.subarray(at, at + length)).toString("base64")} ${lines.length}\n`)
    at += length
  }
  if (lines.length === 0) throw new InvalidModelFile(path, "it has no tokens")
  return lines.join("")
}

/** The table of an ONNX Runtime file for a constant `[384]` of 64-bit integers, up to its only element. */
const SHRINK_CONSTANT = Buffer.from("070000001400000020000000080000008001000000000000", "hex")
const VALUE_OFFSET = 16
/** One per branch of the decoder: with and without a cache. */
const CONSTANTS = 2

/**
 * The decoder in the first exports of two-graph Moonshine takes the mask of the raw audio and uses every
 * 384th element; the engine passes the mask of the encoder's output. Patching the step to 1 makes them agree.
 */
async function decoderSource(decoder: ModelFolderFile): Promise<FileSource> {
  const own = { path: decoder.path }
  if (!decoder.name.endsWith(".ort")) return own
  const bytes = Buffer.from(await Bun.file(decoder.path).arrayBuffer())
  return findShrinking(bytes).length === CONSTANTS
    ? {
        name: "decoder_model_merged.ort",
        make: async () => withoutShrinking(Buffer.from(await Bun.file(decoder.path).arrayBuffer())),
      }
    : own
}

function findShrinking(bytes: Buffer): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(SHRINK_CONSTANT); at >= 0; at = bytes.indexOf(SHRINK_CONSTANT, at + 1))
    places.push(at)
  return places
}

function withoutShrinking(bytes: Buffer): Buffer {
  for (const at of findShrinking(bytes)) bytes.writeBigInt64LE(1n, at + VALUE_OFFSET)
  return bytes
}
