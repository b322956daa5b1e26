import { InvalidModelFile } from "../../errors/model"
import type { CheckpointTensor } from "../source/checkpoint"
import { FLOAT_BYTES, type FloatType, fromFloat32, isFloatType, toFloat32 } from "./floats"

/**
 * The numbers of a tensor, read piece by piece and changed on the way: a tensor of any size takes little memory. All
 * functions here make views; nothing is read before {@link TensorValues.read}.
 */
export interface TensorValues {
  readonly type: FloatType
  /** The contiguous dimension last. */
  readonly shape: readonly number[]
  /** Reads start at multiples of so many elements, and take multiples of them. */
  readonly grain: number
  /** The bytes of `count` elements from `start` on. */
  read(start: number, count: number): Promise<Uint8Array>
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** A tensor of a file. @throws InvalidModelFile for types that cannot be converted */
export function fileValues(tensor: CheckpointTensor): TensorValues {
  const { name, dtype, shape, file } = tensor
  if (!isFloatType(dtype))
    throw new InvalidModelFile(
      file.path,
      `the tensor '${name}' has the type ${dtype}, which cannot be converted`,
    )
  const size = FLOAT_BYTES[dtype]
  return {
    type: dtype,
    shape,
    grain: 1,
    read: (start, count) => fileBytes(tensor, size, start, count),
  }
}

/** The bytes of `count` elements from `start` on, of `size` bytes each. @throws InvalidModelFile where the file ends */
export async function fileBytes(
  { name, start: begin, file }: CheckpointTensor,
  size: number,
  start: number,
  count: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(count * size)
  let done = 0
  while (done < bytes.length) {
    const at = begin + start * size + done
    const { bytesRead } = await file.handle.read(bytes, done, bytes.length - done, at)
    if (bytesRead === 0) throw new InvalidModelFile(file.path, `the file ends inside the tensor '${name}'`)
    done += bytesRead
  }
  return bytes
}

/** Numbers that were computed. */
export function constant(values: Float32Array, shape: readonly number[] = [values.length]): TensorValues {
  return {
    type: "F32",
    shape,
    grain: 1,
    read: async (start, count) => fromFloat32(values.slice(start, start + count), "F32"),
  }
}

/** Each number changed by `change`, which gets its index. */
export function mapped(values: TensorValues, change: (value: number, index: number) => number): TensorValues {
  return {
    ...values,
    type: "F32",
    async read(start, count) {
      const numbers = toFloat32(await values.read(start, count), values.type)
      return fromFloat32(
        numbers.map((value, index) => change(value, start + index)),
        "F32",
      )
    },
  }
}

export function reshaped(values: TensorValues, shape: readonly number[]): TensorValues {
  if (elementsOf(shape) !== elementsOf(values.shape)) throw new RangeError("a view of another size")
  return { ...values, shape }
}

/** Entries `from` (included) to `to` (excluded) of the first dimension. */
export function sliced(values: TensorValues, from: number, to: number): TensorValues {
  const [, ...rest] = values.shape
  const size = elementsOf(rest)
  const first = from * size
  // A view that reads whole grains only would have to be cut in the middle of one.
  if (first % values.grain !== 0 || (to * size) % values.grain !== 0) return sliced(loaded(values), from, to)
  return {
    ...values,
    shape: [to - from, ...rest],
    read: (start, count) => values.read(first + start, count),
  }
}

/** Tensors of one shape and type, with a new first dimension. */
export function stacked(parts: readonly TensorValues[]): TensorValues {
  const [first] = parts
  if (first === undefined) throw new RangeError("nothing to stack")
  return joined(parts, [parts.length, ...first.shape])
}

/** The elements of several tensors, one after another. */
export function joined(parts: readonly TensorValues[], shape: readonly number[]): TensorValues {
  const [first] = parts
  if (first === undefined) throw new RangeError("nothing to join")
  const sizes = parts.map((part) => elementsOf(part.shape))
  const grain = parts.reduce((least, part) => Math.max(least, part.grain), 1)
  const width = FLOAT_BYTES[first.type]
  return {
    type: first.type,
    shape,
    grain,
    async read(start, count) {
      const bytes = new Uint8Array(count * width)
      let before = 0
      for (const [index, part] of parts.entries()) {
        const size = sizes[index] ?? 0
        const from = Math.max(start, before)
        const to = Math.min(start + count, before + size)
        if (from < to) bytes.set(await part.read(from - before, to - from), (from - start) * width)
        before += size
      }
      return bytes
    },
  }
}

/**
 * The first dimension in blocks of `block` entries, and those of each block in the order of `order`: entry `i` of the
 * result's block is entry `order[i]` of the source's.
 */
export function reordered(values: TensorValues, order: ArrayLike<number>): TensorValues {
  const [, ...rest] = values.shape
  const size = elementsOf(rest)
  const block = order.length * size
  const width = FLOAT_BYTES[values.type] * size
  const grain = Math.max(values.grain, block)
  return {
    ...values,
    grain,
    async read(start, count) {
      const from = await values.read(start, count)
      const to = new Uint8Array(from.length)
      for (let at = 0; at < from.length; at += order.length * width)
        for (let index = 0; index < order.length; index++) {
          const source = at + (order[index] ?? 0) * width
          to.set(from.subarray(source, source + width), at + index * width)
        }
      return to
    },
  }
}

/** The last two dimensions exchanged. */
export function transposed(values: TensorValues): TensorValues {
  const rows = values.shape.at(-2) ?? 1
  const columns = values.shape.at(-1) ?? 1
  const width = FLOAT_BYTES[values.type]
  const size = rows * columns
  return {
    ...values,
    shape: [...values.shape.slice(0, -2), columns, rows],
    grain: Math.max(values.grain, size),
    async read(start, count) {
      const from = await values.read(start, count)
      return width === 2
        ? transposeBlocks(new Uint16Array(from.buffer), new Uint16Array(count), rows, columns)
        : transposeBlocks(
            new Uint32Array(from.buffer),
            new Uint32Array((count * width) / 4),
            rows,
            columns,
            width / 4,
          )
    },
  }
}

function transposeBlocks(
  from: Uint16Array | Uint32Array,
  to: Uint16Array | Uint32Array,
  rows: number,
  columns: number,
  words = 1,
): Uint8Array {
  const size = rows * columns
  const blocks = from.length / words / size
  for (let block = 0; block < blocks; block++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let word = 0; word < words; word++) {
          const source = (block * size + row * columns + column) * words + word
          to[(block * size + column * rows + row) * words + word] = from[source] ?? 0
        }
  return new Uint8Array(to.buffer)
}

/** Reads the whole tensor for each piece; for small ones. */
function loaded(values: TensorValues): TensorValues {
  const width = FLOAT_BYTES[values.type]
  let whole: Promise<Uint8Array> | undefined
  return {
    ...values,
    grain: 1,
    async read(start, count) {
      whole ??= values.read(0, elementsOf(values.shape))
      return (await whole).slice(start * width, (start + count) * width)
    },
  }
}
