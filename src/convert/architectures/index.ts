import type { TextArchitecture } from "./architecture"
import { deepseek2 } from "./deepseek2"
import { glm4 } from "./glm4"
import { lfm2 } from "./lfm2"
import { olmo2 } from "./olmo2"
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
  olmo2,
  glm4,
  lfm2,
  deepseek2,
]

/** The architecture of a class of transformers. */
export function findArchitecture(className: string): TextArchitecture | undefined {
  return ARCHITECTURES.find(({ classes }) => classes.includes(className))
}

/** The architecture that llama.cpp calls so. */
export function architectureNamed(name: string): TextArchitecture | undefined {
  return ARCHITECTURES.find((each) => each.name === name)
}

/** llama.cpp's names of all that are known, sorted. */
export function knownArchitectures(): readonly string[] {
  return [...new Set(ARCHITECTURES.map(({ name }) => name))].sort()
}
