import { dlopen, type Pointer, toArrayBuffer } from "bun:ffi"
import type { TextModelSettings } from "../domain/settings"
import { NativeLibraryError } from "../errors/engine"
import { FLASH_ATTENTION } from "./context"
import { cString, type Library, type NativePointer } from "./library"
import type { Model } from "./model"
import { mtmdSymbols } from "./symbols"

/** `MTMD_INPUT_CHUNK_TYPE_TEXT` */
const TEXT = 0

/** A picture's pixels (three bytes each) or a sound's samples; without them: their number only. */
export type MediaContent =
  | { readonly width: number; readonly height: number; readonly rgb?: Uint8Array }
  | { readonly samples: number; readonly pcm?: Float32Array }

/** What stands for a picture or a sound in a prompt: the model's own tokens around it, and runs of embeddings. */
export type MediaChunk = Int32Array | { readonly cells: number; readonly positions: number }

/** A run of embeddings. */
export interface EncodedChunk {
  readonly embeddings: Float32Array
  /** The positions of its cells if its first is at 0, and if it is at 1; all others follow. */
  readonly atZero: Int32Array
  readonly atOne: Int32Array
}

export interface MtmdOptions {
  /** The name of the device that it is computed on; undefined: CPUs. */
  readonly device: string | undefined
  readonly threads: number
  readonly flashAttention: TextModelSettings["flashAttention"]
  /** The most tokens of a picture, for models that take pictures of any size. */
  readonly mostTokens: number
}

/** A loaded projector, for another thread of this process: plain data. */
export interface SharedMtmd {
  readonly context: NativePointer
  readonly width: number
}

/** libmtmd, with a projector loaded for a model. Dispose it before the model. */
export class Mtmd implements Disposable {
  readonly #library: Library
  readonly #mtmd
  readonly #ptr: NativePointer
  /** Floats for each cell. */
  readonly width: number
  readonly sees: boolean
  readonly hears: boolean
  /** In Hz; 0 where it hears nothing. */
  readonly sampleRate: number
  /** Is a picture computed as a whole, without a causal mask? */
  readonly isWhole: boolean
  /** Do positions have several dimensions? */
  readonly #hasDimensions: boolean

  private constructor(library: Library, path: string, { context, width }: SharedMtmd) {
    const mtmd = dlopen(path, mtmdSymbols).symbols
    this.#library = library
    this.#mtmd = mtmd
    this.#ptr = context
    this.width = width
    this.sees = mtmd.mtmd_support_vision(context)
    this.isWhole = this.sees && mtmd.mtmd_decode_use_non_causal(context, null)
    // Where pictures are computed as a whole but sounds are not, only the former are taken.
    this.hears = mtmd.mtmd_support_audio(context) && !this.isWhole
    this.sampleRate = this.hears ? mtmd.mtmd_get_audio_sample_rate(context) : 0
    this.#hasDimensions = mtmd.mtmd_decode_use_mrope(context)
  }

  /**
   * Loads a projector; see {@link Library.lastError} and the log for why one was refused.
   * @param path of libmtmd
   * @returns undefined if it was refused
   * @throws NativeLibraryError if libmtmd is missing or of another release
   */
  static load(
    library: Library,
    path: string,
    model: Model,
    projector: string,
    { device, threads, flashAttention, mostTokens }: MtmdOptions,
  ): Mtmd | undefined {
    openMtmd(library, path)
    const name = device === undefined ? null : cString(device)
    const attention = FLASH_ATTENTION[flashAttention]
    const context = library.shim.xllm_mtmd_new(cString(projector), model.ptr, name, threads, attention)
    if (context === null) return undefined
    const loaded = new Mtmd(library, path, { context, width: model.inputLength })
    loaded.#mtmd.mtmd_xllm_cap_tokens(context, mostTokens)
    return loaded
  }

  /** The same projector in another thread; only one thread may {@link encode}. */
  static share(library: Library, path: string, shared: SharedMtmd): Mtmd {
    openMtmd(library, path)
    return new Mtmd(library, path, shared)
  }

  share(): SharedMtmd {
    return { context: this.#ptr, width: this.width }
  }

  /**
   * What stands for it in a prompt; the content is not needed.
   * @returns undefined if the library refuses it
   */
  layOut(content: MediaContent): readonly MediaChunk[] | undefined {
    return this.#withChunks(content, (chunks) => chunks.map((chunk) => this.#describe(chunk)))
  }

  /**
   * Computes all runs of embeddings, in their order.
   * @returns undefined if the library refuses the content
   */
  encode(content: MediaContent): readonly EncodedChunk[] | undefined {
    return this.#withChunks(content, (chunks) => {
      const encoded: EncodedChunk[] = []
      for (const chunk of chunks) {
        if (this.#mtmd.mtmd_input_chunk_get_type(chunk) === TEXT) continue
        const run = this.#encode(chunk)
        if (run === undefined) return undefined
        encoded.push(run)
      }
      return encoded
    })
  }

  /**
   * Allocates what {@link encode} needs for contents of that size, without computing anything.
   * @returns false if there is not enough memory, or the library refuses the size
   */
  reserve(content: MediaContent): boolean {
    const reserved = this.#withChunks(content, (chunks) =>
      chunks.every((chunk) => this.#mtmd.mtmd_xllm_reserve(this.#ptr, chunk) === 0),
    )
    return reserved === true
  }

  /** The bytes of its weights and buffers. */
  memory(): { readonly hostBytes: number; readonly deviceBytes: number } {
    const out = new BigUint64Array(2)
    this.#mtmd.mtmd_xllm_memory(this.#ptr, out)
    return { hostBytes: Number(out[0]), deviceBytes: Number(out[1]) }
  }

  /** How many threads the next {@link encode} uses. */
  setThreads(threads: number): void {
    this.#mtmd.mtmd_xllm_set_threads(this.#ptr, threads)
  }

  #withChunks<T>(content: MediaContent, use: (chunks: readonly NativePointer[]) => T): T | undefined {
    const bitmap = this.#bitmapOf(content)
    const list = this.#mtmd.mtmd_input_chunks_init()
    try {
      if (bitmap === null || list === null) throw new NativeLibraryError("there is no memory for a picture")
      if (this.#library.shim.xllm_mtmd_chunks(this.#ptr, list, bitmap) !== 0) return undefined
      const count = Number(this.#mtmd.mtmd_input_chunks_size(list))
      return use(Array.from({ length: count }, (_, index) => this.#chunkAt(list, index)))
    } finally {
      if (list !== null) this.#mtmd.mtmd_input_chunks_free(list)
      if (bitmap !== null) this.#mtmd.mtmd_bitmap_free(bitmap)
    }
  }

  #chunkAt(list: NativePointer, index: number): NativePointer {
    const chunk = this.#mtmd.mtmd_input_chunks_get(list, index)
    if (chunk === null) throw new NativeLibraryError(`libmtmd has no chunk ${index}`)
    return chunk
  }

  #bitmapOf(content: MediaContent): NativePointer | null {
    return "samples" in content
      ? this.#mtmd.mtmd_bitmap_init_from_audio(content.samples, content.pcm ?? null)
      : this.#mtmd.mtmd_bitmap_init(content.width, content.height, content.rgb ?? null)
  }

  #describe(chunk: NativePointer): MediaChunk {
    const mtmd = this.#mtmd
    const cells = Number(mtmd.mtmd_input_chunk_get_n_tokens(chunk)) | 0
    if (mtmd.mtmd_input_chunk_get_type(chunk) !== TEXT)
      return { cells, positions: mtmd.mtmd_input_chunk_get_n_pos(chunk) }
    const count = new BigUint64Array(1)
    const tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, count)
    if (tokens === null || count[0] === 0n) return new Int32Array()
    return new Int32Array(toArrayBuffer(tokens as Pointer, 0, Number(count[0]) * 4)).slice()
  }

  #encode(chunk: NativePointer): EncodedChunk | undefined {
    if (this.#mtmd.mtmd_encode_chunk(this.#ptr, chunk) !== 0) return undefined
    const result = this.#mtmd.mtmd_get_output_embd(this.#ptr)
    if (result === null) return undefined
    // As an integer: it goes back to C.
    const cells = Number(this.#mtmd.mtmd_input_chunk_get_n_tokens(chunk)) | 0
    const bytes = cells * this.width * Float32Array.BYTES_PER_ELEMENT
    return {
      embeddings: new Float32Array(toArrayBuffer(result as Pointer, 0, bytes)).slice(),
      atZero: this.#positions(chunk, 0, cells),
      atOne: this.#positions(chunk, 1, cells),
    }
  }

  #positions(chunk: NativePointer, start: number, cells: number): Int32Array {
    if (!this.#hasDimensions) return Int32Array.from({ length: cells }, (_, cell) => start + cell)
    const rows = new Int32Array(4 * cells)
    this.#library.shim.xllm_mtmd_positions(chunk, start, cells, rows)
    return rows
  }

  [Symbol.dispose](): void {
    this.#mtmd.mtmd_free(this.#ptr)
  }
}

function openMtmd(library: Library, path: string): void {
  if (library.shim.xllm_mtmd_open(cString(path))) return
  throw new NativeLibraryError(`libmtmd could not be loaded: ${library.lastError()}`)
}
