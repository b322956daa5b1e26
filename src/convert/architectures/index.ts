import type { TextArchitecture } from "./architecture"
import { bert, nomicBert, roberta, xlmRoberta } from "./bert"
import { gemma, gemma2, gemma3 } from "./gemma"
import { granite, llama, mixtral, smollm3 } from "./llama"
import { phi3 } from "./phi3"
import { qwen2, qwen2moe, qwen3, qwen3moe } from "./qwen"

const ARCHITECTURES: readonly TextArchitecture[] = [
  llama,
  mixtral,
  smollm3,
  granite,
  qwen2,
  qwen2moe,
  qwen3,
  qwen3moe,
  gemma,
  gemma2,
  gemma3,
  phi3,
  bert,
  roberta,
  xlmRoberta,
  nomicBert,
]

/** The architecture of a class of transformers. */
export function findArchitecture(className: string): TextArchitecture | undefined {
  return ARCHITECTURES.find(({ classes }) => classes.includes(className))
}

/** llama.cpp's names of all that are known, sorted. */
export function knownArchitectures(): readonly string[] {
  return [...new Set(ARCHITECTURES.map(({ name }) => name))].sort()
}
