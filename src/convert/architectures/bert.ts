import type { MetadataFields } from "../fields"
import type { HfConfig } from "../source/config"
import { sliced } from "../tensors/values"
import type { TextArchitecture, ConversionFacts } from "./architecture"

const NAMES = {
  "embeddings.word_embeddings": "token_embd",
  "embeddings.position_embeddings": "position_embd",
  "embeddings.token_type_embeddings": "token_types",
  "embeddings.LayerNorm": "token_embd_norm",
  "attention.self.query": "attn_q",
  "attention.self.key": "attn_k",
  "attention.self.value": "attn_v",
  "attention.output.dense": "attn_output",
  "attention.output.LayerNorm": "attn_output_norm",
  "intermediate.dense": "ffn_up",
  "output.dense": "ffn_down",
  "output.LayerNorm": "layer_output_norm",
  "classifier.dense": "cls",
  "classifier.out_proj": "cls.output",
}

/** Older names of weights; heads for other tasks are left out. */
function rename(name: string, config: HfConfig): string | undefined {
  let plain = name
    .replace(/^(?:bert|roberta)\./, "")
    .replace(/\.gamma$/, ".weight")
    .replace(/\.beta$/, ".bias")
  if (
    /^embeddings\.position_ids$|^pooler\.dense\.|^cls\.(?:predictions|seq_relationship)|^lm_head\./.test(
      plain,
    )
  )
    return undefined
  // Of a classifier without a layer in between.
  if (labels(config) !== undefined)
    plain = plain.replace(/^classifier\.(weight|bias)$/, "classifier.out_proj.$1")
  return plain
}

/** Names of classes, unless they are the ones that transformers makes up. */
function labels(config: HfConfig): readonly string[] | undefined {
  const given = config.record("id2label")
  if (given === undefined || !config.architecture.endsWith("SequenceClassification")) return undefined
  const entries = Object.entries(given).sort(([a], [b]) => Number(a) - Number(b))
  if (entries.length === 2 && entries[0]?.[1] === "LABEL_0") return undefined
  return entries.map(([, label]) => String(label))
}

function setEncoderFields(fields: MetadataFields, { name, config, pooling }: ConversionFacts): void {
  fields.flag(`${name}.attention.causal`, false)
  fields.u32(`${name}.pooling_type`, pooling)
  fields.texts(`${name}.classifier.output_labels`, labels(config))
}

function setTokenTypes(fields: MetadataFields, { config }: ConversionFacts): void {
  fields.u32("tokenizer.ggml.token_type_count", config.optionalCount("type_vocab_size") ?? 1)
}

const DEFAULTS = { layer_norm_eps: 1e-12, type_vocab_size: 2, max_position_embeddings: 512 }

export const bert: TextArchitecture = {
  classes: ["BertModel", "BertForMaskedLM", "BertForSequenceClassification", "CamembertModel"],
  name: "bert",
  tokenizers: ["wordpiece"],
  defaults: DEFAULTS,
  names: NAMES,
  rename,
  fields: setEncoderFields,
  tokenizerFields: setTokenTypes,
}

/** Its positions begin after that of the padding token. */
function positionOffset(config: HfConfig): number {
  const padding = config.optionalCount("pad_token_id")
  return padding === undefined ? 0 : padding + 1
}

const robertaLike: Omit<TextArchitecture, "classes" | "tokenizers"> = {
  name: "bert",
  defaults: { ...DEFAULTS, pad_token_id: 1 },
  names: NAMES,
  rename,
  change({ name, values }, { config }) {
    if (name !== "position_embd.weight") return [{ name, values }]
    return [{ name, values: sliced(values, positionOffset(config), values.shape[0] ?? 0) }]
  },
  fields(fields, facts) {
    const { name, config } = facts
    setEncoderFields(fields, facts)
    fields.u32(`${name}.context_length`, config.count("max_position_embeddings") - positionOffset(config))
  },
  tokenizerFields: setTokenTypes,
}

export const roberta: TextArchitecture = {
  ...robertaLike,
  classes: ["RobertaModel", "RobertaForSequenceClassification"],
  tokenizers: ["bpe"],
}

/** Also bge-m3 and its kin. */
export const xlmRoberta: TextArchitecture = {
  ...robertaLike,
  classes: ["XLMRobertaModel", "XLMRobertaForSequenceClassification"],
  tokenizers: ["unigram"],
}

export const nomicBert: TextArchitecture = {
  classes: ["NomicBertModel"],
  name: "nomic-bert",
  tokenizers: ["wordpiece"],
  names: {
    ...NAMES,
    emb_ln: "token_embd_norm",
    "attn.Wqkv": "attn_qkv",
    "attn.out_proj": "attn_output",
    norm1: "attn_output_norm",
    norm2: "layer_output_norm",
    "mlp.fc11": "ffn_up",
    "mlp.fc12": "ffn_gate",
    "mlp.fc2": "ffn_down",
  },
  rename,
  fields(fields, facts) {
    const { name, config } = facts
    setEncoderFields(fields, facts)
    if (config.has("moe_every_n_layers") && config.optionalCount("moe_every_n_layers") !== 0)
      throw config.fail("mixtures of experts of this architecture are not known yet")
    // Those that can be stretched to 8192 were trained with 2048.
    const positions = config.count("n_positions")
    const trained = config.optionalCount("max_trained_positions") ?? 2048
    if (positions !== 8192 || trained !== 2048)
      throw config.fail(
        `'n_positions' must be 8192 and 'max_trained_positions' 2048, got ${positions} and ${trained}`,
      )
    fields.u32(`${name}.context_length`, trained)
  },
  tokenizerFields: setTokenTypes,
}
