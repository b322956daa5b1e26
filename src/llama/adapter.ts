import { NativeLibraryError } from "../errors/engine"
import { cString, type NativePointer } from "./library"
import type { Model } from "./model"

/**
 * A LoRA adapter. Freed with its model, or before. Load and free none while a context of the model is made on another
 * thread: both use the model's list of them.
 */
export class Adapter implements Disposable {
  readonly #model: Model
  #ptr: NativePointer | null

  private constructor(model: Model, ptr: NativePointer) {
    this.#model = model
    this.#ptr = ptr
  }

  /**
   * Loads an adapter file.
   * @returns undefined if llama.cpp refuses it (it is damaged, or for another model) and has logged why
   */
  static load(model: Model, path: string): Adapter | undefined {
    const ptr = model.library.llama.llama_adapter_lora_init(model.ptr, cString(path))
    return ptr === null ? undefined : new Adapter(model, ptr)
  }

  /** For `llama/` only. */
  get ptr(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the adapter is disposed")
    return this.#ptr
  }

  /** No context may have it applied any more. */
  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#model.library.llama.llama_adapter_lora_free(this.#ptr)
    this.#ptr = null
  }
}

/** An adapter, and how strongly it is applied. */
export interface ScaledAdapter {
  readonly adapter: Adapter
  readonly scale: number
}

/** Applies these adapters, and no others, to everything that a context computes from now on. */
export function applyAdapters(
  context: { readonly ptr: NativePointer },
  model: Model,
  adapters: readonly ScaledAdapter[],
): void {
  // One entry more: an empty array has no address.
  const pointers = new BigUint64Array(adapters.length + 1)
  const scales = new Float32Array(adapters.length + 1)
  for (const [index, { adapter, scale }] of adapters.entries()) {
    pointers[index] = BigInt(adapter.ptr)
    scales[index] = scale
  }
  const { llama } = model.library
  if (llama.llama_set_adapters_lora(context.ptr, pointers, adapters.length, scales) !== 0)
    throw new NativeLibraryError("the adapters could not be applied")
}
