import type { EmbeddingShape } from "../../formats/embedding-memory"
import type { TextModelSettings } from "../../domain/settings"
import type { Model } from "../../llama/model"

/** From the model's file. */
export function shapeOf(
  model: Model,
  { flashAttention }: Pick<TextModelSettings, "flashAttention">,
): EmbeddingShape {
  const architecture = model.metadata("general.architecture") ?? ""
  const number = (key: string) => Number(model.metadata(`${architecture}.${key}`)) || 0
  const isEncoder = model.metadata(`${architecture}.attention.causal`) === "false"
  return {
    embeddingLength: model.embeddingLength,
    feedForwardLength: number("feed_forward_length"),
    heads: number("attention.head_count"),
    flashAttention: flashAttention !== "off",
    vocabulary: isEncoder ? 0 : model.vocabulary.size,
  }
}
