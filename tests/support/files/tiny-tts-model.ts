import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodeOnnx } from "./onnx-writer"

/** The characters of tiny voices and tiny asr models; each is one tone. */
export const TONE_CHARACTERS = [..." abcdefghijklmnopqrstuvwxyz'"]

/** Hertz. */
export const TONE_SAMPLE_RATE = 16_000
/** Samples per character at speed 1. */
export const SAMPLES_PER_CHARACTER = 2560

/** Known characters without sound; some end a sentence. */
const SILENT = [..."_.,!?:"]
const LOUDNESS = 0.4

/** Tones lie in the middle of the bands of asr models' mel filter: 80 bands from 20 Hz to 7600 Hz. */
const BANDS = { count: 80, from: 20, to: TONE_SAMPLE_RATE / 2 - 400 }
const FIRST_BAND = 20

/** The index, from 0, of the band of a character's tone. */
export function bandOf(character: string): number {
  return FIRST_BAND + 2 * TONE_CHARACTERS.indexOf(character)
}

/** In hertz; 0 for silent characters. */
export function frequencyOf(character: string): number {
  if (!TONE_CHARACTERS.includes(character)) return 0
  const [low, high] = [toMel(BANDS.from), toMel(BANDS.to)]
  const width = (high - low) / (BANDS.count + 1)
  return fromMel(low + (bandOf(character) + 1) * width)
}

function toMel(frequency: number): number {
  return 1127 * Math.log(1 + frequency / 700)
}

function fromMel(mel: number): number {
  return 700 * (Math.exp(mel / 1127) - 1)
}

export const TINY_TTS_MODEL_METADATA: Readonly<Record<string, string | number>> = {
  model_type: "vits",
  comment: "tones",
  language: "English",
  voice: "en",
  sample_rate: TONE_SAMPLE_RATE,
  n_speakers: 4,
  add_blank: 0,
  use_eos_bos: 0,
  frontend: "characters",
}

const characters = [...SILENT.slice(0, 1), ...TONE_CHARACTERS, ...SILENT.slice(1)]

/** The number of tokens in its graph; others make ONNX Runtime fail and the engine hang. */
export const TINY_TTS_MODEL_SIZE = characters.length

/** Its token table. */
export const TINY_TTS_MODEL_TOKENS = characters.map((character, id) => `${character} ${id}\n`).join("")

export interface TinyTtsModelOptions {
  /** Replaces all of its metadata. */
  readonly metadata?: Readonly<Record<string, string | number>>
  readonly tokens?: string
  /** Use the inputs of Piper's graphs (scales in one vector, then a speaker) instead of those of other VITS? */
  readonly piperInputs?: boolean
}

/** A voice with four speakers that does not need espeak-ng: writes model.onnx and tokens.txt to `folder`. */
export function writeTinyTtsModel(folder: string, options: TinyTtsModelOptions = {}): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "model.onnx"), encodeTinyTtsModel(options))
  writeFileSync(join(folder, "tokens.txt"), options.tokens ?? TINY_TTS_MODEL_TOKENS)
}

/**
 * A VITS graph that outputs for every token the tone of its character, swelling and fading. The noise inputs have no
 * effect, so the sound is reproducible.
 */
export function encodeTinyTtsModel({
  metadata = TINY_TTS_MODEL_METADATA,
  piperInputs = false,
}: TinyTtsModelOptions = {}): Uint8Array {
  const scalar = { type: "float", shape: [1] } as const
  const separate = [
    { name: "noise_scale", ...scalar },
    { name: "length_scale", ...scalar },
    { name: "noise_scale_w", ...scalar },
  ]
  const tokens = piperInputs ? "input" : "x"
  const length = piperInputs ? "input_lengths" : "x_length"
  return encodeOnnx({
    metadata,
    constants: [
      { name: "frequencies", type: "float", shape: [characters.length], values: characters.map(frequencyOf) },
      {
        name: "loudness",
        type: "float",
        shape: [characters.length],
        values: characters.map((character) => (frequencyOf(character) > 0 ? LOUDNESS : 0)),
      },
      { name: "samples", type: "float", shape: [1], values: [SAMPLES_PER_CHARACTER] },
      { name: "radians", type: "float", shape: [], values: [(2 * Math.PI) / TONE_SAMPLE_RATE] },
      { name: "half", type: "float", shape: [], values: [0.5] },
      { name: "pi", type: "float", shape: [], values: [Math.PI] },
      { name: "nothing", type: "float", shape: [], values: [0] },
      { name: "zero", type: "int64", shape: [], values: [0] },
      { name: "one", type: "int64", shape: [], values: [1] },
      { name: "first", type: "int64", shape: [1], values: [0] },
      { name: "second", type: "int64", shape: [1], values: [1] },
      { name: "third", type: "int64", shape: [1], values: [2] },
      { name: "flat", type: "int64", shape: [3], values: [1, 1, -1] },
    ],
    nodes: [
      ...(piperInputs
        ? [
            node("Slice", ["scales", "second", "third", "first"], "length_scale"),
            node("ReduceSum", ["scales", "first"], "noises"),
          ]
        : [node("Add", ["noise_scale", "noise_scale_w"], "noises")]),
      node("Mul", ["samples", "length_scale"], "length"),
      node("Cast", ["length"], "length as integer", { to: 7 }),
      node("Squeeze", ["length as integer", "first"], "count"),
      node("Range", ["zero", "count", "one"], "indices"),
      node("Cast", ["indices"], "times", { to: 1 }),
      node("Mul", ["times", "radians"], "angles"),
      // An envelope that ends halfway, so that tones do not touch.
      node("Mul", ["length", "half"], "sounding"),
      node("Mul", ["times", "pi"], "turns"),
      node("Div", ["turns", "sounding"], "progress"),
      node("Sin", ["progress"], "swell"),
      node("Relu", ["swell"], "envelope"),
      node("Gather", ["frequencies", tokens], "tones", { axis: 0 }),
      node("Unsqueeze", ["tones", "third"], "tones by time"),
      node("Mul", ["tones by time", "angles"], "phases"),
      node("Sin", ["phases"], "waves"),
      node("Gather", ["loudness", tokens], "levels", { axis: 0 }),
      node("Unsqueeze", ["levels", "third"], "levels by time"),
      node("Mul", ["waves", "levels by time"], "loud waves"),
      node("Mul", ["loud waves", "envelope"], "sound"),
      // Every input must be used, or ONNX Runtime removes it.
      node("Cast", [length], "input length", { to: 1 }),
      node("Cast", ["sid"], "speaker", { to: 1 }),
      node("Add", ["noises", "input length"], "unused 1"),
      node("Add", ["unused 1", "speaker"], "unused 2"),
      node("Mul", ["unused 2", "nothing"], "silence"),
      node("Add", ["sound", "silence"], "mixed"),
      node("Reshape", ["mixed", "flat"], "y"),
    ],
    inputs: [
      { name: tokens, type: "int64", shape: [1, "L"] },
      { name: length, type: "int64", shape: [1] },
      ...(piperInputs ? [{ name: "scales", type: "float", shape: [3] } as const] : separate),
      { name: "sid", type: "int64", shape: [1] },
    ],
    outputs: [{ name: "y", type: "float", shape: [1, 1, "T"] }],
  })
}

function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, number>> = {},
) {
  return { operator, inputs, outputs: [output], attributes }
}
