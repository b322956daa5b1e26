import { type Pointer, toArrayBuffer } from "bun:ffi"
import type { KvLayout, KvType, TextModelSettings } from "../domain/settings"
import { NativeLibraryError } from "../errors/engine"
import type { Batch } from "./batch"
import { decodeEmbeddings, type EmbeddingsSlice } from "./embeddings"
import type { Library, NativePointer } from "./library"
import type { Model } from "./model"
import { type Parameters, withParameters } from "./parameters"
import { fitState } from "./sequence-state"

export type ContextSettings = Pick<
  TextModelSettings,
  | "kvTypeK"
  | "kvTypeV"
  | "flashAttention"
  | "ropeScaling"
  | "ropeFreqBase"
  | "ropeFreqScale"
  | "yarnOriginalContext"
>

export interface ContextOptions extends ContextSettings {
  /** Cells of the whole KV cache; the split layout divides them equally among the sequences. */
  readonly cells: number
  readonly layout: KvLayout
  readonly sequences: number
  /** The maximum number of tokens per decode. */
  readonly batchTokens: number
  /** The maximum number of tokens computed at once; larger batches are divided. */
  readonly microBatchTokens: number
  /** The maximum number of tokens per decode with logits; at least `sequences`. */
  readonly outputs: number
  readonly decodeThreads: number
  readonly prefillThreads: number
}

/** `enum ggml_type` for the supported KV cache types. */
const KV_TYPES: Record<KvType, number> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q5_0: 6,
  q5_1: 7,
  q8_0: 8,
  bf16: 30,
}

/** `enum llama_flash_attn_type`. */
export const FLASH_ATTENTION = { auto: -1, off: 0, on: 1 } as const

/** `enum llama_rope_scaling_type`. */
const ROPE_SCALING = { file: -1, none: 0, linear: 1, yarn: 2 } as const

/** Of RoPE's numbers: as the model's file says. */
const FROM_FILE = 0

/** How long threads spin before they sleep (0 to 100); ggml's default. */
const POLL = 50

/**
 * What a state contains. `rolling`: only what changes as a whole with every token and cannot be cut back (the cells of
 * sliding windows, recurrent states); the other layers' cells keep the sequence's tokens.
 */
type StatePart = "whole" | "rolling"

/** `LLAMA_STATE_SEQ_FLAGS_NONE` and `_PARTIAL_ONLY`. */
const STATE_FLAGS: Record<StatePart, number> = { whole: 0, rolling: 1 }

/**
 * Result of `llama_decode`. `no-room`: nothing was changed. `failed`: the cache of the batch's sequences is
 * undefined.
 */
export type DecodeResult = "done" | "no-room" | "failed"

function parametersOf(options: ContextOptions): Parameters {
  return {
    ...contextParameters(options),
    n_ctx: options.cells,
    n_batch: options.batchTokens,
    n_ubatch: options.microBatchTokens,
    n_seq_max: options.sequences,
    n_outputs_max: options.outputs,
    n_threads: options.decodeThreads,
    n_threads_batch: options.prefillThreads,
    kv_unified: Number(options.layout === "unified"),
  }
}

/** Those that do not depend on the use of a context. */
export function contextParameters(options: ContextSettings): Parameters {
  return {
    flash_attn_type: FLASH_ATTENTION[options.flashAttention],
    rope_scaling_type: ROPE_SCALING[options.ropeScaling ?? "file"],
    rope_freq_base: options.ropeFreqBase ?? FROM_FILE,
    rope_freq_scale: options.ropeFreqScale ?? FROM_FILE,
    yarn_orig_ctx: options.yarnOriginalContext ?? FROM_FILE,
    type_k: KV_TYPES[options.kvTypeK],
    type_v: KV_TYPES[options.kvTypeV],
    swa_full: 0,
    offload_kqv: 1,
  }
}

/** Of a return code of `llama_decode`. */
function resultOf(code: number): DecodeResult {
  return code === 0 ? "done" : code === 1 ? "no-room" : "failed"
}

/** A context that a second thread is making. Take it or cancel it. */
export class PendingContext {
  readonly #library: Library
  readonly #make: (ptr: NativePointer) => Context
  #ptr: NativePointer | null

  /** For {@link Context.begin} only. */
  constructor(library: Library, ptr: NativePointer, make: (ptr: NativePointer) => Context) {
    this.#library = library
    this.#ptr = ptr
    this.#make = make
  }

  /** Has the thread ended? */
  get done(): boolean {
    return this.#ptr === null || this.#library.shim.xllm_context_done(this.#ptr) === 1
  }

  /**
   * Waits for the thread, and takes its context.
   * @returns undefined if llama.cpp refused it (usually for lack of memory) and has logged why
   */
  take(): Context | undefined {
    const made = this.#ptr === null ? null : this.#library.shim.xllm_context_take(this.#ptr)
    this.#ptr = null
    return made === null ? undefined : this.#make(made)
  }

  /** Gives the context up. The thread goes on to its end and frees it; the model must live until then. */
  cancel(): void {
    if (this.#ptr !== null) this.#library.shim.xllm_context_abandon(this.#ptr)
    this.#ptr = null
  }
}

/** The KV cache and compute buffers of one model. For use on a single thread. */
export class Context implements Disposable {
  readonly #library: Library
  readonly #memory: NativePointer
  readonly #vocabularySize: number
  readonly #inputLength: number
  readonly #microBatchTokens: number
  readonly #logits = new Map<NativePointer, Float32Array>()
  #ptr: NativePointer | null
  #pools: { polling?: NativePointer; sleeping?: NativePointer } = {}
  #threads = 0
  #polling = false
  readonly layout: KvLayout
  readonly sequences: number
  /** As rounded by llama.cpp. */
  readonly cells: number
  readonly cellsPerSequence: number

  private constructor(
    model: Model,
    { layout, sequences, microBatchTokens }: ContextOptions,
    ptr: NativePointer,
  ) {
    const { library } = model
    const memory = library.llama.llama_get_memory(ptr)
    if (memory === null) throw new NativeLibraryError("the context has no memory")
    this.#library = library
    this.#ptr = ptr
    this.#memory = memory
    this.#vocabularySize = model.vocabulary.size
    this.#inputLength = model.inputLength
    this.#microBatchTokens = microBatchTokens
    this.layout = layout
    this.sequences = sequences
    this.cells = library.llama.llama_n_ctx(ptr)
    this.cellsPerSequence = library.llama.llama_n_ctx_seq(ptr)
  }

  /** @returns undefined if llama.cpp refuses (usually for lack of memory) and has logged why */
  static create(model: Model, options: ContextOptions): Context | undefined {
    const { library } = model
    const ptr = withParameters(library, "context", parametersOf(options), (parameters) =>
      library.shim.xllm_context_new(model.ptr, parameters),
    )
    return ptr === null ? undefined : new Context(model, options, ptr)
  }

  /**
   * Begins to make a context on a second thread, while others of the same model compute.
   * @throws NativeLibraryError if there is no thread
   */
  static begin(model: Model, options: ContextOptions): PendingContext {
    const { library } = model
    const ptr = withParameters(library, "context", parametersOf(options), (parameters) =>
      library.shim.xllm_context_begin(model.ptr, parameters),
    )
    if (ptr === null) throw new NativeLibraryError(library.lastError())
    return new PendingContext(library, ptr, (made) => new Context(model, options, made))
  }

  /**
   * Gives the context its own thread pool, kept until it is disposed. Its threads spin while they wait for
   * the next operation; between steps only while polling is on (at first: `polls`), see {@link setPolling}.
   * @throws NativeLibraryError if the CPU backend has no thread pool
   */
  createThreads(threads: number, polls = true): void {
    this.#threads = threads
    this.#attach(polls)
  }

  /** Whether threads spin between steps (faster if no other process needs the cores) or sleep. */
  setPolling(on: boolean): void {
    if (on !== this.#polling && this.#threads > 0) this.#attach(on)
  }

  #attach(polling: boolean): void {
    const { shim } = this.#library
    const name = polling ? "polling" : "sleeping"
    const pool = this.#pools[name] ?? shim.xllm_threadpool_new(this.#threads, polling ? POLL : 0)
    if (pool === null) throw new NativeLibraryError(this.#library.lastError())
    this.#pools[name] = pool
    this.#polling = polling
    shim.xllm_threadpool_attach(this.ptr, pool, pool)
  }

  /**
   * Threads for steps of one token per sequence (`decode`) and of more (`prefill`); at most the size of the
   * pool.
   */
  setThreads(decode: number, prefill: number): void {
    this.#library.llama.llama_set_n_threads(this.ptr, decode, prefill)
  }

  decode(batch: Batch): DecodeResult {
    const { size, tokens, positions, sequenceCounts, sequencePointers, outputs } = batch
    const code = this.#library.shim.xllm_decode(
      this.ptr,
      size,
      tokens,
      positions,
      sequenceCounts,
      sequencePointers,
      outputs,
    )
    return resultOf(code)
  }

  /**
   * Decodes embeddings in place of tokens, in a step of their own.
   * @throws NativeLibraryError for a whole that is larger than a micro-batch, at which llama.cpp would end the process
   */
  decodeEmbeddings(slice: EmbeddingsSlice): DecodeResult {
    if (slice.isWhole && slice.count > this.#microBatchTokens)
      throw new NativeLibraryError(
        `${slice.count} embeddings cannot be computed at once: the context takes ${this.#microBatchTokens}`,
      )
    return resultOf(decodeEmbeddings(this.#library, this.ptr, this.#inputLength, slice))
  }

  /**
   * The logits of the batch's token `index`, which must have `output` set: one per token of the vocabulary. A
   * view of llama.cpp's buffer, valid until the next decode; samplers see what is written to it.
   */
  logits(index: number): Float32Array {
    const pointer = this.#library.llama.llama_get_logits_ith(this.ptr, index)
    if (pointer === null) throw new NativeLibraryError(`token ${index} of the batch has no logits`)
    const known = this.#logits.get(pointer)
    if (known !== undefined) return known
    // Rows keep their addresses until the output buffer grows; then old views would point to freed memory.
    if (this.#logits.size > 512) this.#logits.clear()
    const view = new Float32Array(
      toArrayBuffer(pointer as Pointer, 0, this.#vocabularySize * Float32Array.BYTES_PER_ELEMENT),
    )
    this.#logits.set(pointer, view)
    return view
  }

  /** Removes the tokens of `sequence` from position `from` on. False if this memory cannot remove a part. */
  truncate(sequence: number, from: number): boolean {
    return this.#library.llama.llama_memory_seq_rm(this.#memory, sequence, from, -1)
  }

  /** Removes the first `length` tokens of `sequence`; not in recurrent memories. */
  removeFirst(sequence: number, length: number): void {
    this.#library.llama.llama_memory_seq_rm(this.#memory, sequence, 0, length)
  }

  clear(sequence: number): void {
    this.#library.llama.llama_memory_seq_rm(this.#memory, sequence, -1, -1)
  }

  /** Empties all sequences and overwrites their cells. */
  wipe(): void {
    this.#library.llama.llama_memory_clear(this.#memory, true)
  }

  /** Unified layout only: shares the first `length` cells of `from` with `to`, without a copy. */
  shareCells(from: number, to: number, length: number): void {
    this.#library.llama.llama_memory_seq_cp(this.#memory, from, to, 0, length)
  }

  /** The first cached position: above 0 if a sliding window dropped earlier ones; -1 if none is cached. */
  firstPosition(sequence: number): number {
    return this.#library.llama.llama_memory_seq_pos_min(this.#memory, sequence)
  }

  /** The last position plus one; 0 for an empty sequence. */
  length(sequence: number): number {
    return this.#library.llama.llama_memory_seq_pos_max(this.#memory, sequence) + 1
  }

  /** The number of bytes that {@link save} returns. */
  stateSize(sequence: number, part: StatePart = "whole"): number {
    const { llama } = this.#library
    return Number(llama.llama_state_seq_get_size_ext(this.ptr, sequence, STATE_FLAGS[part]))
  }

  /** A copy of the cached state of `sequence`, for {@link restore}. */
  save(sequence: number, part: StatePart = "whole"): Uint8Array {
    const { llama } = this.#library
    const size = this.stateSize(sequence, part)
    const state = Buffer.allocUnsafeSlow(size)
    const written = llama.llama_state_seq_get_data_ext(this.ptr, state, size, sequence, STATE_FLAGS[part])
    return state.subarray(0, Number(written))
  }

  /**
   * Replaces the cached state of `sequence`, or that part of it, with one saved in any context of the same model with
   * the same KV types and flash attention, whatever its layout. Returns false if there is no room; the sequence is
   * then empty.
   */
  restore(sequence: number, state: Uint8Array, part: StatePart = "whole"): boolean {
    const { llama } = this.#library
    const streams = this.layout === "unified" ? 1 : this.sequences
    const fitted = fitState(state, streams, sequence)
    const flags = STATE_FLAGS[part]
    const read = llama.llama_state_seq_set_data_ext(this.ptr, fitted, fitted.length, sequence, flags)
    if (Number(read) === fitted.length) return true
    this.clear(sequence)
    return false
  }

  /** The number of bytes that {@link saveAll} returns. */
  get wholeStateSize(): number {
    return Number(this.#library.llama.llama_state_get_size(this.ptr))
  }

  /** A copy of all sequences, in which cells that they share stand once. */
  saveAll(): Uint8Array {
    const { llama } = this.#library
    const size = this.wholeStateSize
    const state = Buffer.allocUnsafeSlow(size)
    return state.subarray(0, Number(llama.llama_state_get_data(this.ptr, state, size)))
  }

  /**
   * Replaces all sequences with those of a context with the same layout, as many sequences (with the unified layout
   * at most as many) and no more cells. Holes between cells are closed. Returns false, with all sequences empty, if
   * llama.cpp refuses.
   */
  restoreAll(state: Uint8Array): boolean {
    const read = this.#library.llama.llama_state_set_data(this.ptr, state, state.length)
    if (Number(read) === state.length) return true
    this.wipe()
    return false
  }

  /** For `llama/` only. */
  get ptr(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the context is disposed")
    return this.#ptr
  }

  [Symbol.dispose](): void {
    if (this.#ptr === null) return
    this.#library.shim.xllm_threadpool_detach(this.#ptr)
    this.#library.llama.llama_free(this.#ptr)
    for (const pool of Object.values(this.#pools)) this.#library.shim.xllm_threadpool_free(pool)
    this.#pools = {}
    this.#ptr = null
  }
}
