/** Numbers and names of the GGUF format, from ggml's `gguf.h`, `ggml.h` and llama.cpp's `llama.h`. */

export type GgufScalarType =
  "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "string" | "u64" | "i64" | "f64"

export type GgufScalar = string | number | bigint | boolean

/** An array in the metadata. `values` are kept for short arrays and those requested. */
export interface GgufArray {
  readonly elementType: GgufScalarType
  readonly length: number
  readonly values: readonly GgufScalar[] | undefined
}

export type GgufValue = GgufScalar | GgufArray

export interface GgufTensorInfo {
  readonly name: string
  /** The contiguous dimension first. */
  readonly shape: readonly number[]
  readonly type: GgufTensorType
  /** Offset from the start of the tensor data. */
  readonly offset: number
  readonly elements: number
  /** `undefined` for an unknown type. */
  readonly bytes: number | undefined
}

export interface GgufHeader {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  /** How the scalars are written; llama.cpp ends the process where one that it reads has another type. */
  readonly types: ReadonlyMap<string, GgufScalarType>
  readonly tensors: readonly GgufTensorInfo[]
  /** Offset of the tensor data in the file. */
  readonly dataOffset: number
}

export interface GgufTensorType {
  readonly name: string
  /** Elements per block and its size in bytes; zeros for an unknown type. */
  readonly blockElements: number
  readonly blockBytes: number
}

/** Scalar types by number, with their size in bytes; a string is preceded by its length. */
const SCALAR_TYPES: ReadonlyMap<number, { readonly type: GgufScalarType; readonly bytes: number }> = new Map([
  [0, { type: "u8", bytes: 1 }],
  [1, { type: "i8", bytes: 1 }],
  [2, { type: "u16", bytes: 2 }],
  [3, { type: "i16", bytes: 2 }],
  [4, { type: "u32", bytes: 4 }],
  [5, { type: "i32", bytes: 4 }],
  [6, { type: "f32", bytes: 4 }],
  [7, { type: "bool", bytes: 1 }],
  [8, { type: "string", bytes: 8 }],
  [10, { type: "u64", bytes: 8 }],
  [11, { type: "i64", bytes: 8 }],
  [12, { type: "f64", bytes: 8 }],
])

export const ARRAY_TYPE = 9

/** The number of a scalar type. */
export function scalarTypeId(type: GgufScalarType): number {
  for (const [id, entry] of SCALAR_TYPES) if (entry.type === type) return id
  throw new RangeError(`no number for the type ${type}`)
}

/** The type with that number and the minimum size of a value; `undefined` if there is none. */
export function scalarType(
  id: number,
): { readonly type: GgufScalarType; readonly bytes: number } | undefined {
  return SCALAR_TYPES.get(id)
}

/** Number, name, elements per block and bytes per block (`GGML_QUANT_SIZES` in gguf-py's constants). */
const TENSOR_TYPES: readonly (readonly [id: number, name: string, elements: number, bytes: number])[] = [
  [0, "F32", 1, 4],
  [1, "F16", 1, 2],
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 40],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  [24, "I8", 1, 1],
  [25, "I16", 1, 2],
  [26, "I32", 1, 4],
  [27, "I64", 1, 8],
  [28, "F64", 1, 8],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18],
  [42, "Q2_0", 64, 18],
]

const TENSOR_TYPE_BY_ID: ReadonlyMap<number, GgufTensorType> = new Map(
  TENSOR_TYPES.map(([id, name, blockElements, blockBytes]) => [id, { name, blockElements, blockBytes }]),
)

/** The tensor type with that number; an unknown number yields a type without sizes, named after it. */
export function tensorType(id: number): GgufTensorType {
  return TENSOR_TYPE_BY_ID.get(id) ?? { name: `type ${id}`, blockElements: 0, blockBytes: 0 }
}

/** The number of the tensor type with that name. @throws RangeError for an unknown name */
export function tensorTypeId(name: string): number {
  const found = TENSOR_TYPES.find((entry) => entry[1] === name)
  if (found === undefined) throw new RangeError(`no number for the tensor type ${name}`)
  return found[0]
}

/** `general.file_type` (llama.h's `llama_ftype`) as the names under which files are published. */
export const FILE_TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [3, "Q4_1"],
  [7, "Q8_0"],
  [8, "Q5_0"],
  [9, "Q5_1"],
  [10, "Q2_K"],
  [11, "Q3_K_S"],
  [12, "Q3_K_M"],
  [13, "Q3_K_L"],
  [14, "Q4_K_S"],
  [15, "Q4_K_M"],
  [16, "Q5_K_S"],
  [17, "Q5_K_M"],
  [18, "Q6_K"],
  [19, "IQ2_XXS"],
  [20, "IQ2_XS"],
  [21, "Q2_K_S"],
  [22, "IQ3_XS"],
  [23, "IQ3_XXS"],
  [24, "IQ1_S"],
  [25, "IQ4_NL"],
  [26, "IQ3_S"],
  [27, "IQ3_M"],
  [28, "IQ2_S"],
  [29, "IQ2_M"],
  [30, "IQ4_XS"],
  [31, "IQ1_M"],
  [32, "BF16"],
  [36, "TQ1_0"],
  [37, "TQ2_0"],
  [38, "MXFP4"],
  [39, "NVFP4"],
  [40, "Q1_0"],
  [41, "Q2_0"],
])
