import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import type { OnnxModel } from "../onnx/read"
import {
  BLANKS,
  checkTokens,
  findTokens,
  preferQuantized,
  requireNumberLists,
  requireNumbers,
  type TokenRules,
} from "./asr-checks"
import type { AsrModel, LanguageChoice } from "./asr-model"
import { findLicense } from "./license"
import type { SpeechFolder } from "./speech-folder"

/** A family of single-graph models. */
interface Family {
  /** In the model's details. */
  readonly name: string
  /** The family's name in sherpa-onnx's configuration, and its fields. */
  readonly config: string
  readonly isIt: (graph: OnnxModel) => boolean
  readonly numbers?: readonly string[]
  readonly lists?: readonly string[]
  /** Required tokens; CTC models need one of {@link BLANKS}. */
  readonly needed?: TokenRules["needed"]
  readonly languages?: readonly string[]
  readonly language?: LanguageChoice
  readonly options?: Readonly<Record<string, string | number>>
}

const hasType =
  (...types: string[]) =>
  ({ metadata }: OnnxModel): boolean =>
    types.includes(metadata.get("model_type") ?? "")

const hasKeys =
  (...keys: string[]) =>
  ({ metadata }: OnnxModel): boolean =>
    keys.every((key) => metadata.has(key))

const FEATURE_KEYS = ["vocab_size", "lfr_window_size", "lfr_window_shift"]
const SENSE_VOICE_LANGUAGES = ["zh", "en", "ja", "ko", "yue"]

/** In this order. Keys and types are those read by sherpa-onnx's loaders (csrc/offline-*-model.cc). */
const FAMILIES: readonly Family[] = [
  {
    name: "sense-voice",
    config: "senseVoice",
    isIt: (graph) => hasType("sense_voice_ctc")(graph) || hasKeys("lang_auto", "lfr_window_size")(graph),
    numbers: [
      ...FEATURE_KEYS,
      "normalize_samples",
      "with_itn",
      "without_itn",
      ...["auto", ...SENSE_VOICE_LANGUAGES].map((code) => `lang_${code}`),
    ],
    lists: ["neg_mean", "inv_stddev"],
    needed: [],
    languages: SENSE_VOICE_LANGUAGES,
    language: { how: "load", field: "language" },
    options: { language: "auto", useInverseTextNormalization: 1 },
  },
  {
    name: "paraformer",
    config: "paraformer",
    isIt: hasType("paraformer"),
    numbers: FEATURE_KEYS,
    lists: ["neg_mean", "inv_stddev"],
    needed: [["</s>"]],
  },
  { name: "zipformer-ctc", config: "zipformerCtc", isIt: hasType("zipformer2_ctc") },
  {
    name: "wenet-ctc",
    config: "wenetCtc",
    isIt: hasType("wenet_ctc"),
    numbers: ["vocab_size", "subsampling_factor"],
  },
  {
    name: "nemo-ctc",
    config: "nemoCtc",
    isIt: hasType("EncDecCTCModelBPE", "EncDecCTCModel", "EncDecHybridRNNTCTCBPEModel"),
    numbers: ["vocab_size", "subsampling_factor"],
  },
  { name: "telespeech-ctc", config: "teleSpeechCtc", isIt: hasType("telespeech_ctc") },
  { name: "medasr-ctc", config: "medasr", isIt: hasType("medasr_ctc") },
  { name: "omnilingual", config: "omnilingual", isIt: hasType("omnilingual-asr") },
  {
    name: "dolphin",
    config: "dolphin",
    isIt: hasKeys("vocab_size", "mean", "invstd"),
    numbers: ["vocab_size"],
    lists: ["mean", "invstd"],
  },
]

/** Its configuration is the path itself, not an object with a field. */
const PLAIN_PATH = "teleSpeechCtc"

/** In seconds. These models attend to the whole stretch, at quadratic cost. */
const WINDOW_SECONDS = 28

/**
 * A single-graph ASR model as published by sherpa-onnx.
 * @throws InvalidModelFile if something is missing without which the engine would abort, or if it is a
 * streaming model
 */
export async function recognizeSingleGraph(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const found = await findGraph(folder)
  if (found === undefined) return undefined
  const { file, graph, family } = found
  refuseStreaming(file, graph)
  requireNumbers(file, graph, family.numbers ?? [])
  requireNumberLists(file, graph, family.lists ?? [])
  const tokens = findTokens(folder, file)
  await checkTokens(folder, tokens, { needed: family.needed ?? [BLANKS] })
  return {
    kind: "asr",
    description: {
      kind: "asr",
      family: family.name,
      languages: family.languages ?? [],
      canTranslate: false,
      capabilities: ["transcription"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      family: family.config,
      files: { [family.config === PLAIN_PATH ? "" : "model"]: { path: file.path } },
      options: family.options ?? {},
      tokens: { path: tokens.path },
      linked: [],
      language: family.language ?? { how: "none" },
      timed: true,
      windowSeconds: WINDOW_SECONDS,
    },
  }
}

async function findGraph(folder: SpeechFolder) {
  for (const family of FAMILIES) {
    const files: ModelFolderFile[] = []
    for (const file of folder.graphs) if (family.isIt(await folder.graph(file))) files.push(file)
    const file = preferQuantized(files)
    if (file !== undefined) return { file, graph: await folder.graph(file), family }
  }
  return undefined
}

/** Does it have the keys or inputs of a streaming model, which keeps its state between chunks? */
export function isStreaming({ metadata, inputs }: OnnxModel): boolean {
  return (
    ["decode_chunk_len", "chunk_shift"].some((key) => metadata.has(key)) ||
    inputs.some(({ name }) => /cache/i.test(name))
  )
}

/** @throws InvalidModelFile if the graph is for streaming */
export function refuseStreaming(file: ModelFolderFile, graph: OnnxModel): void {
  if (isStreaming(graph))
    throw new InvalidModelFile(
      file.path,
      "it is a streaming speech-to-text model, made for live audio; use a non-streaming variant",
    )
}
