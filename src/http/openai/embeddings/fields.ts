import { type FieldTable, ignored, refused, refusedUnless, taken } from "../../read/field-table"
import { OF_EVERY_REQUEST } from "../request-fields"

/** Fields of both routes. */
const OF_TEXTS: FieldTable = {
  ...OF_EVERY_REQUEST,
  truncate: taken,
  truncate_prompt_tokens: taken,
  truncation_direction: taken,
  truncation_side: taken,
  priority: ignored,
}

/** Fields of POST /v1/embeddings: OpenAI's, and those of llama-server, vLLM, TEI and others. */
export const EMBEDDING_FIELDS: FieldTable = {
  ...OF_TEXTS,
  input: taken,
  encoding_format: taken,
  dimensions: taken,
  add_special_tokens: refusedUnless([true], ": texts are read as the model was trained to read them"),
  // llama-server's number of the norm, and TEI's and vLLM's flag.
  embd_normalize: taken,
  normalize: taken,
  pooling: refused(": texts are pooled as the model's file says"),
  // What the text is for: models that want to know it have it in the text.
  input_type: ignored,
}

/** Fields of POST /v1/rerank: Jina's and Cohere's, and those of llama-server, vLLM and TEI. */
export const RERANK_FIELDS: FieldTable = {
  ...OF_TEXTS,
  query: taken,
  documents: taken,
  texts: taken,
  top_n: taken,
  return_documents: taken,
  return_text: taken,
  // Scores are those of the model.
  raw_scores: ignored,
  max_chunks_per_doc: ignored,
}
