/** The first `dimensions` numbers of a vector, scaled to length 1; a vector of zeros stays one. */
export function normalized(vector: Float32Array, dimensions = vector.length): Float32Array {
  const cut = vector.slice(0, dimensions)
  let squares = 0
  for (const value of cut) squares += value * value
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0
  for (let index = 0; index < cut.length; index++) cut[index] = (cut[index] ?? 0) * scale
  return cut
}

export function isFinite(vector: Float32Array): boolean {
  return vector.every(Number.isFinite)
}
