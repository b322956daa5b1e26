import { breathe } from "../../lib/async/breathe"
import type { GgufTensorSource } from "../../formats/gguf/write"
import { staysFloat32 } from "../architectures/names"
import type { NamedValues } from "../architectures/architecture"
import { blockElements, fromFloat32, toFloat32, weightBytes, type WeightType } from "./floats"
import { elementsOf, type TensorValues } from "./values"

/** Elements that are converted at a time: 8 MiB of 32-bit numbers. */
const PIECE_ELEMENTS = 2 * 1024 ** 2

/** The type that a tensor gets, where most weights get `wanted`. */
export function weightTypeOf({ name, values }: NamedValues, wanted: WeightType): WeightType {
  if (staysFloat32(name, values.shape.length)) return "F32"
  const columns = values.shape.at(-1) ?? 0
  return columns % blockElements(wanted) === 0 ? wanted : "F16"
}

/** A tensor of a GGUF, converted while it is written. */
export function weightSource(tensor: NamedValues, type: WeightType): GgufTensorSource {
  const { name, values } = tensor
  return {
    name,
    type,
    shape: [...values.shape].reverse(),
    bytes: weightBytes(type, elementsOf(values.shape)),
    data: () => converted(values, type),
  }
}

/** The bytes of all elements as `type`, piece by piece; the next one is read while one is converted and written. */
export async function* converted(values: TensorValues, type: WeightType): AsyncGenerator<Uint8Array> {
  const elements = elementsOf(values.shape)
  const unit = leastCommonMultiple(values.grain, blockElements(type))
  const step = Math.max(1, Math.floor(PIECE_ELEMENTS / unit)) * unit
  const read = (start: number) => {
    const reading = values.read(start, Math.min(step, elements - start))
    // Its error is thrown where it is awaited, unless the writer gives up before.
    reading.catch(() => {})
    return reading
  }
  let next = elements > 0 ? read(0) : undefined
  for (let start = 0; next !== undefined; start += step) {
    const bytes = await next
    next = start + step < elements ? read(start + step) : undefined
    yield values.type === type ? bytes : fromFloat32(toFloat32(bytes, values.type), type)
    await breathe()
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b]
  while (y > 0) [x, y] = [y, x % y]
  return (a / x) * b
}
