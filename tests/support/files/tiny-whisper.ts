import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** How a tiny Whisper's numbers are stored, as by CTranslate2's converters. */
export type Ct2Precision = "float32" | "float16" | "int8"

const STATE = 8
const HEADS = 2
const MELS = 80
const AUDIO_CONTEXT = 1500
const TEXT_CONTEXT = 448
const INNER = 16

const LANGUAGES = ["en", "zh", "de", "es", "ru", "ko", "fr", "ja"]

export interface TinyWhisperOptions {
  readonly precision?: Ct2Precision
  /** With several languages; otherwise English only. */
  readonly multilingual?: boolean
  /** The token that it always predicts. */
  readonly says?: string
  /** Replaces config.json's content. */
  readonly config?: object
  readonly vocabulary?: readonly string[]
  /** Frames for which the encoder has positions; it cannot compute longer audio. */
  readonly audioContext?: number
}

/** A Whisper with at least this many tokens is multilingual. */
const MULTILINGUAL_TOKENS = 51_865

function vocabularyOf(multilingual: boolean): string[] {
  const special = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    ...LANGUAGES.map((code) => `<|${code}|>`),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    ...Array.from({ length: 1501 }, (_, i) => `<|${(i / 50).toFixed(2)}|>`),
  ]
  const words = ["Ġ", "Ġhello", "Ġworld", "!", "Ã©"]
  const unused = (multilingual ? MULTILINGUAL_TOKENS : 2000) - special.length - words.length
  return [...words, ...Array.from({ length: unused }, (_, i) => `Ġw${i}`), ...special]
}

/**
 * A Whisper in faster-whisper's format whose layers change nothing: whatever the input, its last normalisation
 * outputs one vector, which is close only to the embedding of the token to predict.
 */
export function writeTinyWhisper(folder: string, options: TinyWhisperOptions = {}): void {
  const {
    precision = "float16",
    multilingual = false,
    says = "Ġhello",
    audioContext = AUDIO_CONTEXT,
  } = options
  const vocabulary = options.vocabulary ?? vocabularyOf(multilingual)
  const config = options.config ?? { alignment_heads: [[0, 1]], lang_ids: [1], suppress_ids: [] }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "model.bin"), encodeModel(vocabulary, says, precision, audioContext))
  writeFileSync(join(folder, "vocabulary.txt"), vocabulary.join("\n") + "\n")
  writeFileSync(join(folder, "config.json"), JSON.stringify(config))
}

function encodeModel(
  vocabulary: readonly string[],
  says: string,
  precision: Ct2Precision,
  audioContext: number,
): Buffer {
  const token = vocabulary.indexOf(says)
  const zeros = (length: number): number[] => Array<number>(length).fill(0)
  const ones = (length: number): number[] => Array<number>(length).fill(1)
  const variables: Buffer[] = []
  const number = (name: string, value: number): void => {
    variables.push(encodeVariable(name, [], 2, Buffer.from(Int16Array.of(value).buffer)))
  }
  const vector = (name: string, values: readonly number[]): void => {
    variables.push(
      encodeFloats(name, [values.length], values, precision === "float32" ? "float32" : "float16"),
    )
  }
  const matrix = (name: string, shape: readonly number[], values: readonly number[]): void => {
    const isQuantized = precision === "int8" && shape.length === 2
    if (!isQuantized) {
      variables.push(encodeFloats(name, shape, values, precision === "float32" ? "float32" : "float16"))
      return
    }
    const [rows = 0, columns = 0] = shape
    const scales = Array.from({ length: rows }, (_, row) => {
      const largest = Math.max(...values.slice(row * columns, (row + 1) * columns).map(Math.abs))
      return largest === 0 ? 1 : 127 / largest
    })
    const quantized = values.map((value, i) => Math.round(value * (scales[Math.floor(i / columns)] ?? 1)))
    variables.push(encodeVariable(name, shape, 1, Buffer.from(Int8Array.from(quantized).buffer)))
    variables.push(encodeFloats(`${name}_scale`, [rows], scales, "float32"))
  }
  const linear = (name: string, outputs: number, inputs: number): void => {
    matrix(`${name}/weight`, [outputs, inputs], zeros(outputs * inputs))
    vector(`${name}/bias`, zeros(outputs))
  }
  const norm = (name: string, gamma = ones(STATE), beta = zeros(STATE)): void => {
    vector(`${name}/gamma`, gamma)
    vector(`${name}/beta`, beta)
  }
  const feedForward = (name: string): void => {
    norm(`${name}/layer_norm`)
    linear(`${name}/linear_0`, INNER, STATE)
    linear(`${name}/linear_1`, STATE, INNER)
  }
  const selfAttention = (name: string): void => {
    norm(`${name}/layer_norm`)
    linear(`${name}/linear_0`, 3 * STATE, STATE)
    linear(`${name}/linear_1`, STATE, STATE)
  }
  number("encoder/num_heads", HEADS)
  matrix("encoder/conv1/weight", [STATE, MELS, 3], zeros(STATE * MELS * 3))
  vector("encoder/conv1/bias", zeros(STATE))
  matrix("encoder/conv2/weight", [STATE, STATE, 3], zeros(STATE * STATE * 3))
  vector("encoder/conv2/bias", zeros(STATE))
  variables.push(
    encodeFloats(
      "encoder/position_encodings/encodings",
      [audioContext, STATE],
      zeros(audioContext * STATE),
      "float32",
    ),
  )
  selfAttention("encoder/layer_0/self_attention")
  feedForward("encoder/layer_0/ffn")
  norm("encoder/layer_norm")
  const embeddings = vocabulary.flatMap((_, i) => (i === token ? ones(STATE) : zeros(STATE)))
  matrix("decoder/embeddings/weight", [vocabulary.length, STATE], embeddings)
  variables.push(
    encodeFloats(
      "decoder/position_encodings/encodings",
      [TEXT_CONTEXT, STATE],
      zeros(TEXT_CONTEXT * STATE),
      "float32",
    ),
  )
  selfAttention("decoder/layer_0/self_attention")
  norm("decoder/layer_0/attention/layer_norm")
  linear("decoder/layer_0/attention/linear_0", STATE, STATE)
  linear("decoder/layer_0/attention/linear_1", 2 * STATE, STATE)
  linear("decoder/layer_0/attention/linear_2", STATE, STATE)
  feedForward("decoder/layer_0/ffn")
  norm("decoder/layer_norm", zeros(STATE), ones(STATE))
  return Buffer.concat([
    integer(6, 4),
    text("WhisperSpec"),
    integer(3, 4),
    integer(variables.length, 4),
    ...variables,
    integer(1, 4),
    text("decoder/projection/weight"),
    text("decoder/embeddings/weight"),
  ])
}

function encodeFloats(
  name: string,
  shape: readonly number[],
  values: readonly number[],
  precision: "float32" | "float16",
): Buffer {
  const bytes = precision === "float32" ? Float32Array.from(values).buffer : Float16Array.from(values).buffer
  return encodeVariable(name, shape, precision === "float32" ? 0 : 4, Buffer.from(bytes))
}

function encodeVariable(name: string, shape: readonly number[], type: number, bytes: Buffer): Buffer {
  return Buffer.concat([
    text(name),
    integer(shape.length, 1),
    ...shape.map((dimension) => integer(dimension, 4)),
    integer(type, 1),
    integer(bytes.length, 4),
    bytes,
  ])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(`${value}\0`)
  return Buffer.concat([integer(bytes.length, 2), bytes])
}

function integer(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}

/** The same in Hugging Face's transformers format, for English: numbers in BF16, in two files. */
export function writeTinyHuggingFaceWhisper(folder: string, says = "Ġhello"): void {
  const vocabulary = vocabularyOf(false)
  mkdirSync(folder, { recursive: true })
  const tensors = Object.entries(huggingFaceTensors(vocabulary, says))
  const half = Math.ceil(tensors.length / 2)
  writeFileSync(join(folder, "model-00001-of-00002.safetensors"), encodeSafetensors(tensors.slice(0, half)))
  writeFileSync(join(folder, "model-00002-of-00002.safetensors"), encodeSafetensors(tensors.slice(half)))
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ model_type: "whisper", encoder_attention_heads: HEADS }),
  )
  const vocab = Object.fromEntries(vocabulary.map((token, number) => [token, number]))
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ model: { vocab }, added_tokens: [] }))
}

interface Numbers {
  readonly shape: readonly number[]
  /** Of all elements. */
  readonly value: number
  /** Fills this row with ones instead. */
  readonly oneRow?: number
}

function huggingFaceTensors(vocabulary: readonly string[], says: string): Record<string, Numbers> {
  const tensors: Record<string, Numbers> = {}
  const put = (name: string, shape: readonly number[], value = 0): void => {
    tensors[`model.${name}`] = { shape, value }
  }
  const linear = (name: string, outputs: number, inputs: readonly number[]): void => {
    put(`${name}.weight`, [outputs, ...inputs])
    if (!name.endsWith("k_proj")) put(`${name}.bias`, [outputs])
  }
  const norm = (name: string, gamma = 1, beta = 0): void => {
    put(`${name}.weight`, [STATE], gamma)
    put(`${name}.bias`, [STATE], beta)
  }
  linear("encoder.conv1", STATE, [MELS, 3])
  linear("encoder.conv2", STATE, [STATE, 3])
  put("encoder.embed_positions.weight", [AUDIO_CONTEXT, STATE])
  put("decoder.embed_positions.weight", [TEXT_CONTEXT, STATE])
  for (const [part, kinds] of [
    ["encoder", ["self_attn"]],
    ["decoder", ["self_attn", "encoder_attn"]],
  ] as const) {
    const layer = `${part}.layers.0`
    for (const kind of kinds) {
      norm(`${layer}.${kind}_layer_norm`)
      for (const name of ["q_proj", "k_proj", "v_proj", "out_proj"])
        linear(`${layer}.${kind}.${name}`, STATE, [STATE])
    }
    norm(`${layer}.final_layer_norm`)
    linear(`${layer}.fc1`, INNER, [STATE])
    linear(`${layer}.fc2`, STATE, [INNER])
  }
  norm("encoder.layer_norm")
  norm("decoder.layer_norm", 0, 1)
  const embeddings = { shape: [vocabulary.length, STATE], value: 0, oneRow: vocabulary.indexOf(says) }
  return { ...tensors, "model.decoder.embed_tokens.weight": embeddings }
}

function encodeSafetensors(tensors: readonly (readonly [name: string, numbers: Numbers])[]): Buffer {
  const header: Record<string, unknown> = {}
  const parts: Buffer[] = []
  let offset = 0
  for (const [name, { shape, value, oneRow }] of tensors) {
    const count = shape.reduce((product, dimension) => product * dimension, 1)
    const values = new Float32Array(count).fill(value)
    if (oneRow !== undefined) values.fill(1, oneRow * STATE, (oneRow + 1) * STATE)
    // BF16 is the upper half of a 32-bit float.
    const bytes = Buffer.from(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer)
    header[name] = { dtype: "BF16", shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
    parts.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  return Buffer.concat([integer(json.length, 4), integer(0, 4), json, ...parts])
}
