/** Values of an importance matrix for one tensor: the mean squares of what it is multiplied with. */
export interface TensorImportance {
  readonly name: string
  readonly values: Float32Array
}

/** An importance matrix, and what of it is noted in what is made with it. */
export interface Importance {
  readonly tensors: readonly TensorImportance[]
  readonly file: string
  readonly dataset?: string
  /** Pieces of text that it was made with. */
  readonly chunks?: number
}

/** A value of the metadata that the result gets. */
export interface MetadataOverride {
  readonly key: string
  readonly value:
    | { readonly type: "int"; readonly value: bigint }
    | { readonly type: "float"; readonly value: number }
    | { readonly type: "bool"; readonly value: boolean }
    | { readonly type: "str"; readonly value: string }
}

/** How llama.cpp quantizes; what is absent keeps its default. Types are numbers of its enumerations. */
export interface QuantizeOptions {
  readonly fileType: number
  readonly threads?: number
  readonly outputType?: number
  readonly embeddingType?: number
  /** Patterns of names, and types. */
  readonly tensorTypes?: readonly (readonly [pattern: string, type: number])[]
  readonly isPure?: boolean
  readonly mayRequantize?: boolean
  readonly leaveOutput?: boolean
  readonly keepSplit?: boolean
  readonly importance?: Importance
  readonly overrides?: readonly MetadataOverride[]
  /** Layers that are left out. */
  readonly pruneLayers?: readonly number[]
  /** Says what it would do, and writes nothing. */
  readonly dryRun?: boolean
  /** The rows of a tensor that are in memory at once. */
  readonly maxBufferBytes?: number
}

/** How an importance matrix is made. */
export interface ImportanceOptions {
  /** The file with the text. */
  readonly text: string
  /** Tokens that are evaluated together. */
  readonly chunkTokens: number
  /** Pieces of so many tokens are used at most. */
  readonly maxChunks?: number
  /** Absent: as many as there are cores. */
  readonly threads?: number
  /** Also for the output tensor. */
  readonly withOutput: boolean
  /** Recognize special tokens in the text. */
  readonly parseSpecial: boolean
  /** Absent: all. */
  readonly gpuLayers?: number
}
