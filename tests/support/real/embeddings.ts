import type { EmbeddingRequest, RerankRequest } from "../../../src/domain/embedding"
import type { Engine } from "../../../src/engine/contract"
import { type CompleteVectors, VectorBuilder } from "../../../src/http/render/vectors"

type Inputs = EmbeddingRequest["inputs"]

/** The vectors of texts. @throws the request's error */
export async function embed(
  engine: Engine,
  model: string,
  inputs: Inputs,
  options: Partial<EmbeddingRequest> = {},
  signal = new AbortController().signal,
): Promise<CompleteVectors> {
  const builder = new VectorBuilder(inputs.length)
  const request: EmbeddingRequest = { kind: "embedding", model, inputs, truncation: "no", ...options }
  for await (const event of engine.embed(request, signal)) builder.add(event)
  return builder.build()
}

/** The scores of documents. @throws the request's error */
export async function rank(
  engine: Engine,
  model: string,
  query: string,
  documents: readonly string[],
  options: Partial<RerankRequest> = {},
): Promise<readonly number[]> {
  const builder = new VectorBuilder(documents.length)
  const request: RerankRequest = { kind: "rerank", model, query, documents, truncation: "no", ...options }
  for await (const event of engine.rerank(request, new AbortController().signal)) builder.add(event)
  return builder.build().vectors.map(([score = Number.NaN]) => score)
}

/** The largest difference between two vectors' numbers. */
export function distance(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined || a.length !== b.length) return Number.POSITIVE_INFINITY
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? Number.NaN))), 0)
}

/** The length of a vector. */
export function norm(vector: Float32Array | undefined): number {
  return Math.hypot(...(vector ?? []))
}
