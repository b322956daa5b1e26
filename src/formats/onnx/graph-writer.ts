/** Field numbers of onnx.proto in use. */
const MODEL = { irVersion: 1, producer: 2, graph: 7, opset: 8, metadata: 14 }
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 }
const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 }
const ATTRIBUTE = { name: 1, float: 2, int: 3, ints: 8, type: 20 }
const TENSOR = { dimension: 1, type: 2, name: 8, raw: 9, externalData: 13, location: 14 }

/** AttributeProto.AttributeType. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, ints: 7 }
/** TensorProto.DataLocation. */
const EXTERNAL = 1
const IR_VERSION = 8
/** The first version with LayerNormalization. */
const OPSET = 17

/** ONNX Runtime's own operators, and their version. */
const OF_RUNTIME = "com.microsoft"
const RUNTIME_OPSET = 1

/** TensorProto.DataType. */
export const ELEMENT = { float: 1, int8: 3, int16: 5, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const
export type ElementType = keyof typeof ELEMENT

/** A tensor in a file beside the graph. */
export interface ExternalTensor {
  readonly type: ElementType
  readonly shape: readonly number[]
  /** File name, in the same folder. ONNX Runtime follows no link out of it. */
  readonly location: string
  readonly offset: number
  readonly bytes: number
}

/** An input or output of the graph; dynamic dimensions have names. */
export interface GraphValue {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly (number | string)[]
}

/** `{ float }`: a floating-point attribute, which a JavaScript number alone does not indicate. */
type Attribute = number | readonly number[] | { readonly float: number }

/**
 * Builds an ONNX graph: each method adds a node or constant and returns the name of its output. Weights are
 * referenced in external files, so the graph of a model of a gigabyte takes a few kilobytes.
 */
export class GraphWriter {
  readonly #nodes: Uint8Array[] = []
  readonly #initializers: Uint8Array[] = []
  readonly #constants = new Map<string, string>()
  #count = 0

  /** Adds an operator with one output. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = this.#newName(operator),
  ): string {
    this.nodes(operator, inputs, attributes, [output])
    return output
  }

  /** Adds an operator of ONNX Runtime's own, with one output. */
  ofRuntime(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): string {
    const output = this.#newName(operator)
    this.nodes(operator, inputs, attributes, [output], OF_RUNTIME)
    return output
  }

  /** Adds an operator with several outputs. */
  nodes(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly string[],
    domain = "",
  ): void {
    this.#nodes.push(
      Buffer.concat([
        ...inputs.map((input) => text(NODE.input, input)),
        ...outputs.map((output) => text(NODE.output, output)),
        text(NODE.name, outputs[0] ?? operator),
        text(NODE.operator, operator),
        ...(domain === "" ? [] : [text(NODE.domain, domain)]),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      ]),
    )
  }

  /** Adds a vector of integers. */
  ints(...values: number[]): string {
    return this.#constant("int64", [values.length], Buffer.from(BigInt64Array.from(values, BigInt).buffer))
  }

  /** Adds an integer scalar. */
  int(value: number): string {
    return this.#constant("int64", [], Buffer.from(BigInt64Array.of(BigInt(value)).buffer))
  }

  /** Adds a floating-point scalar. */
  float(value: number): string {
    return this.#constant("float", [], Buffer.from(Float32Array.of(value).buffer))
  }

  external({ type, shape, location, offset, bytes }: ExternalTensor): string {
    const key = `${location}:${offset}:${shape.join("x")}`
    return this.#initializer(key, type, shape, [
      ...Object.entries({ location, offset, length: bytes }).map(([name, value]) =>
        message(TENSOR.externalData, [text(1, name), text(2, String(value))]),
      ),
      integer(TENSOR.location, EXTERNAL),
    ])
  }

  /** The complete file. */
  finish(model: {
    readonly inputs: readonly GraphValue[]
    readonly outputs: readonly GraphValue[]
    readonly metadata: Readonly<Record<string, string | number>>
  }): Uint8Array {
    const graph = [
      ...this.#nodes.map((node) => bytesField(GRAPH.node, node)),
      text(GRAPH.name, "xllm"),
      ...this.#initializers.map((tensor) => bytesField(GRAPH.initializer, tensor)),
      ...model.inputs.map((input) => message(GRAPH.input, graphValue(input))),
      ...model.outputs.map((output) => message(GRAPH.output, graphValue(output))),
    ]
    return Buffer.concat([
      integer(MODEL.irVersion, IR_VERSION),
      text(MODEL.producer, "xllm"),
      message(MODEL.graph, graph),
      message(MODEL.opset, [text(1, ""), integer(2, OPSET)]),
      message(MODEL.opset, [text(1, OF_RUNTIME), integer(2, RUNTIME_OPSET)]),
      ...Object.entries(model.metadata).map(([key, value]) =>
        message(MODEL.metadata, [text(1, key), text(2, String(value))]),
      ),
    ])
  }

  #constant(type: ElementType, shape: readonly number[], raw: Buffer): string {
    return this.#initializer(`${type}:${shape.join("x")}:${raw.toString("hex")}`, type, shape, [
      bytesField(TENSOR.raw, raw),
    ])
  }

  /** Equal constants are written once. */
  #initializer(
    key: string,
    type: ElementType,
    shape: readonly number[],
    fields: readonly Uint8Array[],
  ): string {
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = this.#newName("constant")
    this.#initializers.push(
      Buffer.concat([
        ...shape.map((dimension) => integer(TENSOR.dimension, dimension)),
        integer(TENSOR.type, ELEMENT[type]),
        text(TENSOR.name, name),
        ...fields,
      ]),
    )
    this.#constants.set(key, name)
    return name
  }

  #newName(what: string): string {
    return `${what}_${++this.#count}`
  }
}

function attribute(name: string, value: Attribute): Uint8Array {
  const fields =
    typeof value === "number"
      ? [integer(ATTRIBUTE.int, value), integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.int)]
      : "float" in value
        ? [float(ATTRIBUTE.float, value.float), integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.float)]
        : [
            ...value.map((each) => integer(ATTRIBUTE.ints, each)),
            integer(ATTRIBUTE.type, ATTRIBUTE_TYPE.ints),
          ]
  return message(NODE.attribute, [text(ATTRIBUTE.name, name), ...fields])
}

/** ValueInfoProto: name, type → tensor → element type and shape → dimensions, as numbers or names. */
function graphValue({ name, type, shape }: GraphValue): Uint8Array[] {
  const dimensions = shape.map((dimension) =>
    message(1, [typeof dimension === "number" ? integer(1, dimension) : text(2, dimension)]),
  )
  return [text(1, name), message(2, [message(1, [integer(1, ELEMENT[type]), message(2, dimensions)])])]
}

// Protobuf: a field is its number and wire type in one varint, followed by a varint, four bytes, or a length
// and bytes.

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.of(...varint(field * 8), ...varint(value))
}

function float(field: number, value: number): Uint8Array {
  return Uint8Array.of(...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer))
}

function text(field: number, value: string): Uint8Array {
  return bytesField(field, Buffer.from(value))
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return bytesField(field, Buffer.concat(parts))
}

function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(...varint(field * 8 + 2), ...varint(bytes.length)), bytes])
}

/** Of a non-negative integer. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return [...bytes, rest]
}
