/** A form in which the weights of a model are stored, as `general.file_type` of its GGUF names it. */
export interface Quantization {
  readonly name: string
  /** llama.h's `llama_ftype`. */
  readonly fileType: number
  /** Does it need an importance matrix, without which the result would be of no use? */
  readonly needsImatrix: boolean
}

const PLAIN: readonly (readonly [name: string, fileType: number])[] = [
  ["F32", 0],
  ["F16", 1],
  ["BF16", 32],
  ["Q8_0", 7],
  ["Q6_K", 18],
  ["Q5_K_M", 17],
  ["Q5_K_S", 16],
  ["Q5_1", 9],
  ["Q5_0", 8],
  ["Q4_K_M", 15],
  ["Q4_K_S", 14],
  ["Q4_1", 3],
  ["Q4_0", 2],
  ["IQ4_NL", 25],
  ["IQ4_XS", 30],
  ["Q3_K_L", 13],
  ["Q3_K_M", 12],
  ["Q3_K_S", 11],
  ["Q2_K", 10],
  ["TQ2_0", 37],
  ["TQ1_0", 36],
  ["MXFP4", 38],
]

/** From most to fewest bits, as {@link PLAIN}. */
const WITH_IMATRIX: typeof PLAIN = [
  ["IQ3_M", 27],
  ["IQ3_S", 26],
  ["IQ3_XS", 22],
  ["IQ3_XXS", 23],
  ["Q2_K_S", 21],
  ["IQ2_M", 29],
  ["IQ2_S", 28],
  ["IQ2_XS", 20],
  ["IQ2_XXS", 19],
  ["IQ1_M", 31],
  ["IQ1_S", 24],
]

/** Everything that a model can be quantized to, from most to fewest bits per weight. */
export const QUANTIZATIONS: readonly Quantization[] = [
  ...PLAIN.map(([name, fileType]) => ({ name, fileType, needsImatrix: false })),
  ...WITH_IMATRIX.map(([name, fileType]) => ({ name, fileType, needsImatrix: true })),
]

/** Short names, as llama-quantize takes them. */
const ALIASES: Readonly<Record<string, string>> = {
  Q5_K: "Q5_K_M",
  Q4_K: "Q4_K_M",
  Q3_K: "Q3_K_M",
  MXFP4_MOE: "MXFP4",
}

/** The quantization of that name, in any case; undefined: there is none. */
export function findQuantization(name: string): Quantization | undefined {
  const upper = name.trim().toUpperCase()
  return QUANTIZATIONS.find((each) => each.name === (ALIASES[upper] ?? upper))
}

/** What one quantization reads and writes. */
export interface QuantizeJob {
  /** The model's GGUF; of a split one the first file. */
  readonly source: string
  /** The file to write, or with `keepSplit` the beginning of the files' names; nothing of that name exists. */
  readonly target: string
  readonly quantization: Quantization
  readonly threads: number
  readonly options: QuantizeOptions
}

/** llama-quantize's options. */
export interface QuantizeOptions {
  /** Quantize weights that are quantized already, which loses more than quantizing the original. */
  readonly allowRequantize: boolean
  /** All tensors get the type itself, none a better one. */
  readonly pure: boolean
  /** As many files as the source has. */
  readonly keepSplit: boolean
  /** Compute the sizes only, and write nothing. */
  readonly dryRun: boolean
  /** Numbers of ggml's tensor types. */
  readonly outputType?: number
  readonly embeddingType?: number
  /** The first regular expression that a tensor's name matches chooses its type. */
  readonly tensorTypes: readonly { readonly pattern: string; readonly type: number }[]
  /** The file of an importance matrix. */
  readonly imatrix?: string
}
