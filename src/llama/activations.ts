import { NativeLibraryError } from "../errors/engine"
import { Batch } from "./batch"
import type { Library, NativePointer } from "./library"
import type { Model } from "./model"
import { withParameters } from "./parameters"

/** What a tensor was multiplied with, while a model evaluated texts. */
export interface ActivationSums {
  /** The tensor's. */
  readonly name: string
  readonly columns: number
  /** The sums of the squares for each column of each of its matrices: experts, mostly. */
  readonly values: Float32Array
  /** How many rows there were, for each matrix or for all of them together. */
  readonly counts: Float32Array
}

export interface ActivationOptions {
  /** Tokens that are evaluated together. */
  readonly chunkTokens: number
  readonly threads: number
  /** Also of the output tensor. */
  readonly withOutput: boolean
}

/** Tokens computed at once. */
const MICRO_BATCH = 512

/** Evaluates texts with a model, and sums up what its tensors are multiplied with. Dispose it before the model. */
export class Activations implements Disposable {
  readonly #library: Library
  readonly #collection: NativePointer
  readonly #context: NativePointer
  readonly #batch: Batch

  /** @throws NativeLibraryError where there is no memory for its context */
  constructor(model: Model, { chunkTokens, threads, withOutput }: ActivationOptions) {
    const { library } = model
    this.#library = library
    const collection = library.shim.xllm_sums_new(Number(withOutput))
    if (collection === null) throw new NativeLibraryError(library.lastError())
    this.#collection = collection
    const parameters = {
      n_ctx: chunkTokens,
      n_batch: chunkTokens,
      n_ubatch: Math.min(chunkTokens, MICRO_BATCH),
      n_seq_max: 1,
      n_threads: threads,
      n_threads_batch: threads,
    }
    const context = withParameters(library, "context", parameters, (chosen) => {
      library.shim.xllm_sums_collect(collection, chosen)
      return library.shim.xllm_context_new(model.ptr, chosen)
    })
    if (context === null) {
      library.shim.xllm_sums_free(collection)
      throw new NativeLibraryError("the context could not be created; there may be too little memory for it")
    }
    this.#context = context
    this.#batch = new Batch(chunkTokens, 1)
  }

  /** Evaluates tokens as a text of their own, blocking. @throws NativeLibraryError */
  evaluate(tokens: Int32Array): void {
    const { llama, shim } = this.#library
    const memory = llama.llama_get_memory(this.#context)
    if (memory !== null) llama.llama_memory_clear(memory, true)
    const batch = this.#batch
    batch.clear()
    // The last layer computes only what leads to an output.
    for (const [index, token] of tokens.entries()) batch.add(token, index, 0, true)
    const { size, tokens: ids, positions, sequenceCounts, sequencePointers, outputs } = batch
    const result = shim.xllm_decode(
      this.#context,
      size,
      ids,
      positions,
      sequenceCounts,
      sequencePointers,
      outputs,
    )
    if (result !== 0) throw new NativeLibraryError(`llama.cpp could not evaluate the text (${result})`)
  }

  /** In the order of their names. @throws NativeLibraryError where there are numbers that are none */
  sums(): readonly ActivationSums[] {
    const { shim } = this.#library
    const found = Array.from({ length: shim.xllm_sums_size(this.#collection) }, (_, index) => {
      const name = shim.xllm_sums_name(this.#collection, index) ?? ""
      const shape = new BigUint64Array(3)
      shim.xllm_sums_shape(this.#collection, index, shape)
      const [columns = 0, matrices = 0, counted = 0] = [...shape].map(Number)
      const values = new Float32Array(columns * matrices)
      const counts = new Float32Array(counted)
      shim.xllm_sums_values(this.#collection, index, values)
      shim.xllm_sums_counts(this.#collection, index, counts)
      if (!values.every(Number.isFinite))
        throw new NativeLibraryError(`what the tensor '${name}' is multiplied with is not finite`)
      return { name, columns, values, counts }
    })
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  [Symbol.dispose](): void {
    this.#library.llama.llama_free(this.#context)
    this.#library.shim.xllm_sums_free(this.#collection)
  }
}
