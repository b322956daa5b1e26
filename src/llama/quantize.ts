import { ptr } from "bun:ffi"
import type { Importance, MetadataOverride, QuantizeOptions } from "../domain/quantize"
import { cString, type Library } from "./library"
import { Model } from "./model"

/** `GGML_TYPE_COUNT`: no type was chosen. */
const NO_TYPE = 43
/** `struct llama_model_quantize_params`, and the offsets of its fields. */
const PARAMETERS_BYTES = 64
const OFFSET = {
  threads: 0,
  fileType: 4,
  outputType: 8,
  embeddingType: 12,
  mayRequantize: 16,
  quantizeOutput: 17,
  isPure: 19,
  keepSplit: 20,
  dryRun: 21,
  importance: 24,
  overrides: 32,
  tensorTypes: 40,
  pruneLayers: 48,
  maxBuffer: 56,
}
/** Ends a list of layers. */
const LAST_LAYER = -1

/**
 * Quantizes a model's file with llama.cpp, blocking; progress and faults are in its log. It ends the process on some
 * faults.
 * @returns whether it succeeded
 */
export function quantizeModel(
  library: Library,
  source: string,
  target: string,
  options: QuantizeOptions,
): boolean {
  /** Addresses that the structure has must stay valid during the call. */
  const kept: Uint8Array[] = []
  const pointer = (bytes: Uint8Array): bigint => {
    kept.push(bytes)
    return BigInt(ptr(bytes))
  }
  const bytes = new Uint8Array(PARAMETERS_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(OFFSET.threads, options.threads ?? 0, true)
  view.setInt32(OFFSET.fileType, options.fileType, true)
  view.setInt32(OFFSET.outputType, options.outputType ?? NO_TYPE, true)
  view.setInt32(OFFSET.embeddingType, options.embeddingType ?? NO_TYPE, true)
  const flag = (at: number, value: boolean) => view.setUint8(at, Number(value))
  flag(OFFSET.mayRequantize, options.mayRequantize === true)
  flag(OFFSET.quantizeOutput, options.leaveOutput !== true)
  flag(OFFSET.isPure, options.isPure === true)
  flag(OFFSET.keepSplit, options.keepSplit === true)
  flag(OFFSET.dryRun, options.dryRun === true)
  if (options.importance !== undefined)
    view.setBigUint64(OFFSET.importance, pointer(importanceTable(options.importance, pointer)), true)
  const overrides = [...(options.overrides ?? []), ...notesOf(options.importance)]
  if (overrides.length > 0) view.setBigUint64(OFFSET.overrides, pointer(overrideTable(overrides)), true)
  if (options.pruneLayers !== undefined && options.pruneLayers.length > 0) {
    const layers = Int32Array.from([...new Set(options.pruneLayers)].sort((a, b) => a - b))
    const table = Int32Array.from([...layers, LAST_LAYER])
    view.setBigUint64(OFFSET.pruneLayers, pointer(new Uint8Array(table.buffer)), true)
  }
  if (options.tensorTypes !== undefined && options.tensorTypes.length > 0)
    view.setBigUint64(OFFSET.tensorTypes, pointer(typeTable(options.tensorTypes, pointer)), true)
  view.setBigUint64(OFFSET.maxBuffer, BigInt(options.maxBufferBytes ?? 0), true)
  const result = library.llama.llama_model_quantize(cString(source), cString(target), bytes)
  return result === 0 && kept.length >= 0
}

/** Entries of a name, numbers and their count; the last one has no name. */
function importanceTable({ tensors }: Importance, pointer: (bytes: Uint8Array) => bigint): Uint8Array {
  const table = new DataView(new ArrayBuffer((tensors.length + 1) * 24))
  for (const [index, { name, values }] of tensors.entries()) {
    table.setBigUint64(index * 24, pointer(cString(name)), true)
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    table.setBigUint64(index * 24 + 8, pointer(bytes), true)
    table.setBigUint64(index * 24 + 16, BigInt(values.length), true)
  }
  return new Uint8Array(table.buffer)
}

/** What the result says about its importance matrix: keys of llama-quantize. */
function notesOf(importance: Importance | undefined): readonly MetadataOverride[] {
  if (importance === undefined) return []
  const { file, dataset, tensors, chunks } = importance
  const text = (key: string, value: string | undefined) =>
    value === undefined ? [] : [{ key: `quantize.imatrix.${key}`, value: { type: "str", value } as const }]
  const whole = (key: string, value: number | undefined) =>
    value === undefined
      ? []
      : [{ key: `quantize.imatrix.${key}`, value: { type: "int", value: BigInt(value) } as const }]
  return [
    ...text("file", file),
    ...text("dataset", dataset),
    ...whole("entries_count", tensors.length),
    ...whole("chunks_count", chunks),
  ]
}

/** `struct llama_model_kv_override`, and the offsets of its fields. */
const OVERRIDE = { bytes: 264, key: 4, value: 136, textBytes: 127 }
const OVERRIDE_TYPES = { int: 0, float: 1, bool: 2, str: 3 }

/** Entries of a key and a value; the last one has no key. */
function overrideTable(overrides: readonly MetadataOverride[]): Uint8Array {
  const bytes = Buffer.alloc((overrides.length + 1) * OVERRIDE.bytes)
  for (const [index, { key, value }] of overrides.entries()) {
    const start = index * OVERRIDE.bytes
    const at = start + OVERRIDE.value
    bytes.writeInt32LE(OVERRIDE_TYPES[value.type], start)
    bytes.write(key, start + OVERRIDE.key, OVERRIDE.textBytes)
    if (value.type === "str") bytes.write(value.value, at, OVERRIDE.textBytes)
    else if (value.type === "int") bytes.writeBigInt64LE(value.value, at)
    else if (value.type === "float") bytes.writeDoubleLE(value.value, at)
    else bytes.writeUInt8(Number(value.value), at)
  }
  return bytes
}

/** Entries of a pattern and a type; the last one has no pattern. */
function typeTable(
  types: NonNullable<QuantizeOptions["tensorTypes"]>,
  pointer: (bytes: Uint8Array) => bigint,
): Uint8Array {
  const table = new DataView(new ArrayBuffer((types.length + 1) * 16))
  for (const [index, [pattern, type]] of types.entries()) {
    table.setBigUint64(index * 16, pointer(cString(pattern)), true)
    table.setInt32(index * 16 + 8, type, true)
  }
  table.setInt32(types.length * 16 + 8, NO_TYPE, true)
  return new Uint8Array(table.buffer)
}

/** Does llama.cpp accept a model, its vocabulary and the shapes of its tensors? Reads no weights. */
export function isAccepted(library: Library, [path = "", ...others]: readonly string[]): boolean {
  using model = Model.describe(library, path, others)
  return model !== undefined
}
