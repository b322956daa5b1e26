import { InvalidModelFile } from "../../../errors/model"
import type { ModelFolderFile } from "../../model-folder"
import { checkTokens, findTokens, preferQuantized, requireNumbers } from "../asr-checks"
import type { AsrModel } from "../asr-model"
import { baseName, folderOf, type SpeechFolder } from "../speech-folder"
import { describeWhisper } from "./describe"

/** If one of these is missing from an encoder's metadata, the engine aborts its process. */
const NUMBERS = [
  ...["n_mels", "n_text_layer", "n_text_ctx", "n_text_state", "n_vocab", "sot", "eot", "blank_id"],
  ...["translate", "transcribe", "is_multilingual", "no_timestamps", "no_speech"],
]

/** Whisper as published by sherpa-onnx: `NAME-encoder.onnx`, `NAME-decoder.onnx`, `NAME-tokens.txt`. */
export async function recognizeSherpaWhisper(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const encoders: ModelFolderFile[] = []
  for (const file of folder.graphs)
    if ((await folder.graph(file)).metadata.get("model_type")?.startsWith("whisper")) encoders.push(file)
  const encoder = preferQuantized(encoders)
  if (encoder === undefined) return undefined
  const graph = await folder.graph(encoder)
  requireNumbers(encoder, graph, NUMBERS)
  const isMultilingualGraph = graph.metadata.get("is_multilingual") !== "0"
  const languages = isMultilingualGraph ? languageCodes(encoder, graph.metadata) : ["en"]
  if (!/^\d+(,\d+)*$/.test(graph.metadata.get("sot_sequence") ?? ""))
    throw new InvalidModelFile(encoder.path, "its metadata has no list of numbers for sot_sequence")
  const prefix = baseName(encoder.name).replace(/encoder.*$/i, "")
  const decoder = findDecoder(folder, encoder, prefix)
  const tokens = findTokens(folder, encoder, prefix)
  await checkTokens(folder, tokens, {})
  const hasAttention = (await folder.graph(decoder)).outputs.length > 3
  return await describeWhisper(folder, languages, isMultilingualGraph, {
    files: { encoder: { path: encoder.path }, decoder: { path: decoder.path } },
    tokens: { path: tokens.path },
    linked: [],
    timed: hasAttention,
  })
}

function languageCodes(encoder: ModelFolderFile, metadata: ReadonlyMap<string, string>): string[] {
  const codes = (metadata.get("all_language_codes") ?? "").split(",")
  const tokens = (metadata.get("all_language_tokens") ?? "").split(",")
  if (codes.length !== tokens.length || tokens.some((token) => !/^\d+$/.test(token)))
    throw new InvalidModelFile(encoder.path, "the languages and tokens in its metadata do not match")
  return codes
}

function findDecoder(folder: SpeechFolder, encoder: ModelFolderFile, prefix: string): ModelFolderFile {
  const start = `${folderOf(encoder.name)}${prefix}decoder`
  const decoder = preferQuantized(folder.graphs.filter(({ name }) => name.startsWith(start)))
  if (decoder === undefined)
    throw new InvalidModelFile(encoder.path, `its decoder, ${prefix}decoder.onnx, is missing beside it`)
  return decoder
}
