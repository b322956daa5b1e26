import { readFileSync } from "node:fs"
import { join } from "node:path"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { type GgufTensor, writeGguf } from "../files/gguf-writer"
import { TensorMaker } from "../files/tiny-model"
import { REAL_MODEL_PATH } from "../real/real-model"
import { visionEntries } from "./tiny-projectors"

/** The colours that the eye names, as red, green and blue from 0 to 255. */
export const EYE_COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [255, 0, 0],
  green: [0, 255, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  white: [255, 255, 255],
  black: [0, 0, 0],
  pink: [255, 0, 255],
}

/** SmolLM2's embedding length. */
const MODEL_WIDTH = 576
const WIDTH = 32
const HIDDEN = 32
const FEED_FORWARD = 64
const PATCH = 14
const SIZE = 56
/** Makes a unit of the hidden layer all or nothing. */
const STEEPNESS = 20

/**
 * Writes a projector for the real small model with weights set by hand: the mean of a patch of the picture selects one
 * hidden unit per colour, whose output is the model's own embedding of the colour's name. 230 KB; a picture has 16 cells.
 */
export function writeEye(folder: string): string {
  const path = join(folder, "mmproj-eye.gguf")
  const embeddings = embeddingsOf(Object.keys(EYE_COLOURS))
  const signs = Object.values(EYE_COLOURS).map((colour) => colour.map((value) => (value > 127 ? 1 : -1)))
  // Of a hidden unit, how many of the three must be fully right for it to be active.
  const needed = 2
  const set = (name: string, shape: readonly number[], value: (index: number) => number): GgufTensor =>
    new TensorMaker(1, "f32").filled(name, shape, value)
  writeGguf(
    path,
    visionEntries({
      type: "mlp",
      size: SIZE,
      patch: PATCH,
      projection: MODEL_WIDTH,
      width: WIDTH,
      feedForward: FEED_FORWARD,
      heads: 1,
    }),
    [
      // The first three values of a patch are the means of its colours.
      set("v.patch_embd.weight", [PATCH, PATCH, 3, WIDTH], (index) => {
        const colour = Math.floor(index / PATCH ** 2) % 3
        return Math.floor(index / (3 * PATCH ** 2)) === colour ? PATCH ** -2 : 0
      }),
      set("v.position_embd.weight", [WIDTH, (SIZE / PATCH) ** 2], () => 0),
      ...[0, 1].flatMap((layer) => idleLayer(`v.blk.${layer}.`, set)),
      set("mm.0.weight", [WIDTH, HIDDEN], (index) => {
        return STEEPNESS * (signs[Math.floor(index / WIDTH)]?.[index % WIDTH] ?? 0)
      }),
      set("mm.0.bias", [HIDDEN], (unit) => (unit < signs.length ? -needed * STEEPNESS : 0)),
      set("mm.2.weight", [HIDDEN, MODEL_WIDTH], (index) => {
        return (embeddings[index % HIDDEN]?.[Math.floor(index / HIDDEN)] ?? 0) / STEEPNESS
      }),
      set("mm.2.bias", [MODEL_WIDTH], () => 0),
    ],
  )
  return path
}

/** A layer of the encoder that changes nothing. */
function idleLayer(
  prefix: string,
  set: (name: string, shape: readonly number[], value: (index: number) => number) => GgufTensor,
): GgufTensor[] {
  const zero = (name: string, shape: readonly number[]) => set(prefix + name, shape, () => 0)
  const one = (name: string) => set(prefix + name, [WIDTH], () => 1)
  return [
    ...["attn_q", "attn_k", "attn_v", "attn_out"].map((name) => zero(`${name}.weight`, [WIDTH, WIDTH])),
    one("ln1.weight"),
    zero("ln1.bias", [WIDTH]),
    one("ln2.weight"),
    zero("ln2.bias", [WIDTH]),
    zero("ffn_up.weight", [WIDTH, FEED_FORWARD]),
    zero("ffn_up.bias", [FEED_FORWARD]),
    zero("ffn_down.weight", [FEED_FORWARD, WIDTH]),
    zero("ffn_down.bias", [WIDTH]),
  ]
}

/** The real model's embeddings of words after a space. */
function embeddingsOf(words: readonly string[]): readonly Float32Array[] {
  const key = "tokenizer.ggml.tokens"
  const { metadata, tensors, dataOffset } = readGgufHeader(REAL_MODEL_PATH, { keepArrays: [key] })
  const tokens = metadata.get(key)
  const table = tensors.find(({ name }) => name === "token_embd.weight")
  if (typeof tokens !== "object" || table?.type.name !== "Q8_0")
    throw new Error(`${REAL_MODEL_PATH} is not the model that the eye was made for`)
  const file = readFileSync(REAL_MODEL_PATH)
  return words.map((word) => {
    const id = tokens.values?.indexOf(`\u0120${word}`) ?? -1
    if (id === -1) throw new Error(`'${word}' is not one token of the real model`)
    const rowBytes = (MODEL_WIDTH / Q8.elements) * Q8.bytes
    return readQ8(file.subarray(dataOffset + table.offset + id * rowBytes).subarray(0, rowBytes))
  })
}

/** ggml's Q8_0: blocks of a half-precision scale and signed bytes. */
const Q8 = { elements: 32, bytes: 34 }

function readQ8(row: Buffer): Float32Array {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  return Float32Array.from({ length: (row.byteLength / Q8.bytes) * Q8.elements }, (_, index) => {
    const block = Math.floor(index / Q8.elements) * Q8.bytes
    return view.getFloat16(block, true) * view.getInt8(block + 2 + (index % Q8.elements))
  })
}
