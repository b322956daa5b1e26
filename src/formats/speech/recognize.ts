import { InvalidModelFile } from "../../errors/model"
import type { ModelFolder } from "../model-folder"
import { describeOnnx } from "../onnx/read"
import type { AsrModel } from "./asr-model"
import { recognizeKokoro } from "./kokoro"
import { recognizeMoonshineV1, recognizeMoonshineV2 } from "./moonshine"
import { recognizePiper } from "./piper"
import { recognizePreparedTts } from "./prepared-tts"
import { refuseCloningVoice } from "./refused-voices"
import {
  recognizeCanary,
  recognizeFireRed,
  recognizeTransducer,
  refuseUnsupportedAsr,
} from "./several-graph-asr"
import { recognizeSingleGraph } from "./single-graph-asr"
import { SpeechFolder } from "./speech-folder"
import type { TtsModel } from "./tts-model"
import { recognizeFasterWhisper, recognizeHuggingFaceWhisper } from "./whisper/over-weights"
import { recognizeSherpaWhisper } from "./whisper/sherpa"

/** A TTS or ASR model. */
export type SpeechModel = TtsModel | AsrModel

type Rule = (folder: SpeechFolder) => Promise<SpeechModel | undefined>

/** In this order; the first that recognizes the files decides. */
const RULES: readonly Rule[] = [
  refuseCloningVoice,
  recognizePiper,
  recognizeKokoro,
  recognizePreparedTts,
  refuseUnsupportedAsr,
  recognizeFasterWhisper,
  recognizeHuggingFaceWhisper,
  recognizeSherpaWhisper,
  recognizeMoonshineV2,
  recognizeMoonshineV1,
  recognizeCanary,
  recognizeFireRed,
  recognizeTransducer,
  recognizeSingleGraph,
]

/** Inputs of auxiliary graphs that are not listed as models: voice activity detection. */
const HELPER_INPUTS = ["input", "state", "sr"]

/**
 * Recognizes a speech model from its files and their metadata, never by name. `undefined` if nothing in it is
 * speech.
 * @throws InvalidModelFile for a speech model that is unusable; for unknown graphs, with their inputs and
 * outputs
 */
export async function recognizeSpeech(folder: ModelFolder): Promise<SpeechModel | undefined> {
  const files = new SpeechFolder(folder)
  for (const rule of RULES) {
    const model = await rule(files)
    if (model !== undefined) return model
  }
  for (const file of files.graphs) {
    const graph = await files.graph(file)
    if (HELPER_INPUTS.every((name) => graph.inputs.some((input) => input.name === name))) continue
    throw new InvalidModelFile(
      file.path,
      `it is not a supported text-to-speech or speech-to-text model; ${describeOnnx(graph)}`,
    )
  }
  return undefined
}
