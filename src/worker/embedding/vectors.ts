import type { EmbeddingRequest } from "../../domain/embedding"

/** See {@link EmbeddingRequest.norm}. */
const [UNSCALED, LARGEST, EUCLIDEAN] = [-1, 0, 2]

/** What {@link LARGEST} makes of the largest number: vectors then fit into 16 bits. */
const MOST = 32_760

/** The first `dimensions` numbers of a vector, scaled by the norm; a vector of zeros stays one. */
export function normalized(
  vector: Float32Array,
  {
    dimensions = vector.length,
    norm = EUCLIDEAN,
  }: Partial<Pick<EmbeddingRequest, "dimensions" | "norm">> = {},
): Float32Array {
  const cut = vector.slice(0, dimensions)
  if (norm === UNSCALED) return cut
  const length = lengthOf(cut, norm)
  const scale = length > 0 ? 1 / length : 0
  for (let index = 0; index < cut.length; index++) cut[index] = (cut[index] ?? 0) * scale
  return cut
}

function lengthOf(vector: Float32Array, norm: number): number {
  if (norm === EUCLIDEAN) {
    let squares = 0
    for (const value of vector) squares += value * value
    return Math.sqrt(squares)
  }
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  if (norm === LARGEST) return largest / MOST
  // Relative to the largest number: a high power of the others would be 0, or infinite.
  let sum = 0
  if (largest > 0) for (const value of vector) sum += (Math.abs(value) / largest) ** norm
  return largest * sum ** (1 / norm)
}

export function isFinite(vector: Float32Array): boolean {
  return vector.every(Number.isFinite)
}
