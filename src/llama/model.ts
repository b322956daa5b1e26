import type { TextModelSettings } from "../domain/settings"
import { NativeLibraryError } from "../errors/engine"
import { cString, type Library, type NativePointer } from "./library"
import { withParameters } from "./parameters"
import { Vocabulary } from "./vocabulary"

export type ModelOptions = Pick<
  TextModelSettings,
  "gpuLayers" | "splitMode" | "tensorSplit" | "devices" | "memoryMap" | "memoryLock"
>

/** `enum llama_split_mode`. */
const SPLIT_MODES = { none: 0, layer: 1, row: 2, tensor: 3 } as const

/** `LLAMA_ROPE_TYPE_NONE` */
const NO_ROPE = -1

/** `enum llama_load_mode`: bit 0 maps the file into memory, bit 1 locks it there. */
function loadMode(options: ModelOptions): number {
  return (options.memoryMap ? 1 : 0) | (options.memoryLock ? 2 : 0)
}

/** The maximum number of devices that llama.cpp splits a model over (`llama_max_devices`). */
export const MAX_DEVICES = 16

/** The shares of the devices in llama.cpp's format: one number per possible device. */
function toShares(shares: ModelOptions["tensorSplit"]): Float32Array | null {
  return shares && Float32Array.from({ length: MAX_DEVICES }, (_, device) => shares[device] ?? 0)
}

/** Memory that llama.cpp keeps a pointer to for the lifetime of a model. */
const addressed = new WeakMap<Model, Float32Array | null>()

/** A model's weights. Dispose its contexts before it. */
export class Model implements Disposable {
  readonly #library: Library
  #ptr: NativePointer | null
  readonly vocabulary: Vocabulary
  readonly trainedContextLength: number
  readonly embeddingLength: number
  /** Floats in an embedding that it takes in place of a token. */
  readonly inputLength: number
  /** Numbers in the vectors that it turns texts into. */
  readonly vectorLength: number
  readonly layers: number
  readonly sizeBytes: number
  /** Size of the sliding window in tokens; 0 without one. */
  readonly slidingWindow: number
  /** The trained scale of rotary positions; undefined where positions are encoded in another way, or not at all. */
  readonly ropeFreqScale: number | undefined
  /** Its state is not divided into cells per token, so it cannot be truncated. */
  readonly recurrent: boolean
  /** Can it predict the next token without an encoder? */
  readonly generatesText: boolean
  /** The Jinja source in the file. */
  readonly chatTemplate: string | undefined

  private constructor(library: Library, ptr: NativePointer) {
    const { llama } = library
    this.#library = library
    this.#ptr = ptr
    const vocabulary = llama.llama_model_get_vocab(ptr)
    if (vocabulary === null) throw new NativeLibraryError("the model has no vocabulary")
    this.vocabulary = new Vocabulary(library, vocabulary)
    this.trainedContextLength = llama.llama_model_n_ctx_train(ptr)
    this.embeddingLength = llama.llama_model_n_embd(ptr)
    this.inputLength = llama.llama_model_n_embd_inp(ptr)
    this.vectorLength = llama.llama_model_n_embd_out(ptr)
    this.layers = llama.llama_model_n_layer(ptr)
    this.sizeBytes = Number(llama.llama_model_size(ptr))
    this.slidingWindow = llama.llama_model_n_swa(ptr)
    this.ropeFreqScale =
      llama.llama_model_rope_type(ptr) === NO_ROPE ? undefined : llama.llama_model_rope_freq_scale_train(ptr)
    this.recurrent = llama.llama_model_is_recurrent(ptr) || llama.llama_model_is_hybrid(ptr)
    this.generatesText =
      llama.llama_model_has_decoder(ptr) &&
      !llama.llama_model_has_encoder(ptr) &&
      !llama.llama_model_is_diffusion(ptr)
    this.chatTemplate = llama.llama_model_chat_template(ptr, null) ?? undefined
  }

  /** The text of a query and a document, for models that rank; undefined: its file has none. */
  get rerankTemplate(): string | undefined {
    return this.#library.llama.llama_model_chat_template(this.ptr, cString("rerank")) ?? undefined
  }

  /**
   * Loads a model file, blocking; progress is written to the log descriptor.
   * @param others the further files of a split model, in order
   * @returns undefined if llama.cpp refuses it and has logged why
   */
  static load(
    library: Library,
    path: string,
    options: ModelOptions,
    others: readonly string[] = [],
  ): Model | undefined {
    const devices = options.devices?.slice(0, MAX_DEVICES) ?? []
    const parameters = {
      n_gpu_layers: options.gpuLayers ?? -1,
      split_mode: SPLIT_MODES[options.splitMode],
      load_mode: loadMode(options),
    }
    const paths = [path, ...others]
    const shares = toShares(options.tensorSplit)
    const ptr = withParameters(library, "model", parameters, (chosen) =>
      library.shim.xllm_model_load(
        chosen,
        cString(paths.join("\0")),
        paths.length,
        cString(devices.join("\0")),
        devices.length,
        shares,
      ),
    )
    if (ptr === null) return undefined
    const model = new Model(library, ptr)
    addressed.set(model, shares)
    return model
  }

  /** The model without its weights: only a check of its file. @returns undefined if llama.cpp refuses it */
  static describe(library: Library, path: string, others: readonly string[] = []): Model | undefined {
    const paths = [path, ...others]
    const parameters = { n_gpu_layers: 0, load_mode: 0, use_extra_bufts: 0, no_alloc: 1 }
    const ptr = withParameters(library, "model", parameters, (chosen) =>
      library.shim.xllm_model_load(chosen, cString(paths.join("\0")), paths.length, cString(""), 0, null),
    )
    return ptr === null ? undefined : new Model(library, ptr)
  }

  /** A scalar of the file's metadata, as text. */
  metadata(key: string): string | undefined {
    const buffer = new Uint8Array(512)
    const size = this.#library.llama.llama_model_meta_val_str(this.ptr, cString(key), buffer, buffer.length)
    return size < 0
      ? undefined
      : new TextDecoder().decode(buffer.subarray(0, Math.min(size, buffer.length - 1)))
  }

  /** For `llama/` only. */
  get ptr(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the model is disposed")
    return this.#ptr
  }

  /** For `llama/` only. */
  get library(): Library {
    return this.#library
  }

  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#library.llama.llama_model_free(this.#ptr)
    this.#ptr = null
  }
}
