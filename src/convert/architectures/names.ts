/** Names of tensors within a layer in transformers, and in GGUF files. */
const IN_LAYERS: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "self_attn.qkv_proj": "attn_qkv",
  "self_attn.sinks": "attn_sinks",
  post_attention_layernorm: "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
  "mlp.gate_up_proj": "ffn_up",
  // mixtures of experts
  "mlp.gate": "ffn_gate_inp",
  "mlp.router": "ffn_gate_inp",
  "block_sparse_moe.gate": "ffn_gate_inp",
  "mlp.experts.gate_proj": "ffn_gate_exps",
  "mlp.experts.up_proj": "ffn_up_exps",
  "mlp.experts.down_proj": "ffn_down_exps",
  "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
  "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
  "mlp.shared_expert.up_proj": "ffn_up_shexp",
  "mlp.shared_expert.down_proj": "ffn_down_shexp",
  "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
  "mlp.shared_experts.up_proj": "ffn_up_shexp",
  "mlp.shared_experts.down_proj": "ffn_down_shexp",
}

/** Names outside of layers. */
const OUTSIDE: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  embed_tokens: "token_embd",
  "model.norm": "output_norm",
  norm: "output_norm",
  lm_head: "output",
}

const LAYER = /^(?:model\.layers|layers|encoder\.layers?)\.(\d+)\.(.+)$/

/** Tensors that no GGUF has: constants, buffers and parts for other media. */
const LEFT_OUT =
  /\.attention\.masked_bias$|\.attention\.bias$|\.rotary_emb\.inv_freq$|^(?:mlp|vit\.|vpm\.|siglip2\.|conformer\.|merger\.|resampler\.)|visual\.|vision\.|audio\.|talker\.|vision_|audio_|token2wav\.|projector\.|pre_mm_projector_norm|image_newline|view_seperator|patch_embed|patch_merger\.|model\.connector\./

export function isLeftOut(name: string): boolean {
  return LEFT_OUT.test(name)
}

/** Is a left-out tensor part of an image or audio encoder, rather than a buffer? */
export function isOtherMedia(name: string): boolean {
  return LEFT_OUT.test(name) && !/masked_bias$|\.attention\.bias$|inv_freq$/.test(name)
}

/** The name in a GGUF file; `undefined` for an unknown tensor. `own`: an architecture's names go before the common ones. */
export function ggufName(name: string, own: Readonly<Record<string, string>> = {}): string | undefined {
  const [, stem = name, ending = ""] = /^(.*)(\.(?:weight|bias))$/.exec(name) ?? []
  const [, layer, inner] = LAYER.exec(stem) ?? []
  if (layer === undefined || inner === undefined) {
    const outside = lookUp(own, stem) ?? lookUp(OUTSIDE, stem)
    return outside && outside + ending
  }
  const found = lookUp(own, inner) ?? lookUp(IN_LAYERS, inner)
  return found && `blk.${Number(layer)}.${found}${ending}`
}

/** Names in transformers by those in a GGUF, within layers; where several have one name, the first. */
export function hfNames(own: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [hf, gguf] of [...Object.entries(own), ...Object.entries(IN_LAYERS)])
    if (!names.has(gguf) && !(hf in own && own[hf] !== gguf)) names.set(gguf, hf)
  return names
}

/** Names come from files: one may be `constructor`. */
function lookUp(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** Tensors whose numbers are kept as they are: one dimension, norms, biases, routers, positions and convolutions. */
export function staysFloat32(name: string, dimensions: number): boolean {
  return (
    dimensions < 2 ||
    !name.endsWith(".weight") ||
    name.endsWith("_norm.weight") ||
    /(?:ffn_gate_inp|ffn_gate_inp_shexp|ssm_conv1d|shortconv\.conv)\.weight$|^(?:position_embd|token_types)\.weight$/.test(
      name,
    )
  )
}
