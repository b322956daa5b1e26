import { InvalidModelFile } from "../../errors/model"
import type { SpeechFolder } from "./speech-folder"

interface Refusal {
  /** Patterns of file names, all of which must be present. */
  readonly files: readonly RegExp[]
  readonly reason: string
}

const REFUSALS: readonly Refusal[] = [
  {
    files: [/^lm_main.*\.onnx$/, /^lm_flow.*\.onnx$/, /^text_conditioner.*\.onnx$/],
    reason: "Pocket TTS speaks with the voice of a recording given with each request, which is not supported",
  },
  {
    files: [/^vector_estimator.*\.onnx$/, /^duration_predictor.*\.onnx$/],
    reason: "Supertonic is not supported; Piper, Kokoro, Matcha and Kitten are",
  },
  {
    files: [/^text_encoder.*\.onnx$/, /^fm_decoder.*\.onnx$/],
    reason: "ZipVoice speaks with the voice of a recording given with each request, which is not supported",
  },
]

/**
 * Rejects known voices that need input which requests cannot provide. @throws InvalidModelFile for such a
 * voice
 */
export function refuseCloningVoice(folder: SpeechFolder): Promise<undefined> {
  for (const { files, reason } of REFUSALS) {
    const found = files.map((pattern) => folder.matching(pattern)[0])
    const [first] = found
    if (first !== undefined && found.every((file) => file !== undefined))
      throw new InvalidModelFile(first.path, reason)
  }
  return Promise.resolve(undefined)
}
