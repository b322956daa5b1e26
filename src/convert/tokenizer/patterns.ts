/** Patterns by which well-known tokenizers divide texts, in tokenizer.json, and llama.cpp's names of them. */
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
const OTHER = "[^\\r\\n\\p{L}\\p{N}]?"

export const SPLIT_PATTERNS: readonly (readonly [pattern: string, name: string])[] = [
  [
    `${CONTRACTIONS}|${OTHER}\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    "llama-bpe",
  ],
  [
    `${CONTRACTIONS}|${OTHER}\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    "qwen2",
  ],
  ["'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2"],
  [
    `${OTHER}${UPPER}*${LOWER}+|${OTHER}${UPPER}+${LOWER}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    "tekken",
  ],
  [
    `${OTHER}${UPPER}*${LOWER}+${CONTRACTIONS}?|${OTHER}${UPPER}+${LOWER}*${CONTRACTIONS}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    "gpt-4o",
  ],
]
