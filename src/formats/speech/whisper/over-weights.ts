import { InvalidModelFile } from "../../../errors/model"
import type { ModelFolderFile } from "../../model-folder"
import type { AsrModel, AsrPlan } from "../asr-model"
import { baseName, field, folderOf, type SpeechFolder } from "../speech-folder"
import { readCt2Model } from "./ctranslate2"
import { ct2Weights } from "./ctranslate2-weights"
import { describeWhisper } from "./describe"
import { type AlignmentHead, whisperDecoder, whisperEncoder } from "./graphs"
import { huggingFaceWeights } from "./huggingface-weights"
import { int8Weights } from "./int8-weights"
import {
  isMultilingual,
  parseCt2Vocabulary,
  parseTokenizer,
  tokenMetadata,
  whisperLanguages,
  whisperTokenLines,
  type WhisperVocabulary,
} from "./vocabulary"
import { whisperSizes, type WhisperWeights } from "./weights"

/** The file with the weights in bytes. */
const INT8_FILE = "int8.bin"

/**
 * Whisper in the format of faster-whisper: CTranslate2's `model.bin`, a vocabulary and config.json. The
 * engine loads generated graphs that refer to these weights in place.
 */
export async function recognizeFasterWhisper(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const model = folder.matching(/^model\.bin$/)[0]
  if (model === undefined) return undefined
  const beside = neighbours(folder, model)
  const config = beside("config.json")
  const settings = config && (await folder.json(config))
  if (field(settings, "lang_ids") === undefined && field(settings, "alignment_heads") === undefined)
    return undefined
  const vocabulary = await readVocabulary(folder, model, [
    "vocabulary.txt",
    "vocabulary.json",
    "tokenizer.json",
  ])
  const source = await readCt2Weights(model)
  const heads = alignmentHeads(field(settings, "alignment_heads"), source)
  return await fromWeights(folder, source, { ...vocabulary, heads, linked: [model.path] })
}

/** Whisper as published by OpenAI: safetensors and a tokenizer.json in transformers' naming. */
export async function recognizeHuggingFaceWhisper(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const config = folder.matching(/^config\.json$/)[0]
  const settings = config && (await folder.json(config))
  if (config === undefined || field(settings, "model_type") !== "whisper") return undefined
  const beside = neighbours(folder, config)
  const whole = beside("model.safetensors")
  const inParts = folder.matching(/^model-\d+-of-\d+\.safetensors$/)
  const files = whole === undefined ? inParts : [whole]
  const first = files[0]
  if (first === undefined) return undefined
  const heads = field(settings, "encoder_attention_heads")
  if (typeof heads !== "number" || !Number.isInteger(heads) || heads < 1)
    throw new InvalidModelFile(config.path, "encoder_attention_heads is missing")
  const linked = files.map(({ path }) => path)
  const source = await huggingFaceWeights(linked, heads)
  const generation = beside("generation_config.json")
  const named = generation && field(await folder.json(generation), "alignment_heads")
  const vocabulary = await readVocabulary(folder, first, ["tokenizer.json"])
  return await fromWeights(folder, source, { ...vocabulary, heads: alignmentHeads(named, source), linked })
}

type Neighbours = (name: string) => ModelFolderFile | undefined

function neighbours(folder: SpeechFolder, { name }: ModelFolderFile): Neighbours {
  return (other) => folder.named(folderOf(name) + other)
}

/** The first existing file of these names beside the model. */
async function readVocabulary(
  folder: SpeechFolder,
  model: ModelFolderFile,
  names: readonly string[],
): Promise<Pick<Surroundings, "path" | "vocabulary">> {
  const beside = neighbours(folder, model)
  const file = names.map(beside).find((each) => each !== undefined)
  if (file === undefined) throw new InvalidModelFile(model.path, `${names.join(" or ")} is missing beside it`)
  const text = await folder.jsonText(file)
  const isTokenizer = baseName(file.name) === "tokenizer.json"
  const vocabulary = isTokenizer ? parseTokenizer(file.path, text) : parseCt2Vocabulary(file.path, text)
  return { path: file.path, vocabulary }
}

async function readCt2Weights({ path }: ModelFolderFile): Promise<WhisperWeights> {
  const model = await readCt2Model(path)
  if (model.spec !== "WhisperSpec")
    throw new InvalidModelFile(path, `it is not a Whisper model but a ${model.spec}`)
  return ct2Weights(path, model)
}

/** The parts of a Whisper besides its weights. */
interface Surroundings {
  /** Path of the vocabulary, for messages. */
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
): Promise<AsrModel> {
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
  const rounded = int8Weights(weights, linked, INT8_FILE)
  return await describeWhisper(
    folder,
    whisperLanguages(path, vocabulary),
    isMultilingual(vocabulary.length),
    {
      files: graphs(weights, metadata, heads),
      int8: {
        files: graphs(rounded.weights, metadata, heads),
        beside: [{ name: INT8_FILE, make: () => rounded.write() }],
      },
      tokens: { name: "tokens.txt", make: () => Promise.resolve(whisperTokenLines(path, vocabulary)) },
      linked,
      timed: true,
    },
  )
}

function graphs(
  weights: WhisperWeights,
  metadata: Readonly<Record<string, string | number>>,
  heads: readonly AlignmentHead[],
): AsrPlan["files"] {
  return {
    encoder: { name: "encoder.onnx", make: () => Promise.resolve(whisperEncoder(weights, metadata)) },
    decoder: { name: "decoder.onnx", make: () => Promise.resolve(whisperDecoder(weights, heads)) },
  }
}

/**
 * Pairs of layer and head, without those that the model lacks. If there are none: all heads of the upper half
 * of the layers, as in OpenAI's code.
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
