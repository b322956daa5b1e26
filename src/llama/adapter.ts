import { NativeLibraryError } from "../errors/engine"
import { cString, type NativePointer } from "./library"
import type { Model } from "./model"

/** A LoRA adapter. Owned and freed by its model. */
export class Adapter {
  /** For `llama/` only. */
  readonly ptr: NativePointer

  private constructor(ptr: NativePointer) {
    this.ptr = ptr
  }

  /**
   * Loads an adapter file. Call before creating contexts of the model, so that their graphs reserve space for
   * it.
   * @returns undefined if llama.cpp refuses it (it is for another model) and has logged why
   */
  static load(model: Model, path: string): Adapter | undefined {
    const ptr = model.library.llama.llama_adapter_lora_init(model.ptr, cString(path))
    return ptr === null ? undefined : new Adapter(ptr)
  }
}

/** Applies adapters to everything that a context computes from now on, each multiplied by its scale. */
export function applyAdapters(
  context: { readonly ptr: NativePointer },
  model: Model,
  adapters: readonly { readonly adapter: Adapter; readonly scale: number }[],
): void {
  if (adapters.length === 0) return
  const pointers = BigUint64Array.from(adapters, ({ adapter }) => BigInt(adapter.ptr))
  const scales = Float32Array.from(adapters, ({ scale }) => scale)
  const { llama } = model.library
  if (llama.llama_set_adapters_lora(context.ptr, pointers, adapters.length, scales) !== 0)
    throw new NativeLibraryError("the adapters could not be applied")
}
