import { CannotConvert } from "../errors/convert"
import { tensorTypeId } from "../formats/gguf/types"
import { nearest } from "../lib/text/nearest"

/** A way to make weights smaller. */
export interface QuantizeType {
  /** As files are named after it. */
  readonly name: string
  /** llama.h's `llama_ftype`. */
  readonly fileType: number
  /** Cannot be had without an importance matrix. */
  readonly needsImportance?: boolean
}

const TYPES: readonly QuantizeType[] = [
  { name: "F32", fileType: 0 },
  { name: "F16", fileType: 1 },
  { name: "BF16", fileType: 32 },
  { name: "Q8_0", fileType: 7 },
  { name: "Q6_K", fileType: 18 },
  { name: "Q5_K_M", fileType: 17 },
  { name: "Q5_K_S", fileType: 16 },
  { name: "Q5_1", fileType: 9 },
  { name: "Q5_0", fileType: 8 },
  { name: "Q4_K_M", fileType: 15 },
  { name: "Q4_K_S", fileType: 14 },
  { name: "Q4_1", fileType: 3 },
  { name: "Q4_0", fileType: 2 },
  { name: "IQ4_NL", fileType: 25 },
  { name: "IQ4_XS", fileType: 30 },
  { name: "MXFP4", fileType: 38 },
  { name: "Q3_K_L", fileType: 13 },
  { name: "Q3_K_M", fileType: 12 },
  { name: "Q3_K_S", fileType: 11 },
  { name: "IQ3_M", fileType: 27, needsImportance: true },
  { name: "IQ3_S", fileType: 26, needsImportance: true },
  { name: "IQ3_XS", fileType: 22, needsImportance: true },
  { name: "IQ3_XXS", fileType: 23, needsImportance: true },
  { name: "Q2_K", fileType: 10 },
  { name: "Q2_K_S", fileType: 21, needsImportance: true },
  { name: "IQ2_M", fileType: 29, needsImportance: true },
  { name: "IQ2_S", fileType: 28, needsImportance: true },
  { name: "IQ2_XS", fileType: 20, needsImportance: true },
  { name: "IQ2_XXS", fileType: 19, needsImportance: true },
  { name: "IQ1_M", fileType: 31, needsImportance: true },
  { name: "IQ1_S", fileType: 24, needsImportance: true },
  { name: "TQ2_0", fileType: 37 },
  { name: "TQ1_0", fileType: 36 },
]

/** Other names of types. */
const ALIASES: Readonly<Record<string, string>> = {
  Q3_K: "Q3_K_M",
  Q4_K: "Q4_K_M",
  Q5_K: "Q5_K_M",
  MXFP4_MOE: "MXFP4",
  FP16: "F16",
  FP32: "F32",
}

export const DEFAULT_QUANTIZE_TYPE = "Q4_K_M"

/** Names of all types, the largest first. */
export function quantizeTypeNames(): readonly string[] {
  return TYPES.map(({ name }) => name)
}

/** The type with that name, in any letter case. @throws CannotConvert */
export function findQuantizeType(given: string): QuantizeType {
  const upper = given.trim().toUpperCase().replaceAll("-", "_")
  const name = Object.hasOwn(ALIASES, upper) ? ALIASES[upper] : upper
  const found = TYPES.find((type) => type.name === name)
  if (found !== undefined) return found
  const near = nearest(upper, quantizeTypeNames())
  const hint = near === undefined ? "" : `, did you mean ${near}?`
  throw new CannotConvert(
    "quantize",
    `there is no type '${given}'${hint} (there are ${quantizeTypeNames().join(", ")})`,
  )
}

/** The number of a tensor's type, such as `q8_0`, in any letter case. @throws CannotConvert */
export function tensorTypeNumber(given: string): number {
  try {
    return tensorTypeId(given.trim().toUpperCase())
  } catch {
    throw new CannotConvert(
      `type '${given}'`,
      "there is no such type of tensors; use one such as q8_0, q6_K or f16",
    )
  }
}
