import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import { KOKORO_VOCABULARY } from "./kokoro-vocabulary"
import { findLicense } from "./license"
import { isNpz, readNpz } from "./npz"
import { CHINESE, languageOfSpeaker } from "./speaker-language"
import { baseName, field, type SpeechFolder } from "./speech-folder"
import { formatTokens } from "./tokens"
import type { FilePart, TtsModel } from "./tts-model"

const SAMPLE_RATE = 24_000
/** Width of a style vector in the reference model. */
const STYLE_WIDTH = 256
const BYTES_PER_ROW = STYLE_WIDTH * Float32Array.BYTES_PER_ELEMENT

const DEFAULT_LANGUAGE = "en-us"

/** A speaker and its style vectors, one per text length. */
interface Style {
  readonly name: string
  readonly part: FilePart
  /** Size without headers, decompressed. */
  readonly bytes: number
}

/**
 * Kokoro in its usual distribution: a graph without metadata, style vectors in a file per speaker or in one
 * NumPy archive, and symbols in the configuration of a tokenizer or the model.
 * @throws InvalidModelFile if it is an unusable one
 */
export async function recognizeKokoro(folder: SpeechFolder): Promise<TtsModel | undefined> {
  const model = await findGraph(folder)
  if (model === undefined) return undefined
  const styles = withoutChinese(await readStyles(folder, model), model).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  const rows = rowsOf(styles, model)
  const names = styles.map(({ name }) => name)
  const speakerLanguages = names.map((name) => languageOfSpeaker(name) ?? DEFAULT_LANGUAGE)
  return {
    kind: "tts",
    description: {
      kind: "tts",
      family: "kokoro",
      sampleRate: SAMPLE_RATE,
      speakers: names,
      languages: [...new Set(speakerLanguages)],
      capabilities: ["speech"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      family: "kokoro",
      model: model.path,
      addedMetadata: {
        model_type: "kokoro",
        comment: "kokoro",
        language: "multi-lang",
        has_espeak: 1,
        sample_rate: SAMPLE_RATE,
        version: 2, // takes the language per request
        voice: DEFAULT_LANGUAGE,
        style_dim: `${rows},1,${STYLE_WIDTH}`,
        n_speakers: styles.length,
        speaker_names: names.join(","),
      },
      tokens: { content: formatTokens(await readVocabulary(folder)) },
      voices: { parts: styles.map(({ part }) => part) },
      lexicons: [],
      ruleFsts: [],
      ruleFars: [],
      espeak: { language: DEFAULT_LANGUAGE, speakerLanguages, ...folder.espeakData },
      lengthScale: 1,
    },
  }
}

/** Of several precisions the best, preferably full. */
async function findGraph(folder: SpeechFolder): Promise<ModelFolderFile | undefined> {
  const rank = ({ name }: ModelFolderFile) =>
    /fp16|f16/i.test(name) ? 1 : /quant|int8|q\d|uint8|bnb/i.test(name) ? 2 : 0
  const found: ModelFolderFile[] = []
  for (const file of folder.graphs) {
    const { inputs, metadata } = await folder.graph(file)
    const names = inputs.map(({ name }) => name)
    const takes = (name: string) => names.includes(name)
    if (
      (takes("tokens") || takes("input_ids")) &&
      takes("style") &&
      takes("speed") &&
      !metadata.has("style_dim")
    )
      found.push(file)
  }
  return found.toSorted((left, right) => rank(left) - rank(right))[0]
}

async function readStyles(folder: SpeechFolder, model: ModelFolderFile): Promise<Style[]> {
  for (const file of folder.matching(/\.(npz|bin)$/i)) {
    if (!(await isNpz(file.path))) continue
    return await readNpz(file.path)
  }
  const files = folder.files.filter(({ name }) => /(^|\/)voices\/[^/]+\.bin$/i.test(name))
  if (files.length === 0)
    throw new InvalidModelFile(
      model.path,
      "its voices are missing: voices/NAME.bin, or voices-v1.0.bin beside it",
    )
  return files.map(({ name, path, sizeBytes }) => ({
    name: baseName(name).replace(/\.bin$/i, ""),
    part: { path, start: 0, size: sizeBytes, skip: 0 },
    bytes: sizeBytes,
  }))
}

/** Chinese characters can only be spoken with a lexicon, which models in this form do not have. */
function withoutChinese(styles: readonly Style[], model: ModelFolderFile): readonly Style[] {
  const others = styles.filter(({ name }) => languageOfSpeaker(name) !== CHINESE)
  if (others.length > 0 || styles.length === 0) return others
  throw new InvalidModelFile(
    model.path,
    "all of its voices speak Chinese, which takes a lexicon; get sherpa-onnx's copy of Kokoro, which has one",
  )
}

/**
 * The number of style vectors per speaker. It must be the same for all, or the engine reads past the table's
 * end.
 */
function rowsOf(styles: readonly Style[], model: ModelFolderFile): number {
  const [first] = styles
  if (first === undefined) throw new InvalidModelFile(model.path, "it has no voices")
  const odd = styles.find(({ bytes }) => bytes !== first.bytes || bytes === 0 || bytes % BYTES_PER_ROW !== 0)
  if (odd !== undefined)
    throw new InvalidModelFile(
      odd.part.path,
      `the voice '${odd.name}' has ${odd.bytes} bytes of style vectors, but '${first.name}' has ${first.bytes}`,
    )
  const bad = styles.find(({ name }) => name.includes(","))
  if (bad !== undefined)
    throw new InvalidModelFile(bad.part.path, `the voice's name '${bad.name}' has a comma in it`)
  return first.bytes / BYTES_PER_ROW
}

/** Single characters and their ids; the model's own if it has them. */
async function readVocabulary(folder: SpeechFolder): Promise<ReadonlyMap<string, number>> {
  for (const file of folder.matching(/^(tokenizer|config)\.json$/i)) {
    const json = await folder.json(file)
    const vocabulary = field(json, "vocab") ?? field(field(json, "model"), "vocab")
    const entries = Object.entries(vocabulary ?? {}).filter(
      (entry): entry is [string, number] => [...entry[0]].length === 1 && Number.isInteger(entry[1]),
    )
    // Id 0 is the padding, which the engine adds itself, not a sound.
    if (entries.length > 0) return new Map(entries.filter(([, id]) => id !== 0))
  }
  return KOKORO_VOCABULARY
}
