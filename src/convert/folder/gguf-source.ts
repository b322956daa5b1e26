import { open } from "node:fs/promises"
import { InvalidModelFile } from "../../errors/model"
import { readGgufHeader } from "../../formats/gguf/read"
import { partPaths } from "../../formats/gguf/split"
import type { GgufScalar, GgufValue } from "../../formats/gguf/types"
import type { CheckpointFile } from "../source/checkpoint"
import { isFloatType } from "../tensors/floats"
import { fileValues, type TensorValues } from "../tensors/values"

/** A GGUF that is read as the source of a conversion. Its files stay open until it is disposed of. */
export class GgufSource implements AsyncDisposable {
  readonly path: string
  readonly #metadata: ReadonlyMap<string, GgufValue>
  readonly #files: readonly CheckpointFile[]
  readonly tensors: readonly {
    readonly name: string
    readonly type: string
    readonly values: () => TensorValues
  }[]

  private constructor(
    path: string,
    metadata: ReadonlyMap<string, GgufValue>,
    files: readonly CheckpointFile[],
    tensors: GgufSource["tensors"],
  ) {
    this.path = path
    this.#metadata = metadata
    this.#files = files
    this.tensors = tensors
  }

  static async open(path: string): Promise<GgufSource> {
    const paths = partPaths(path)
    const lists = ["tokens", "scores", "token_type", "merges"].map((name) => `tokenizer.ggml.${name}`)
    const headers = paths.map((part) => readGgufHeader(part, { keepArrays: lists }))
    const files: CheckpointFile[] = []
    for (const part of paths) files.push({ path: part, handle: await open(part, "r") })
    const tensors = headers.flatMap(({ tensors: own, dataOffset }, index) =>
      own.map(({ name, shape, type, offset, elements, bytes = 0 }) => ({
        name,
        type: type.name,
        values: () => {
          const file = files[index]
          if (file === undefined || !isFloatType(type.name))
            throw new InvalidModelFile(path, `the tensor '${name}' has the type ${type.name}`)
          const start = dataOffset + offset
          return fileValues({
            ...{ name, dtype: type.name, shape: [...shape].reverse(), elements, start, end: start + bytes },
            file,
          })
        },
      })),
    )
    return new GgufSource(path, headers[0]?.metadata ?? new Map(), files, tensors)
  }

  get architecture(): string {
    return this.text("general.architecture") ?? "unknown"
  }

  /** Values of the model's own keys. */
  own(key: string): number | undefined {
    return this.number(`${this.architecture}.${key}`)
  }

  number(key: string): number | undefined {
    const value = this.#metadata.get(key)
    return typeof value === "number" ? value : undefined
  }

  text(key: string): string | undefined {
    const value = this.#metadata.get(key)
    return typeof value === "string" ? value : undefined
  }

  flag(key: string): boolean | undefined {
    const value = this.#metadata.get(key)
    return typeof value === "boolean" ? value : undefined
  }

  list(key: string): readonly GgufScalar[] {
    const value = this.#metadata.get(key)
    return typeof value === "object" ? (value.values ?? []) : []
  }

  has(tensor: string): boolean {
    return this.tensors.some(({ name }) => name === tensor)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle } of this.#files) await handle.close()
  }
}

/** A number of 32 bits as it was written: 1e-5 instead of 0.000009999999747378752. */
export function shortFloat(value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  const digits = [6, 7, 8].find(
    (count) => Math.fround(Number(value.toPrecision(count))) === Math.fround(value),
  )
  return Number(value.toPrecision(digits ?? 9))
}
