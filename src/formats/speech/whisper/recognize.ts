import { InvalidModelFile } from "../../../errors"
import type { ModelFolderFile } from "../../model-folder"
import { findLicense } from "../license"
import { checkTokens, findTokens, preferQuantized, requireNumbers } from "../recognizer-checks"
import type { LanguageChoice, RecognizerModel, RecognizerPlan } from "../recognizer-model"
import { baseName, field, folderOf, type SpeechFolder } from "../speech-folder"
import { readCt2Model } from "./ctranslate2"
import { ct2Weights } from "./ctranslate2-weights"
import { type AlignmentHead, whisperDecoder, whisperEncoder } from "./graphs"
import {
  isMultilingual,
  parseCt2Vocabulary,
  parseTokenizer,
  tokenMetadata,
  whisperLanguages,
  whisperTokenLines,
  type WhisperVocabulary,
} from "./vocabulary"
import { type WhisperWeights, whisperSizes } from "./weights"

/** The engine reads no more than 29.5 s. */
const TIMED_WINDOW_SECONDS = 28
/** Without times a window is a segment: not too long a one. */
const UNTIMED_WINDOW_SECONDS = 16
/** After so many the engine stops, whatever follows. */
const TOKENS_PER_SECOND = 6

/** Without these in an encoder's metadata the engine ends its process. */
const NUMBERS = [
  ...["n_mels", "n_text_layer", "n_text_ctx", "n_text_state", "n_vocab", "sot", "eot", "blank_id"],
  ...["translate", "transcribe", "is_multilingual", "no_timestamps", "no_speech"],
]

const LANGUAGE: LanguageChoice = { how: "each-request", field: "language", taskField: "task" }

/** Whisper as sherpa-onnx publishes it: `NAME-encoder.onnx`, `NAME-decoder.onnx`, `NAME-tokens.txt`. */
export async function recognizeSherpaWhisper(folder: SpeechFolder): Promise<RecognizerModel | undefined> {
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
    throw new InvalidModelFile(encoder.path, "its metadata have no list of numbers for sot_sequence")
  const prefix = baseName(encoder.name).replace(/encoder.*$/i, "")
  const decoder = findDecoder(folder, encoder, prefix)
  const tokens = findTokens(folder, encoder, prefix)
  await checkTokens(folder, tokens, {})
  const hasAttention = (await folder.graph(decoder)).outputs.length > 3
  return await describe(folder, languages, isMultilingualGraph, {
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
    throw new InvalidModelFile(encoder.path, "its metadata name languages and their tokens that do not match")
  return codes
}

function findDecoder(folder: SpeechFolder, encoder: ModelFolderFile, prefix: string): ModelFolderFile {
  const start = `${folderOf(encoder.name)}${prefix}decoder`
  const decoder = preferQuantized(folder.graphs.filter(({ name }) => name.startsWith(start)))
  if (decoder === undefined)
    throw new InvalidModelFile(encoder.path, `its decoder, ${prefix}decoder.onnx, is missing beside it`)
  return decoder
}

/**
 * Whisper as faster-whisper uses it: `model.bin` of CTranslate2, a vocabulary and config.json. The engine gets graphs
 * that are written over the weights where they are.
 */
export async function recognizeFasterWhisper(folder: SpeechFolder): Promise<RecognizerModel | undefined> {
  const model = folder.matching(/^model\.bin$/)[0]
  if (model === undefined) return undefined
  const beside = (name: string): ModelFolderFile | undefined => folder.named(folderOf(model.name) + name)
  const config = beside("config.json")
  const settings = config && (await folder.json(config))
  if (field(settings, "lang_ids") === undefined && field(settings, "alignment_heads") === undefined)
    return undefined
  const vocabularyFile = beside("vocabulary.txt") ?? beside("vocabulary.json") ?? beside("tokenizer.json")
  if (vocabularyFile === undefined)
    throw new InvalidModelFile(
      model.path,
      "vocabulary.txt, vocabulary.json or tokenizer.json is missing beside it",
    )
  const text = await folder.text(vocabularyFile)
  const vocabulary =
    baseName(vocabularyFile.name) === "tokenizer.json"
      ? parseTokenizer(vocabularyFile.path, text)
      : parseCt2Vocabulary(vocabularyFile.path, text)
  const source = await readWeights(model)
  return await fromWeights(folder, source, {
    path: vocabularyFile.path,
    vocabulary,
    heads: alignmentHeads(field(settings, "alignment_heads"), source),
    linked: [model.path],
  })
}

async function readWeights({ path }: ModelFolderFile): Promise<WhisperWeights> {
  const model = await readCt2Model(path)
  if (model.spec !== "WhisperSpec") throw new InvalidModelFile(path, `it is no Whisper but a ${model.spec}`)
  return ct2Weights(path, model)
}

/** What beside the weights makes a Whisper. */
interface Surroundings {
  /** Of the vocabulary, for messages. */
  readonly path: string
  readonly vocabulary: WhisperVocabulary
  readonly heads: readonly AlignmentHead[]
  /** Files with the weights. */
  readonly linked: readonly string[]
}

async function fromWeights(
  folder: SpeechFolder,
  weights: WhisperWeights,
  { path, vocabulary, heads, linked }: Surroundings,
): Promise<RecognizerModel> {
  const sizes = whisperSizes(weights)
  if (vocabulary.length > sizes.vocabulary)
    throw new InvalidModelFile(
      path,
      `it has ${vocabulary.length} tokens, but the model has only ${sizes.vocabulary}`,
    )
  const metadata = {
    model_type: "whisper",
    n_mels: sizes.mels,
    n_audio_ctx: sizes.audioContext,
    n_audio_state: sizes.state,
    n_text_layer: weights.decoder.length,
    n_text_ctx: sizes.textContext,
    n_text_state: sizes.state,
    n_vocab: sizes.vocabulary,
    n_alignment_heads: heads.length,
    ...tokenMetadata(path, vocabulary),
  }
  return await describe(folder, whisperLanguages(path, vocabulary), isMultilingual(vocabulary.length), {
    files: {
      encoder: { name: "encoder.onnx", make: () => Promise.resolve(whisperEncoder(weights, metadata)) },
      decoder: { name: "decoder.onnx", make: () => Promise.resolve(whisperDecoder(weights, heads)) },
    },
    tokens: { name: "tokens.txt", make: () => Promise.resolve(whisperTokenLines(path, vocabulary)) },
    linked,
    timed: true,
  })
}

/**
 * Pairs of layer and head; those that the model does not have are left out. Where there are none: all heads of the
 * upper half of the layers, as OpenAI's own code does.
 */
function alignmentHeads(value: unknown, { heads, decoder }: WhisperWeights): AlignmentHead[] {
  const named = (Array.isArray(value) ? value : []).flatMap((pair: unknown): AlignmentHead[] => {
    const [layer, head]: unknown[] = Array.isArray(pair) ? pair : []
    if (typeof layer !== "number" || typeof head !== "number" || !Number.isInteger(head)) return []
    return decoder[layer] !== undefined && head >= 0 && head < heads ? [[layer, head]] : []
  })
  if (named.length > 0) return named
  const upper = decoder.map((_, layer) => layer).slice(Math.floor(decoder.length / 2))
  return upper.flatMap((layer) => Array.from({ length: heads }, (_, head): AlignmentHead => [layer, head]))
}

async function describe(
  folder: SpeechFolder,
  languages: readonly string[],
  isForManyLanguages: boolean,
  plan: Pick<RecognizerPlan, "files" | "tokens" | "linked" | "timed">,
): Promise<RecognizerModel> {
  return {
    kind: "recognizer",
    description: {
      kind: "recognizer",
      family: "whisper",
      languages,
      canTranslate: isForManyLanguages,
      capabilities: ["transcription"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      ...plan,
      family: "whisper",
      options: { task: "transcribe", enableTokenTimestamps: plan.timed ? 1 : 0 },
      language: isForManyLanguages ? LANGUAGE : { how: "none" },
      windowSeconds: plan.timed ? TIMED_WINDOW_SECONDS : UNTIMED_WINDOW_SECONDS,
      tokensPerSecond: TOKENS_PER_SECOND,
    },
  }
}
