import { type Pointer, toArrayBuffer } from "bun:ffi"
import { type Pooling, POOLINGS } from "../domain/embedding"
import { NativeLibraryError } from "../errors/engine"
import type { Batch } from "./batch"
import { type ContextSettings, contextParameters } from "./context"
import type { Library, NativePointer } from "./library"
import type { Model } from "./model"
import { withParameters } from "./parameters"

/** As the model's file says. */
const FROM_FILE = -1

export interface EmbeddingContextOptions extends ContextSettings {
  /** The maximum number of tokens per decode, of all texts together: they are computed at once. */
  readonly tokens: number
  /** The maximum number of texts per decode. */
  readonly sequences: number
  /** Undefined: as the model's file says. */
  readonly pooling: Pooling | undefined
  /** Tokens of a decode where texts are computed in parts and pooled by the caller; undefined: they are not. */
  readonly partTokens: number | undefined
  readonly threads: number
}

/** Buffers that turn texts into vectors, and that keep nothing between decodes. For use on a single thread. */
export class EmbeddingContext implements Disposable {
  readonly #library: Library
  #ptr: NativePointer | null
  /** The KV cache that decoders compute with; encoders have none. */
  readonly #memory: NativePointer | null
  readonly pooling: Pooling
  /** Numbers in a vector; 1 with rank pooling. */
  readonly width: number
  readonly tokens: number
  readonly sequences: number
  /** Is a text computed in parts, each token of which has a vector? */
  readonly isGradual: boolean

  private constructor(model: Model, options: EmbeddingContextOptions, ptr: NativePointer) {
    const { tokens, sequences, pooling, partTokens } = options
    const { library } = model
    this.#library = library
    this.#ptr = ptr
    this.#memory = library.llama.llama_get_memory(ptr)
    this.isGradual = partTokens !== undefined
    const own = POOLINGS[library.llama.llama_pooling_type(ptr)] ?? "none"
    this.pooling = this.isGradual ? (pooling ?? "none") : own
    this.width = this.pooling === "rank" ? 1 : model.vectorLength
    this.tokens = tokens
    this.sequences = sequences
  }

  /** @returns undefined if llama.cpp refuses (usually for lack of memory) and has logged why */
  static create(model: Model, options: EmbeddingContextOptions): EmbeddingContext | undefined {
    const { library } = model
    const { tokens, sequences, pooling, partTokens, threads } = options
    const pass = partTokens ?? tokens
    const type = partTokens === undefined ? pooling : "none"
    const parameters = {
      ...contextParameters(options),
      n_ctx: tokens,
      n_batch: pass,
      n_ubatch: pass,
      n_seq_max: sequences,
      n_outputs_max: pass,
      n_threads: threads,
      n_threads_batch: threads,
      kv_unified: 1,
      embeddings: 1,
      pooling_type: type === undefined ? FROM_FILE : POOLINGS.indexOf(type),
    }
    const ptr = withParameters(library, "context", parameters, (chosen) =>
      library.shim.xllm_context_new(model.ptr, chosen),
    )
    return ptr === null ? undefined : new EmbeddingContext(model, options, ptr)
  }

  setThreads(_decode: number, prefill: number): void {
    this.#library.llama.llama_set_n_threads(this.ptr, prefill, prefill)
  }

  /**
   * Computes texts, each a sequence. False if llama.cpp fails and has logged why.
   * @param forgets what earlier decodes computed; otherwise the texts go on
   */
  decode(batch: Batch, forgets: boolean): boolean {
    const { llama, shim } = this.#library
    if (this.#memory !== null && forgets) llama.llama_memory_clear(this.#memory, false)
    const { size, tokens, positions, sequenceCounts, sequencePointers, outputs } = batch
    return (
      shim.xllm_decode(this.ptr, size, tokens, positions, sequenceCounts, sequencePointers, outputs) === 0
    )
  }

  /** The vector of a text of the last decode: a view of llama.cpp's buffer, valid until the next one. */
  vector(sequence: number): Float32Array {
    return this.#view(
      this.#library.llama.llama_get_embeddings_seq(this.ptr, sequence),
      `sequence ${sequence}`,
    )
  }

  /** The same of the batch's token `index`, where texts are computed in parts. */
  tokenVector(index: number): Float32Array {
    return this.#view(this.#library.llama.llama_get_embeddings_ith(this.ptr, index), `token ${index}`)
  }

  #view(pointer: NativePointer | null, of: string): Float32Array {
    if (pointer === null) throw new NativeLibraryError(`${of} has no embedding`)
    return new Float32Array(toArrayBuffer(pointer as Pointer, 0, this.width * Float32Array.BYTES_PER_ELEMENT))
  }

  /** For `llama/` only. */
  get ptr(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the context is disposed")
    return this.#ptr
  }

  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#library.llama.llama_free(this.#ptr)
    this.#ptr = null
  }
}
