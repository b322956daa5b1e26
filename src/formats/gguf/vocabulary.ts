import type { GgufDetails } from "../../domain/model"

/** llama.cpp's number of a tokenizer (`enum llama_vocab_type`) by its name in files. */
const TYPES: ReadonlyMap<unknown, number> = new Map([
  ["no_vocab", 0],
  ["none", 0],
  ["llama", 1],
  ["gpt2", 2],
  ["hybriddna", 2],
  ["whitespace", 2],
  ["gemma4", 2],
  ["bert", 3],
  ["t5", 4],
  ["rwkv", 5],
  ["plamo2", 6],
])

/** What a file's metadata say of its vocabulary; undefined where they do not, or unknown. */
export function vocabularyOf({ metadata }: Pick<GgufDetails, "metadata">): {
  readonly type: number | undefined
  readonly tokens: number | undefined
} {
  const tokens = /^array of (\d+) /.exec(String(metadata["tokenizer.ggml.tokens"]))?.[1]
  return {
    type: TYPES.get(metadata["tokenizer.ggml.model"]),
    tokens: tokens === undefined ? undefined : Number(tokens),
  }
}
