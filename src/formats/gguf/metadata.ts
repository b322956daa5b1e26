import { POOLINGS } from "../../domain/embedding"
import type { EmbeddingModelDetails, GgufDetails } from "../../domain/model"
import { jinjaCapabilities } from "../template-capabilities"
import type { GgufKind } from "./read"
import {
  FILE_TYPE_NAMES,
  type GgufHeader,
  type GgufScalar,
  type GgufTensorInfo,
  type GgufValue,
} from "./types"

/** The description of a model derived from its file. */
export type GgufDescription = Omit<
  EmbeddingModelDetails,
  "kind" | "name" | "path" | "id" | "sizeBytes" | "modifiedAt" | "defaults"
> &
  Pick<GgufDetails, "kind">

/** The array whose values {@link describeGguf} needs to find fill-in-the-middle tokens, and the texts of others. */
export const TOKENS_KEY = "tokenizer.ggml.tokens"

/** Encoder-only architectures; older files of these have no key that says so. */
const ENCODERS: ReadonlySet<string> = new Set([
  "bert",
  "nomic-bert",
  "nomic-bert-moe",
  "jina-bert-v2",
  "jina-bert-v3",
  "modern-bert",
  "neo-bert",
  "eurobert",
  "gemma-embedding",
  "llama-embed",
  "t5encoder",
])
/** Does every token of that architecture see all others? */
export function isEncoder(architecture: string): boolean {
  return ENCODERS.has(architecture)
}

/**
 * Architectures that neither embed nor generate token by token: encoder-decoders, diffusion, draft models,
 * vocoders.
 */
const OTHERS: ReadonlySet<string> = new Set([
  "t5",
  "dream",
  "llada",
  "llada-moe",
  "rnd1",
  "dflash",
  "eagle3",
  "gemma4-assistant",
  "wavtokenizer-dec",
])

/** Flag in `general.file_type` if the writer guessed the type (llama.h's `LLAMA_FTYPE_GUESSED`). */
const GUESSED_FLAG = 1024
/** Keys of the fill-in-the-middle prefix token; the second is from older writers. */
const FIM_KEYS: readonly string[] = ["tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"]
/** Texts by which llama.cpp finds that token if no key names it (llama-vocab.cpp). */
const FIM_TOKENS: ReadonlySet<GgufScalar> = new Set([
  "<|fim_prefix|>",
  "<fim-prefix>",
  "<fim_prefix>",
  "<PRE>",
  "▁<PRE>",
  "<｜fim▁begin｜>",
  "<|code_prefix|>",
  "<|prefix|>",
])

/**
 * Whether a model embeds or ranks texts. One whose file has a pooling type does, even if its architecture could
 * generate (such as Qwen3-Embedding).
 */
export function vectorUse({
  architecture = "",
  pooling = 0,
  causal,
}: Partial<Pick<GgufKind, "architecture" | "pooling" | "causal">>): "embedding" | "rerank" | undefined {
  if (OTHERS.has(architecture)) return undefined
  if (POOLINGS[pooling] === "rank") return "rerank"
  return causal === false || ENCODERS.has(architecture) || pooling > 0 ? "embedding" : undefined
}

/** `header`: of the first file; `tensors`: of all files of the model. */
export function describeGguf(header: GgufHeader, tensors: readonly GgufTensorInfo[]): GgufDescription {
  const { metadata } = header
  const architecture = textOf(metadata, "general.architecture") ?? "unknown"
  const count = (key: string): number => largestNumber(metadata.get(`${architecture}.${key}`))
  const pooling = POOLINGS[numeric(metadata.get(`${architecture}.pooling_type`) ?? -1)]
  const capabilities = capabilitiesOf(metadata, architecture)
  return {
    kind: capabilities.some((one) => one === "embedding" || one === "rerank") ? "embedding" : "text",
    ...(pooling !== undefined && { pooling }),
    architecture,
    parameterCount: tensors.reduce((sum, tensor) => sum + tensor.elements, 0),
    quantization: quantizationName(metadata, tensors),
    contextLength: count("context_length"),
    embeddingLength: count("embedding_length"),
    layers: count("block_count"),
    heads: count("attention.head_count"),
    license: textOf(metadata, "general.license"),
    chatTemplate: textOf(metadata, "tokenizer.chat_template"),
    ...tokenText(metadata, "bosToken", "tokenizer.ggml.bos_token_id"),
    ...tokenText(metadata, "eosToken", "tokenizer.ggml.eos_token_id"),
    capabilities,
    metadata: Object.fromEntries([...metadata].map(([key, value]) => [key, displayValue(value)])),
  }
}

function textOf(metadata: GgufHeader["metadata"], key: string): string | undefined {
  const value = metadata.get(key)
  return typeof value === "string" ? value : undefined
}

/** The text of the token that a key names, if the values of {@link TOKENS_KEY} were kept. */
function tokenText<N extends string>(
  metadata: GgufHeader["metadata"],
  name: N,
  key: string,
): { readonly [K in N]?: string } {
  const [tokens, id] = [metadata.get(TOKENS_KEY), metadata.get(key)]
  const text = typeof tokens === "object" && typeof id === "number" ? tokens.values?.[id] : undefined
  // The only property is the optional one.
  return (typeof text === "string" ? { [name]: text } : {}) as { readonly [K in N]?: string }
}

/** The number, or the largest of an array with one per layer; 0 if absent. */
function largestNumber(value: GgufValue | undefined): number {
  if (value === undefined) return 0
  const values = typeof value === "object" ? (value.values ?? []) : [value]
  return values.reduce<number>((most, item) => Math.max(most, numeric(item)), 0)
}

function numeric(value: GgufValue): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0
}

function quantizationName(metadata: GgufHeader["metadata"], tensors: readonly GgufTensorInfo[]): string {
  const fileType = metadata.get("general.file_type")
  const named = typeof fileType === "number" ? FILE_TYPE_NAMES.get(fileType & ~GUESSED_FLAG) : undefined
  return named ?? mostUsedType(tensors)
}

/** The type of most of the model's parameters. */
function mostUsedType(tensors: readonly GgufTensorInfo[]): string {
  const elements = new Map<string, number>()
  for (const { type, elements: count } of tensors) {
    elements.set(type.name, (elements.get(type.name) ?? 0) + count)
  }
  const [most] = [...elements].sort(([, a], [, b]) => b - a)
  return most?.[0] ?? "unknown"
}

/** In the order of the list in `domain/`. */
function capabilitiesOf(metadata: GgufHeader["metadata"], architecture: string): string[] {
  if (OTHERS.has(architecture)) return []
  const pooling = metadata.get(`${architecture}.pooling_type`)
  const causal = metadata.get(`${architecture}.attention.causal`)
  const use = vectorUse({
    architecture,
    ...(typeof pooling === "number" && { pooling }),
    ...(typeof causal === "boolean" && { causal }),
  })
  if (use !== undefined) return [use]
  const template = textOf(metadata, "tokenizer.chat_template")
  return [
    "completion",
    ...(template === undefined ? [] : ["chat", ...jinjaCapabilities(template)]),
    ...(fillsInTheMiddle(metadata) ? ["insert"] : []),
  ]
}

function fillsInTheMiddle(metadata: GgufHeader["metadata"]): boolean {
  if (FIM_KEYS.some((key) => metadata.has(key))) return true
  const tokens = metadata.get(TOKENS_KEY)
  return typeof tokens === "object" && (tokens.values ?? []).some((token) => FIM_TOKENS.has(token))
}

function displayValue(value: GgufValue): GgufScalar {
  return typeof value === "object" ? `array of ${value.length} ${value.elementType}` : value
}
