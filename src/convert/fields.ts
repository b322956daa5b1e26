import type { GgufField, GgufTyped } from "../formats/gguf/encode"
import type { GgufScalarType } from "../formats/gguf/types"

/** Metadata in the order in which it is written; a later value replaces an earlier one. */
export class MetadataFields {
  readonly #fields = new Map<string, GgufTyped>()

  get(key: string): GgufTyped | undefined {
    return this.#fields.get(key)
  }

  remove(key: string): void {
    this.#fields.delete(key)
  }

  /** Each setter ignores what is undefined. */
  u32(key: string, value: number | undefined): void {
    this.#set(key, "u32", value)
  }

  i32(key: string, value: number | undefined): void {
    this.#set(key, "i32", value)
  }

  f32(key: string, value: number | undefined): void {
    this.#set(key, "f32", value)
  }

  flag(key: string, value: boolean | undefined): void {
    this.#set(key, "bool", value)
  }

  text(key: string, value: string | undefined): void {
    this.#set(key, "string", value)
  }

  texts(key: string, values: readonly string[] | undefined): void {
    this.#list(key, "string", values)
  }

  u32s(key: string, values: readonly number[] | undefined): void {
    this.#list(key, "u32", values)
  }

  i32s(key: string, values: ArrayLike<number> | undefined): void {
    this.#list(key, "i32", values)
  }

  f32s(key: string, values: ArrayLike<number> | undefined): void {
    this.#list(key, "f32", values)
  }

  flags(key: string, values: readonly boolean[] | undefined): void {
    this.#list(key, "bool", values)
  }

  bytes(key: string, values: ArrayLike<number> | undefined): void {
    this.#list(key, "u8", values)
  }

  /** All of them. */
  entries(): readonly GgufField[] {
    return [...this.#fields]
  }

  #set(key: string, type: GgufScalarType, value: string | number | boolean | undefined): void {
    if (value !== undefined) this.#fields.set(key, { type, value })
  }

  #list(
    key: string,
    elementType: GgufScalarType,
    values: ArrayLike<string | number | boolean> | undefined,
  ): void {
    if (values !== undefined && values.length > 0)
      this.#fields.set(key, { type: "array", elementType, values })
  }
}
