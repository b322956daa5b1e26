/** The seed that llama.cpp's samplers replace by a random one (LLAMA_DEFAULT_SEED), so it cannot be requested. */
const RANDOM_SEED = 2 ** 32 - 1

/**
 * Maps an integer of any size to a 32-bit seed for llama.cpp: deterministic, and never the seed that means a random
 * one.
 */
export function foldSeed(seed: number): number {
  return ((seed % RANDOM_SEED) + RANDOM_SEED) % RANDOM_SEED
}
