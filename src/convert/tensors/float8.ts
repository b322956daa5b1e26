import { toFloat32 } from "./floats"
import type { CheckpointTensor } from "../source/checkpoint"
import type { HfConfig } from "../source/config"
import { numberAt, recordAt, textAt, toRecord } from "../../lib/json"
import { elementsOf, fileBytes, fileValues, type TensorValues } from "./values"

/** A tensor of a checkpoint, widened if it was stored in 8 bits. */
export interface PlainTensor {
  readonly name: string
  readonly values: TensorValues
}

/** Rows and columns that share a scale; absent: one scale for each row, or for all. */
type Block = readonly [rows: number, columns: number] | undefined

/** How scales are named, and what they are for. */
interface Scaling {
  readonly ending: string
  readonly block: Block
}

/** Scales of inputs, which are not quantized here. */
const FOR_INPUTS = /\.(?:\w+_)?(?:activation|input)_scale$/

/**
 * How the weights of a configuration are quantized; `undefined` if they are not.
 * @throws the refusal for anything but numbers of 8 bits with scales
 */
function scalingOf(config: HfConfig, refuse: (method: string) => Error): Scaling | undefined {
  const given = config.record("quantization_config") ?? config.record("compression_config")
  if (given === undefined) return undefined
  const method = textAt(given, "quant_method") ?? "an unknown method"
  if (method === "fp8") return { ending: "_scale_inv", block: blockOf(given["weight_block_size"], config) }
  if (method !== "compressed-tensors") throw refuse(method)
  const format = textAt(given, "format")
  const groups = Object.values(recordAt(given, "config_groups") ?? {}).map(toRecord)
  const weights = recordAt(groups[0], "weights")
  const isKnown =
    (format === "float-quantized" || format === "naive-quantized") &&
    groups.length === 1 &&
    textAt(weights, "type") === "float" &&
    numberAt(weights, "num_bits") === 8
  if (!isKnown || weights === undefined) throw refuse(`${method}, ${String(format)}`)
  return { ending: "_scale", block: blockOf(weights["block_structure"], config) }
}

function blockOf(given: unknown, config: HfConfig): Block {
  if (given === undefined || given === null) return undefined
  const [rows, columns]: readonly unknown[] = Array.isArray(given) ? given : []
  const isSize = (size: unknown): size is number =>
    typeof size === "number" && Number.isInteger(size) && size > 0
  if (!isSize(rows) || !isSize(columns)) throw config.fail("the block size of its quantization is not known")
  return [rows, columns]
}

/**
 * The tensors of a checkpoint, those of 8 bits multiplied with their scales.
 * @param refuse makes the error for other kinds of quantization
 */
export function plainTensors(
  tensors: readonly CheckpointTensor[],
  config: HfConfig,
  refuse: (method: string) => Error,
): readonly PlainTensor[] {
  const scaling = scalingOf(config, refuse)
  if (scaling === undefined)
    return tensors.map((tensor) => ({ name: tensor.name, values: fileValues(tensor) }))
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  return tensors.flatMap((tensor) => {
    const { name, dtype } = tensor
    if (FOR_INPUTS.test(name)) return []
    if (name.endsWith(scaling.ending) && byName.has(name.slice(0, -scaling.ending.length))) return []
    const scales = byName.get(name + scaling.ending)
    if (scales === undefined) return { name, values: fileValues(tensor) }
    const table = TABLES[dtype]
    if (table === undefined) throw config.fail(`the tensor '${name}' of the type ${dtype} has scales`)
    return { name, values: scaled(tensor, fileValues(scales), table(), scaling.block, config) }
  })
}

/** The numbers of all bytes. */
const TABLES: Readonly<Record<string, () => Float32Array>> = {
  F8_E4M3: () => Float32Array.from({ length: 256 }, (_, byte) => e4m3(byte)),
  // The upper half of a 16-bit number.
  F8_E5M2: () =>
    toFloat32(new Uint8Array(Uint16Array.from({ length: 256 }, (_, byte) => byte << 8).buffer), "F16"),
}

/** Four bits for the exponent, and no infinities. */
function e4m3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1
  const exponent = (byte >> 3) & 15
  const fraction = byte & 7
  if (exponent === 15 && fraction === 7) return Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10))
}

function scaled(
  tensor: CheckpointTensor,
  scales: TensorValues,
  table: Float32Array,
  block: Block,
  config: HfConfig,
): TensorValues {
  const { shape, name } = tensor
  const rows = shape.length > 1 ? (shape.at(-2) ?? 1) : 1
  const columns = shape.at(-1) ?? 1
  const matrices = elementsOf(shape) / Math.max(1, rows * columns)
  const count = elementsOf(scales.shape)
  const [down, across] = block ?? [1, columns]
  const [high, wide] = [Math.ceil(rows / down), Math.ceil(columns / across)]
  const isPerMatrix = count === matrices
  if (!isPerMatrix && count !== matrices * high * wide)
    throw config.fail(`the tensor '${name}' of ${shape.join(" × ")} has ${count} scales`)
  let read: Promise<Float32Array> | undefined
  const numbers = async () => toFloat32(await scales.read(0, count), scales.type)
  return {
    type: "F32",
    shape,
    grain: 1,
    async read(start, length) {
      const [bytes, factors] = await Promise.all([fileBytes(tensor, 1, start, length), (read ??= numbers())])
      const out = new Float32Array(length)
      for (let at = 0; at < length;) {
        const column = (start + at) % columns
        const row = (start + at - column) / columns
        const matrix = Math.floor(row / rows)
        const line = (matrix * high + Math.floor((row % rows) / down)) * wide
        const factor = factors[isPerMatrix ? matrix : line + Math.floor(column / across)] ?? 0
        const end = Math.min(length, at + Math.min(across - (column % across), columns - column))
        for (; at < end; at++) out[at] = (table[bytes[at] ?? 0] ?? 0) * factor
      }
      return new Uint8Array(out.buffer)
    },
  }
}
