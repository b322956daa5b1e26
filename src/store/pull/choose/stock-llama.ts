import type { GgufHeader } from "../../../formats/gguf/types"

/** Valid values of `general.architecture`: the names in the shipped llama.cpp's table of architectures. */
export const STOCK_ARCHITECTURES: ReadonlySet<string> = new Set(
  `afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bert bitnet bloom chameleon chatglm
  codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 deepseek2-ocr deepseek32 deepseek4 dflash
  dots1 dots3note dream eagle3 ernie4_5 ernie4_5-moe eurobert exaone exaone-moe exaone4 falcon falcon-h1 gemma
  gemma-embedding gemma2 gemma3 gemma3n gemma4 gemma4-assistant glm-dsa glm4 glm4moe gpt-oss gpt2 gptj gptneox granite
  granite_swa granitehybrid granitemoe graniteswitch grok grovemoe hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3
  hy_v4 internlm2 jais jais2 jamba jina-bert-v2 jina-bert-v3 kimi-k3 kimi-linear laguna lfm2 lfm2moe llada llada-moe
  llama llama-embed llama4 maincoder mamba mamba2 maple mellum mimo2 minicpm minicpm3 minimax-01 minimax-m2 minimax-m3
  mistral3 mistral4 modern-bert mpt muse-glimmer nanbeige nemotron nemotron_h nemotron_h_moe neo-bert nomic-bert
  nomic-bert-moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo2 plamo3 plm
  pockettts qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3tts qwen3vl qwen3vlmoe qwen4exp
  refact rnd1 rwkv6 rwkv6qwen2 rwkv7 seed_oss smallthinker smollm3 spark2_5 stablelm starcoder starcoder2 step35 t5
  t5encoder talkie wavtokenizer-dec xverse`.split(/\s+/),
)

/** Tensors of image and audio encoders; llama.cpp needs them in a separate file, and counts tensors. */
const INLINE = /^(v|mm|a|s|sam|vision|audio)\./

/** Every architecture has one of them, and llama.cpp has no default. */
const EPSILONS = ["layer_norm_rms_epsilon", "layer_norm_epsilon", "group_norm_epsilon"]

/**
 * Why stock llama.cpp cannot load a text model's file although it is intact; `undefined` where nothing prevents it.
 * Files made for Ollama's own engine lack keys, include encoders or use other names.
 */
export function llamaObstacle({
  metadata,
  tensors,
}: Pick<GgufHeader, "metadata" | "tensors">): string | undefined {
  const architecture = metadata.get("general.architecture")
  if (typeof architecture !== "string") return "it does not name its architecture"
  if (!STOCK_ARCHITECTURES.has(architecture))
    return `llama.cpp does not support the architecture '${architecture}'`
  const inline = tensors.find(({ name }) => INLINE.test(name))
  if (inline !== undefined) {
    return `it contains an image or audio encoder (such as the tensor '${inline.name}'), which llama.cpp expects in a file of its own`
  }
  // A vocabulary only, or a test file: there is nothing to compute.
  if (!tensors.some(({ name }) => name.startsWith("blk."))) return undefined
  if (!EPSILONS.some((key) => metadata.has(`${architecture}.attention.${key}`))) {
    return `it lacks the key '${architecture}.attention.${EPSILONS[0]}', which llama.cpp needs`
  }
  return vocabularyObstacle({ metadata, tensors })
}

/** Token tables must have as many rows as there are tokens. */
function vocabularyObstacle({
  metadata,
  tensors,
}: Pick<GgufHeader, "metadata" | "tensors">): string | undefined {
  const tokens = metadata.get("tokenizer.ggml.tokens")
  if (typeof tokens !== "object") return undefined
  const names = ["token_embd.weight", "per_layer_token_embd.weight"]
  const tables = tensors.filter(({ name }) => names.includes(name))
  const odd = tables.find(({ shape }) => shape.at(-1) !== tokens.length)
  return odd && `its tensor '${odd.name}' has ${odd.shape.at(-1)} rows, but there are ${tokens.length} tokens`
}
