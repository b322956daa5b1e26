import { ptr } from "bun:ffi"
import { NativeLibraryError } from "../errors/engine"
import type { QuantizeJob } from "../domain/quantization"
import { cString, type Library } from "./library"

/** Offsets in `llama_model_quantize_params`, whose size and defaults the shim checks. */
const AT = {
  threads: 0,
  fileType: 4,
  outputType: 8,
  embeddingType: 12,
  allowRequantize: 16,
  pure: 19,
  keepSplit: 20,
  dryRun: 21,
  imatrix: 24,
  tensorTypes: 40,
} as const
const PARAMETER_BYTES = 64

/** `llama_model_imatrix_data` and `llama_model_tensor_override`; a list of either ends with one of zeros. */
const IMATRIX_ENTRY_BYTES = 24
const OVERRIDE_BYTES = 16

/** Names of weights, and how much each of their columns matters; one row for each expert. */
export type ImportanceMatrix = ReadonlyMap<string, Float32Array>

/**
 * Quantizes a model, which blocks until it is done, logs each tensor, and ends the process where a file is malformed in
 * ways that the library does not expect.
 * @returns false if llama.cpp refuses or fails, and has logged why
 * @throws NativeLibraryError if the library has another layout
 */
export function quantizeFile(
  library: Library,
  job: QuantizeJob,
  imatrix: ImportanceMatrix | undefined,
): boolean {
  const parameters = new Uint8Array(PARAMETER_BYTES)
  if (!library.shim.xllm_quantize_params(ptr(parameters))) throw new NativeLibraryError(library.lastError())
  const view = new DataView(parameters.buffer)
  const { options, quantization } = job
  // What the list points to must live until the call is over.
  const kept: Uint8Array[] = []
  const pointerTo = (bytes: Uint8Array): bigint => {
    kept.push(bytes)
    return BigInt(ptr(bytes))
  }
  view.setInt32(AT.threads, job.threads, true)
  view.setInt32(AT.fileType, quantization.fileType, true)
  if (options.outputType !== undefined) view.setInt32(AT.outputType, options.outputType, true)
  if (options.embeddingType !== undefined) view.setInt32(AT.embeddingType, options.embeddingType, true)
  view.setUint8(AT.allowRequantize, Number(options.allowRequantize))
  view.setUint8(AT.pure, Number(options.pure))
  view.setUint8(AT.keepSplit, Number(options.keepSplit))
  view.setUint8(AT.dryRun, Number(options.dryRun))
  if (imatrix !== undefined) view.setBigUint64(AT.imatrix, pointerTo(imatrixList(imatrix, pointerTo)), true)
  if (options.tensorTypes.length > 0)
    view.setBigUint64(AT.tensorTypes, pointerTo(overrideList(options.tensorTypes, pointerTo)), true)
  const status = library.llama.llama_model_quantize(cString(job.source), cString(job.target), ptr(parameters))
  return status === 0 && kept.length >= 0
}

type PointerTo = (bytes: Uint8Array) => bigint

function imatrixList(imatrix: ImportanceMatrix, pointerTo: PointerTo): Uint8Array {
  const list = new DataView(new ArrayBuffer((imatrix.size + 1) * IMATRIX_ENTRY_BYTES))
  for (const [index, [name, values]] of [...imatrix].entries()) {
    const at = index * IMATRIX_ENTRY_BYTES
    list.setBigUint64(at, pointerTo(cString(name)), true)
    list.setBigUint64(at + 8, pointerTo(bytesOf(values)), true)
    list.setBigUint64(at + 16, BigInt(values.length), true)
  }
  return new Uint8Array(list.buffer)
}

function overrideList(overrides: QuantizeJob["options"]["tensorTypes"], pointerTo: PointerTo): Uint8Array {
  const list = new DataView(new ArrayBuffer((overrides.length + 1) * OVERRIDE_BYTES))
  for (const [index, { pattern, type }] of overrides.entries()) {
    list.setBigUint64(index * OVERRIDE_BYTES, pointerTo(cString(pattern)), true)
    list.setInt32(index * OVERRIDE_BYTES + 8, type, true)
  }
  return new Uint8Array(list.buffer)
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
