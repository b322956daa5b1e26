import type { EmbeddingShape } from "../../formats/embedding-memory"
import type { TextModelSettings } from "../../domain/settings"
import type { Model } from "../../llama/model"
import { waysOf } from "./load"

/** Keys and values of half precision. */
const CELL_BYTES = 2 * 2

/** From the model's file. */
export function shapeOf(
  model: Model,
  settings: Pick<TextModelSettings, "flashAttention" | "pooling">,
): EmbeddingShape {
  const architecture = model.metadata("general.architecture") ?? ""
  const number = (key: string) => Number(model.metadata(`${architecture}.${key}`)) || 0
  const { partTokens } = waysOf(model, settings)
  const heads = number("attention.head_count_kv") || number("attention.head_count")
  const head =
    number("attention.key_length") || model.embeddingLength / Math.max(1, number("attention.head_count"))
  return {
    embeddingLength: model.embeddingLength,
    feedForwardLength: number("feed_forward_length"),
    heads: number("attention.head_count"),
    flashAttention: settings.flashAttention !== "off",
    vocabulary: partTokens === undefined ? 0 : model.vocabulary.size,
    ...(partTokens !== undefined && { cellBytes: CELL_BYTES * model.layers * heads * head }),
  }
}
