import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { encodeOnnx } from "./onnx-writer"
import { encodeTinyTtsModel, TINY_TTS_MODEL_SIZE } from "./tiny-tts-model"

/** Writes files below a folder: strings, bytes, or objects as JSON. */
export function writeFiles(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array | object>>,
): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    const isRaw = typeof content === "string" || content instanceof Uint8Array
    writeFileSync(path, isRaw ? content : JSON.stringify(content))
  }
}

/** A graph that computes nothing, with these input names and metadata. */
export function emptyGraph(
  inputs: readonly string[],
  metadata: Readonly<Record<string, string | number>> = {},
): Uint8Array {
  const port = (name: string) => ({ name, type: "float", shape: ["N"] }) as const
  return encodeOnnx({
    nodes: [],
    constants: [],
    inputs: inputs.map(port),
    outputs: [port("audio")],
    metadata,
  })
}

/** The letters of a tiny Piper voice, and the symbols that every such voice needs. */
const PIPER_SYMBOLS = [..."_^$ abcdefghijklmnopqrstuvwxyz.,!?ˈˌːæðŋɐɑɒɔəɚɛɜɡɪɹʃʊʌʒθᵻ"]

/** Their ids; some are shared, so that the graph covers all. */
export const TINY_PIPER_IDS: Readonly<Record<string, number>> = Object.fromEntries(
  PIPER_SYMBOLS.map((symbol, index) => [symbol, index % TINY_TTS_MODEL_SIZE]),
)

/** NAME.onnx.json of a Piper voice with two named speakers; fields can be replaced, or removed with `undefined`. */
export function piperConfig(fields: Readonly<Record<string, unknown>> = {}): object {
  return {
    audio: { sample_rate: 16_000 },
    espeak: { voice: "en-us" },
    inference: { noise_scale: 0.5, length_scale: 1.25, noise_w: 0.7 },
    phoneme_type: "espeak",
    phoneme_id_map: Object.fromEntries(Object.entries(TINY_PIPER_IDS).map(([symbol, id]) => [symbol, [id]])),
    num_speakers: 2,
    speaker_id_map: { anna: 0, ben: 1 },
    language: { code: "en_US", name_english: "English" },
    ...fields,
  }
}

/** A raw Piper voice as published by its authors: a graph without metadata, and its JSON. */
export function writePiperVoice(folder: string, fields: Readonly<Record<string, unknown>> = {}): void {
  writeFiles(folder, {
    "en_US-tiny-low.onnx": encodeTinyTtsModel({ metadata: {}, piperInputs: true }),
    "en_US-tiny-low.onnx.json": piperConfig(fields),
  })
}
