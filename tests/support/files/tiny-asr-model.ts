import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodeOnnx } from "./onnx-writer"
import { bandOf, TONE_CHARACTERS } from "./tiny-tts-model"

const BANDS = 80
/** Input frames of features (10 ms each) per output frame. */
const STRIDE = 4
/** The logarithm of a band's energy below which it counts as silent. */
const LEAST_ENERGY = -3
/** Log probabilities of the detected character and of all others. */
const HEARD = 0
const NOT_HEARD = -20

/** The token table: the blank, then the characters; the space is spelled as in SentencePiece. */
export const TINY_ASR_MODEL_TOKENS = ["<blk>", ...TONE_CHARACTERS.map((each) => (each === " " ? "▁" : each))]
  .map((token, id) => `${token} ${id}\n`)
  .join("")

export interface TinyAsrModelOptions {
  readonly metadata?: Readonly<Record<string, string | number>>
  readonly tokens?: string
}

/** A model that transcribes a tiny voice's output: writes model.onnx and tokens.txt to `folder`. */
export function writeTinyAsrModel(folder: string, options: TinyAsrModelOptions = {}): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "model.onnx"), encodeTinyAsrModel(options))
  writeFileSync(join(folder, "tokens.txt"), options.tokens ?? TINY_ASR_MODEL_TOKENS)
}

/**
 * A graph with the interface of Zipformer's CTC: for every fourth frame it outputs the loudest band's character, or
 * the blank if the frame is quiet.
 */
export function encodeTinyAsrModel({
  metadata = { model_type: "zipformer2_ctc" },
}: TinyAsrModelOptions = {}): Uint8Array {
  const tokens = TONE_CHARACTERS.length + 1
  const tokenOfBand = Array.from(
    { length: BANDS },
    (_, band) => TONE_CHARACTERS.findIndex((character) => Math.abs(bandOf(character) - band) <= 0.5) + 1,
  )
  return encodeOnnx({
    metadata,
    constants: [
      { name: "token of band", type: "int64", shape: [BANDS], values: tokenOfBand },
      { name: "start", type: "int64", shape: [1], values: [0] },
      { name: "end", type: "int64", shape: [1], values: [2 ** 31 - 1] },
      { name: "time", type: "int64", shape: [1], values: [1] },
      { name: "stride", type: "int64", shape: [1], values: [STRIDE] },
      { name: "least", type: "float", shape: [], values: [LEAST_ENERGY] },
      { name: "blank", type: "int64", shape: [], values: [0] },
      { name: "tokens", type: "int64", shape: [], values: [tokens] },
      { name: "logarithms", type: "float", shape: [2], values: [NOT_HEARD, HEARD] },
      { name: "rounding", type: "int64", shape: [], values: [STRIDE - 1] },
      { name: "divisor", type: "int64", shape: [], values: [STRIDE] },
    ],
    nodes: [
      { operator: "Slice", inputs: ["x", "start", "end", "time", "stride"], outputs: ["frames"] },
      {
        operator: "ReduceMax",
        inputs: ["frames"],
        outputs: ["energy"],
        attributes: { axes: [2], keepdims: 0 },
      },
      { operator: "ArgMax", inputs: ["frames"], outputs: ["band"], attributes: { axis: 2, keepdims: 0 } },
      { operator: "Greater", inputs: ["energy", "least"], outputs: ["is loud"] },
      {
        operator: "Gather",
        inputs: ["token of band", "band"],
        outputs: ["loudest"],
        attributes: { axis: 0 },
      },
      { operator: "Where", inputs: ["is loud", "loudest", "blank"], outputs: ["heard"] },
      {
        operator: "OneHot",
        inputs: ["heard", "tokens", "logarithms"],
        outputs: ["log_probs"],
        attributes: { axis: -1 },
      },
      { operator: "Add", inputs: ["x_lens", "rounding"], outputs: ["rounded"] },
      { operator: "Div", inputs: ["rounded", "divisor"], outputs: ["log_probs_len"] },
    ],
    inputs: [
      { name: "x", type: "float", shape: ["N", "T", BANDS] },
      { name: "x_lens", type: "int64", shape: ["N"] },
    ],
    outputs: [
      { name: "log_probs", type: "float", shape: ["N", "T2", tokens] },
      { name: "log_probs_len", type: "int64", shape: ["N"] },
    ],
  })
}
