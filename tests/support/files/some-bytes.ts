/** Bytes that differ everywhere and are the same for the same seed, so that a part in the wrong place is found. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = seed
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    words[index] = state
  }
  return new Uint8Array(words.buffer).subarray(0, size)
}
