import { open } from "node:fs/promises"
import { type ProtobufField, ProtobufReader } from "./protobuf-reader"

/** Limits far above any real model, so that a hostile file takes neither time nor memory. */
const MOST_FIELDS = 4_000_000
const MOST_METADATA = 4096
const MOST_VALUES = 4096
const MOST_NAME_BYTES = 4096
const MOST_METADATA_BYTES = 4 * 1024 ** 2

/** Field numbers of onnx.proto (ModelProto, GraphProto, ValueInfoProto and their contents). */
const MODEL = { irVersion: 1, producer: 2, graph: 7, metadata: 14 }
const GRAPH = { initializer: 5, input: 11, output: 12 }
const ENTRY = { key: 1, value: 2 }
const VALUE = { name: 1, type: 2 }
const TYPE = { tensor: 1 }
const TENSOR_TYPE = { element: 1, shape: 2 }
const SHAPE = { dimension: 1 }
const DIMENSION = { value: 1, name: 2 }
const TENSOR = { name: 8 }

/** Files before this version list the graph's initializers among its inputs. */
const FIRST_IR_WITHOUT_INITIALIZERS = 4

/** TensorProto.DataType. */
const ELEMENT_TYPES: readonly string[] = [
  "undefined",
  "float",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "double",
  "uint32",
  "uint64",
]

/** An input or output of a graph. */
export interface OnnxValue {
  readonly name: string
  /** ONNX's name of the element type; `undefined` if it is not a tensor. */
  readonly type: string | undefined
  /** A number, or the name of a dynamic dimension. */
  readonly shape: readonly (number | string)[]
}

/** The description of an .onnx file. */
export interface OnnxModel {
  readonly producer: string | undefined
  readonly metadata: ReadonlyMap<string, string>
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

/**
 * Reads an ONNX file's metadata, inputs and outputs; skips nodes and weights. Blocks the thread for about 10
 * ms for the largest graphs; the rest is waiting for the disk.
 * @throws InvalidModelFile if it is not a valid ONNX file; the system's error if it cannot be opened
 */
export async function readOnnx(path: string): Promise<OnnxModel> {
  const file = await open(path, "r")
  try {
    const { size } = await file.stat()
    return await readModel(new ProtobufReader(path, file, size, MOST_FIELDS))
  } finally {
    await file.close()
  }
}

/** A line listing a model's inputs and outputs, for messages. */
export function describeOnnx({ inputs, outputs }: OnnxModel): string {
  const list = (values: readonly OnnxValue[]) => values.map(describeValue).join(", ") || "none"
  return `inputs: ${list(inputs)}; outputs: ${list(outputs)}`
}

function describeValue({ name, type, shape }: OnnxValue): string {
  return `${name} ${type ?? "?"}[${shape.join(",")}]`
}

async function readModel(reader: ProtobufReader): Promise<OnnxModel> {
  let irVersion = 0
  let producer: string | undefined
  let graph: Graph | undefined
  const metadata = new Map<string, string>()
  for await (const field of reader.fields(0, reader.size)) {
    if (field.number === MODEL.irVersion) irVersion = field.value
    else if (field.number === MODEL.producer) producer = await reader.text(field, MOST_NAME_BYTES)
    else if (field.number === MODEL.graph)
      graph = await readGraph(reader, field, irVersion < FIRST_IR_WITHOUT_INITIALIZERS)
    else if (field.number === MODEL.metadata) {
      const [key, value] = await readEntry(reader, field)
      metadata.set(key, value)
      if (metadata.size > MOST_METADATA) throw reader.fail("it has more metadata than any model")
    }
  }
  if (graph === undefined) throw reader.fail("it is not an ONNX file: it holds no graph")
  return { producer, metadata, ...graph }
}

type Graph = Pick<OnnxModel, "inputs" | "outputs">

async function readGraph(
  reader: ProtobufReader,
  { start, end }: ProtobufField,
  constantsAreInputs: boolean,
): Promise<Graph> {
  const inputs: OnnxValue[] = []
  const outputs: OnnxValue[] = []
  const constants = new Set<string>()
  for await (const field of reader.fields(start, end)) {
    if (field.number === GRAPH.input) inputs.push(await readValue(reader, field))
    else if (field.number === GRAPH.output) outputs.push(await readValue(reader, field))
    else if (field.number === GRAPH.initializer && constantsAreInputs)
      constants.add(await readNamed(reader, field, TENSOR.name))
    if (inputs.length > MOST_VALUES && !constantsAreInputs)
      throw reader.fail("it has more inputs than any model")
  }
  return { inputs: inputs.filter(({ name }) => !constants.has(name)), outputs }
}

async function readValue(reader: ProtobufReader, { start, end }: ProtobufField): Promise<OnnxValue> {
  let name = ""
  let tensor: Pick<OnnxValue, "type" | "shape"> = { type: undefined, shape: [] }
  for await (const field of reader.fields(start, end)) {
    if (field.number === VALUE.name) name = await reader.text(field, MOST_NAME_BYTES)
    else if (field.number === VALUE.type) tensor = await readType(reader, field)
  }
  return { name, ...tensor }
}

async function readType(reader: ProtobufReader, { start, end }: ProtobufField) {
  let type: string | undefined
  let shape: (number | string)[] = []
  for await (const outer of reader.fields(start, end)) {
    if (outer.number !== TYPE.tensor) continue
    for await (const field of reader.fields(outer.start, outer.end)) {
      if (field.number === TENSOR_TYPE.element) type = ELEMENT_TYPES[field.value] ?? `type ${field.value}`
      else if (field.number === TENSOR_TYPE.shape) shape = await readShape(reader, field)
    }
  }
  return { type, shape }
}

async function readShape(reader: ProtobufReader, { start, end }: ProtobufField) {
  const shape: (number | string)[] = []
  for await (const outer of reader.fields(start, end)) {
    if (outer.number !== SHAPE.dimension) continue
    let dimension: number | string = "?"
    for await (const field of reader.fields(outer.start, outer.end)) {
      if (field.number === DIMENSION.value) dimension = field.value
      else if (field.number === DIMENSION.name) dimension = await reader.text(field, MOST_NAME_BYTES)
    }
    shape.push(dimension)
  }
  return shape
}

async function readEntry(reader: ProtobufReader, { start, end }: ProtobufField): Promise<[string, string]> {
  let key = ""
  let value = ""
  for await (const field of reader.fields(start, end)) {
    if (field.number === ENTRY.key) key = await reader.text(field, MOST_NAME_BYTES)
    else if (field.number === ENTRY.value) value = await reader.text(field, MOST_METADATA_BYTES)
  }
  return [key, value]
}

/** The string in the field `number` of a message; empty if absent. */
async function readNamed(reader: ProtobufReader, { start, end }: ProtobufField, number: number) {
  for await (const field of reader.fields(start, end))
    if (field.number === number) return await reader.text(field, MOST_NAME_BYTES)
  return ""
}
