import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import { checkTokens, findTokens, preferQuantized, requireNumberLists, requireNumbers } from "./asr-checks"
import type { AsrModel, AsrPlan, LanguageChoice } from "./asr-model"
import { findLicense } from "./license"
import { refuseStreaming } from "./single-graph-asr"
import { baseName, type SpeechFolder } from "./speech-folder"

const TRANSDUCER_WINDOW_SECONDS = 28
/** Models without times: each window becomes a segment and must be short. */
const UNTIMED_WINDOW_SECONDS = 16

const NEMO_TRANSDUCERS = ["EncDecRNNTBPEModel", "EncDecHybridRNNTCTCBPEModel"]
const CANARY_LANGUAGES = ["en", "es", "de", "fr"]
const CANARY_TOKENS = [
  "<|startofcontext|>",
  "<|startoftranscript|>",
  "<|emo:undefined|>",
  "<|pnc|>",
  "<|noitn|>",
  "<|notimestamp|>",
  "<|nodiarize|>",
  "<|endoftext|>",
  ...CANARY_LANGUAGES.map((code) => `<|${code}|>`),
]

/** Transducers: an encoder, a decoder and a joiner. @throws InvalidModelFile if it is an unusable one */
export async function recognizeTransducer(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const encoder = part(folder, "encoder")
  const decoder = part(folder, "decoder")
  const joiner = part(folder, "joiner")
  if (encoder === undefined || decoder === undefined || joiner === undefined) return undefined
  const graph = await folder.graph(encoder)
  refuseStreaming(encoder, graph)
  const isNemo = NEMO_TRANSDUCERS.includes(graph.metadata.get("model_type") ?? "")
  const tokens = findTokens(folder, encoder)
  if (isNemo) {
    requireNumbers(encoder, graph, ["vocab_size", "subsampling_factor", "pred_rnn_layers", "pred_hidden"])
    // The blank is not counted and comes last.
    const count = Number(graph.metadata.get("vocab_size")) + 1
    await checkTokens(folder, tokens, { count, exactCount: true, needed: [["<blk>"]] })
  } else {
    const decoderGraph = await folder.graph(decoder)
    requireNumbers(decoder, decoderGraph, ["vocab_size", "context_size"])
    await checkTokens(folder, tokens, { count: Number(decoderGraph.metadata.get("vocab_size")) })
  }
  return await describe(folder, "transducer", {
    family: "transducer",
    files: {
      encoder: { path: encoder.path },
      decoder: { path: decoder.path },
      joiner: { path: joiner.path },
    },
    modelType: isNemo ? "nemo_transducer" : "transducer",
    tokens: { path: tokens.path },
    timed: true,
    windowSeconds: TRANSDUCER_WINDOW_SECONDS,
  })
}

/** NeMo's Canary: an encoder and a decoder, for four languages. */
export async function recognizeCanary(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const pair = await pairOf(folder, (metadata) => metadata.get("model_type") === "EncDecMultiTaskModel")
  if (pair === undefined) return undefined
  const { encoder, decoder } = pair
  const graph = await folder.graph(encoder)
  requireNumbers(encoder, graph, ["vocab_size", "subsampling_factor", "feat_dim"])
  const tokens = findTokens(folder, encoder)
  const count = Number(graph.metadata.get("vocab_size"))
  await checkTokens(folder, tokens, {
    count,
    exactCount: true,
    needed: CANARY_TOKENS.map((token) => [token]),
  })
  const plan: PlanOf = {
    family: "canary",
    files: { encoder: { path: encoder.path }, decoder: { path: decoder.path } },
    options: { srcLang: "en", tgtLang: "en", usePnc: 1 },
    tokens: { path: tokens.path },
    language: { how: "each-request", field: "srcLang", targetField: "tgtLang" },
    timed: false,
    windowSeconds: UNTIMED_WINDOW_SECONDS,
  }
  return await describe(folder, "canary", plan, CANARY_LANGUAGES)
}

/** FireRedASR: an encoder with means and deviations in its metadata, and a decoder. */
export async function recognizeFireRed(folder: SpeechFolder): Promise<AsrModel | undefined> {
  const pair = await pairOf(
    folder,
    (metadata) => metadata.has("cmvn_mean") && metadata.has("num_decoder_layers"),
  )
  if (pair === undefined) return undefined
  const { encoder, decoder } = pair
  const graph = await folder.graph(encoder)
  requireNumbers(encoder, graph, ["num_decoder_layers", "num_head", "head_dim", "sos", "eos", "max_len"])
  requireNumberLists(encoder, graph, ["cmvn_mean", "cmvn_inv_stddev"])
  const tokens = findTokens(folder, encoder)
  await checkTokens(folder, tokens, {})
  return await describe(folder, "fire-red-asr", {
    family: "fireRedAsr",
    files: { encoder: { path: encoder.path }, decoder: { path: decoder.path } },
    tokens: { path: tokens.path },
    timed: false,
    windowSeconds: UNTIMED_WINDOW_SECONDS,
  })
}

interface Refusal {
  /** Patterns of file names, all of which must be present. */
  readonly files: readonly RegExp[]
  readonly what: string
}

const REFUSALS: readonly Refusal[] = [
  { files: [/^conv_frontend.*\.onnx$/i], what: "Qwen3-ASR" },
  { files: [/^encoder_adaptor.*\.onnx$/i, /^llm.*\.onnx$/i], what: "FunASR-Nano" },
]

/** Rejects ASR models that are known but not supported. @throws InvalidModelFile for such a model */
export function refuseUnsupportedAsr(folder: SpeechFolder): Promise<undefined> {
  for (const { files, what } of REFUSALS) {
    const found = files.map((pattern) => folder.matching(pattern)[0])
    const [first] = found
    if (first !== undefined && found.every((file) => file !== undefined))
      throw new InvalidModelFile(
        first.path,
        `${what} is not supported; Whisper, Moonshine and transducers are`,
      )
  }
  return Promise.resolve(undefined)
}

type PlanOf = Pick<AsrPlan, "family" | "files" | "tokens" | "timed" | "windowSeconds"> & {
  readonly modelType?: string
  readonly options?: AsrPlan["options"]
  readonly language?: LanguageChoice
}

async function describe(
  folder: SpeechFolder,
  name: string,
  plan: PlanOf,
  languages: readonly string[] = [],
): Promise<AsrModel> {
  const canTranslate = plan.language?.how === "each-request"
  return {
    kind: "asr",
    description: {
      kind: "asr",
      family: name,
      languages,
      canTranslate,
      capabilities: ["transcription"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: { options: {}, linked: [], language: { how: "none" }, ...plan },
  }
}

/** `encoder.onnx`, `encoder-epoch-99-avg-1.int8.onnx`, `tiny-encoder.onnx`, … */
function part(folder: SpeechFolder, name: string): ModelFolderFile | undefined {
  const pattern = new RegExp(`(^|[-_.])${name}([-_.]|$)`, "i")
  return preferQuantized(folder.graphs.filter((file) => pattern.test(baseName(file.name))))
}

async function pairOf(folder: SpeechFolder, isIt: (metadata: ReadonlyMap<string, string>) => boolean) {
  const encoder = part(folder, "encoder")
  const decoder = part(folder, "decoder")
  if (encoder === undefined || decoder === undefined) return undefined
  return isIt((await folder.graph(encoder)).metadata) ? { encoder, decoder } : undefined
}
