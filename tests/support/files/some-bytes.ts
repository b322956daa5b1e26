/** Non-repeating bytes, reproducible for a seed, so that misplaced parts are detected. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = seed
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    words[index] = state
  }
  return new Uint8Array(words.buffer).subarray(0, size)
}
