/** Element types of tensors, by their numbers in onnx.proto. */
const TYPES = { float: 1, int32: 6, int64: 7 } as const
type ElementType = keyof typeof TYPES

/** Attribute types of nodes. */
const ATTRIBUTES = { float: 1, int: 2, string: 3, ints: 7 } as const

const IR_VERSION = 8
const OPSET = 13

export interface OnnxTensor {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

export interface OnnxNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Plain numbers are integers; `{ float }` is a float. */
  readonly attributes?: Readonly<
    Record<string, number | readonly number[] | string | { readonly float: number }>
  >
}

export interface OnnxPort {
  readonly name: string
  readonly type: ElementType
  /** Names stand for variable dimensions. */
  readonly shape: readonly (number | string)[]
}

export interface OnnxFile {
  readonly nodes: readonly OnnxNode[]
  readonly constants: readonly OnnxTensor[]
  readonly inputs: readonly OnnxPort[]
  readonly outputs: readonly OnnxPort[]
  readonly metadata: Readonly<Record<string, string | number>>
}

/** Encodes an ONNX file. Supports only what the tiny models need. */
export function encodeOnnx({ nodes, constants, inputs, outputs, metadata }: OnnxFile): Uint8Array {
  const graph = [
    ...nodes.map((node) => nested(1, encodeNode(node))),
    text(2, "tiny"),
    ...constants.map((tensor) => nested(5, encodeTensor(tensor))),
    ...inputs.map((port) => nested(11, encodePort(port))),
    ...outputs.map((port) => nested(12, encodePort(port))),
  ]
  return Buffer.concat([
    integer(1, IR_VERSION),
    text(2, "xllm-tests"),
    nested(7, graph),
    nested(8, [text(1, ""), integer(2, OPSET)]),
    ...Object.entries(metadata).map(([key, value]) => nested(14, [text(1, key), text(2, String(value))])),
  ])
}

function encodeNode({ operator, inputs, outputs, attributes = {} }: OnnxNode): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, `${operator} of ${outputs[0]}`),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      nested(5, [text(1, name), ...encodeAttribute(value)]),
    ),
  ]
}

function encodeAttribute(
  value: number | readonly number[] | string | { readonly float: number },
): Uint8Array[] {
  if (typeof value === "number") return [integer(3, value), integer(20, ATTRIBUTES.int)]
  if (typeof value === "string") return [text(4, value), integer(20, ATTRIBUTES.string)]
  if ("float" in value) return [float(2, value.float), integer(20, ATTRIBUTES.float)]
  return [...value.map((each) => integer(8, each)), integer(20, ATTRIBUTES.ints)]
}

function encodeTensor({ name, type, shape, values }: OnnxTensor): Uint8Array[] {
  return [
    ...shape.map((size) => integer(1, size)),
    integer(2, TYPES[type]),
    text(8, name),
    field(9, numbers(type, values)),
  ]
}

function numbers(type: ElementType, values: readonly number[]): Uint8Array {
  switch (type) {
    case "float":
      return new Uint8Array(Float32Array.from(values).buffer)
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer)
    case "int64":
      return new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  }
}

function encodePort({ name, type, shape }: OnnxPort): Uint8Array[] {
  const dimensions = shape.map((size) =>
    nested(1, [typeof size === "number" ? integer(1, size) : text(2, size)]),
  )
  return [text(1, name), nested(2, [nested(1, [integer(1, TYPES[type]), nested(2, dimensions)])])]
}

function nested(number: number, parts: readonly Uint8Array[]): Uint8Array {
  return field(number, Buffer.concat(parts))
}

function text(number: number, value: string): Uint8Array {
  return field(number, Buffer.from(value))
}

function field(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

function integer(number: number, value: number): Uint8Array {
  return Buffer.concat([varint(number << 3), varint(value)])
}

function float(number: number, value: number): Uint8Array {
  return Buffer.concat([varint((number << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)])
}

/** Negative numbers take ten bytes in protobuf. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}
