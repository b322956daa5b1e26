/** The seed that means "a fresh one" to llama.cpp's samplers (LLAMA_DEFAULT_SEED), so it cannot be asked for. */
const RANDOM_SEED = 2 ** 32 - 1

/**
 * A whole number of any size as a seed that llama.cpp takes: 32 bits, always the same ones, and never the seed that
 * means a random one.
 */
export function foldSeed(seed: number): number {
  return ((seed % RANDOM_SEED) + RANDOM_SEED) % RANDOM_SEED
}
