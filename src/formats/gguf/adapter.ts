import { InvalidModelFile } from "../../errors/model"
import { readGgufHeader } from "./read"
import type { GgufHeader, GgufTensorInfo } from "./types"

/** A matrix of a model that an adapter changes, and the shapes of what it adds. */
interface AdaptedTensor {
  /** The model's. */
  readonly name: string
  readonly a: readonly number[]
  readonly b: readonly number[]
}

/** What the header of a LoRA adapter says. */
export interface AdapterFacts {
  readonly architecture: string
  /** The largest of its matrices. */
  readonly rank: number
  /** 0: its matrices are not scaled by it. */
  readonly alpha: number
  readonly tensors: readonly AdaptedTensor[]
}

/** What of a model an adapter must fit. */
export interface AdapterBase {
  readonly architecture: string | undefined
  /** The shape of each tensor, the contiguous dimension first. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
}

const PART = /^(?<name>.+)\.lora_(?<part>[ab])$/
/** llama.cpp leaves these out, and so do most programs that make adapters. */
const IGNORED = /_norm\.weight$/
/** Types without products. */
const UNUSABLE_TYPE = /^(I\d+|F64)$/
const EMBEDDING = "token_embd.weight"
const OUTPUT = "output.weight"

/** @throws InvalidModelFile where it is no adapter that llama.cpp could use */
export function describeAdapter(path: string, header: GgufHeader): AdapterFacts {
  const { metadata, types } = header
  const fail = (reason: string): never => {
    throw new InvalidModelFile(path, reason)
  }
  const type = metadata.get("general.type")
  if (type !== "adapter")
    fail(`it is a ${type === undefined ? "model" : String(type)} GGUF, not a LoRA adapter`)
  const method = metadata.get("adapter.type")
  if (method !== "lora") fail(`it is an adapter of the type '${String(method)}'; only 'lora' is known`)
  const architecture = metadata.get("general.architecture")
  if (typeof architecture !== "string") return fail("it does not name the architecture that it is for")
  const alpha = metadata.get("adapter.lora.alpha") ?? 0
  const alphaType = types.get("adapter.lora.alpha") ?? "f32"
  if (typeof alpha !== "number" || alphaType !== "f32" || !Number.isFinite(alpha))
    return fail("its adapter.lora.alpha is not a finite number of the type f32")
  if (metadata.has("adapter.alora.invocation_tokens"))
    fail(
      "it is an activated adapter (aLoRA), which applies to a part of a conversation only: that is not supported",
    )
  const tensors = pairsOf(header.tensors, fail)
  return { architecture, alpha, rank: Math.max(...tensors.map(({ b }) => b[0] ?? 0)), tensors }
}

/**
 * What an adapter must fit.
 * @param paths all files of the model's weights
 * @throws InvalidModelFile; the system's error where one cannot be opened
 */
export function readAdapterBase(paths: readonly string[]): AdapterBase {
  const headers = paths.map((part) => readGgufHeader(part))
  const architecture = headers[0]?.metadata.get("general.architecture")
  const shapes = headers.flatMap(({ tensors }) => tensors.map(({ name, shape }) => [name, shape] as const))
  return {
    architecture: typeof architecture === "string" ? architecture : undefined,
    shapes: new Map(shapes),
  }
}

function pairsOf(all: readonly GgufTensorInfo[], fail: (reason: string) => never): readonly AdaptedTensor[] {
  const pairs = new Map<string, { a?: readonly number[]; b?: readonly number[] }>()
  for (const { name: full, shape, type } of all) {
    const { name, part } = PART.exec(full)?.groups ?? {}
    if (name === undefined) {
      if (IGNORED.test(full)) continue
      return fail(`its tensor '${full}' is neither of the two parts of a LoRA`)
    }
    if (type.blockElements === 0 || UNUSABLE_TYPE.test(type.name))
      return fail(`its tensor '${full}' is of the type ${type.name}, which adapters cannot have`)
    const pair = pairs.get(name) ?? {}
    pairs.set(name, { ...pair, [part === "a" ? "a" : "b"]: shape })
  }
  if (pairs.size === 0) return fail("it has no tensors")
  return [...pairs].map(([name, { a, b }]) => {
    if (a === undefined || b === undefined) return fail(`of '${name}' it has only one of the two parts`)
    if ([...a, ...b].includes(0)) return fail(`what it adds to '${name}' is empty`)
    return { name, a, b }
  })
}

/**
 * Why an adapter is not for a model, as what follows "it"; undefined: it is.
 * @param model what the model is called in a sentence
 */
export function misfitOf(
  { architecture, tensors }: AdapterFacts,
  base: AdapterBase,
  model: string,
): string | undefined {
  if (architecture !== base.architecture)
    return `is for models of the architecture '${architecture}', and ${model} is a '${base.architecture}'`
  for (const { name, a, b } of tensors) {
    const shape = base.shapes.get(name)
    if (shape === undefined) return `changes '${name}', which ${model} does not have`
    const [wanted, given] = [toFour(shape), changedShape(name, toFour(a), toFour(b))]
    if (given === undefined) return `has two parts for '${name}' that do not belong together`
    if (wanted.join() !== given.join())
      return `changes '${name}' of ${inWords(given)}, and that of ${model} has ${inWords(wanted)}`
    // llama.cpp would end the process: it multiplies the parts, which are swapped for embeddings, with the output too.
    if (name === EMBEDDING && !base.shapes.has(OUTPUT))
      return `changes '${name}', which ${model} uses for its output as well: llama.cpp cannot do that`
  }
  return undefined
}

type Shape = readonly [number, number, number, number]

/** The shape of the product of both parts; undefined: there is none. */
function changedShape(name: string, a: Shape, b: Shape): Shape | undefined {
  if (a[2] !== b[2] || a[3] !== b[3]) return undefined
  // Those of embeddings are the other way round.
  if (name === EMBEDDING) return a[0] === b[0] ? [b[1], a[1], a[2], a[3]] : undefined
  return a[1] === b[0] ? [a[0], b[1], a[2], a[3]] : undefined
}

function toFour([x = 1, y = 1, z = 1, w = 1]: readonly number[]): Shape {
  return [x, y, z, w]
}

function inWords(shape: Shape): string {
  const last = shape.findLastIndex((size) => size !== 1)
  return shape.slice(0, Math.max(2, last + 1)).join(" × ")
}
