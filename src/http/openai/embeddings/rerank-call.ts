import type { RerankRequest } from "../../../domain/embedding"
import { InvalidRequest } from "../../../errors/request"
import { COUNTS, NUMBERS, PRODUCTS, TEXTS } from "../../../limits"
import { refuseUnsupported } from "../../read/field-table"
import { checkText, Fields, invalidField } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import { readModelOptions } from "../../read/options"
import { readTruncation } from "../../read/truncation"
import { RERANK_FIELDS } from "./fields"

export interface RerankCall {
  readonly request: RerankRequest
  /** The most results. */
  readonly topN: number
  readonly returnsDocuments: boolean
  /** Asked in TEI's words, which has another form of answer. */
  readonly isTei: boolean
}

/** @throws InvalidRequest, Unsupported */
export function toRerankCall(body: JsonObject, headers: HeaderOptions = {}): RerankCall {
  const fields = new Fields(body)
  refuseUnsupported(fields, RERANK_FIELDS)
  const isTei = fields.unchecked("documents") === undefined && fields.unchecked("texts") !== undefined
  const query = fields.text("query", TEXTS.prompt)
  if (query === undefined) throw new InvalidRequest("query is required", "query")
  const documents = readDocuments(fields, isTei ? "texts" : "documents")
  if (query.length * documents.length > PRODUCTS.rankedCharacters)
    throw new InvalidRequest(
      `query × documents must have at most ${PRODUCTS.rankedCharacters} characters: ` +
        `the query has ${query.length}, and there are ${documents.length} documents`,
      "query",
    )
  const { cacheOwner: _, ...options } = headers
  return {
    request: {
      kind: "rerank",
      ...options,
      ...readModelOptions(fields),
      query,
      documents,
      ...readTruncation(fields),
    },
    topN: fields.integer("top_n", NUMBERS.topN) ?? documents.length,
    returnsDocuments: fields.boolean("return_documents") ?? fields.boolean("return_text") ?? false,
    isTei,
  }
}

function readDocuments(fields: Fields, name: string): readonly string[] {
  const list = fields.list(name, COUNTS.documents)
  if (list === undefined) throw new InvalidRequest(`${name} is required`, name)
  if (list.length === 0) throw new InvalidRequest(`${name} must not be empty`, name)
  return list.map((document, index) => {
    const text = isJsonObject(document) ? document["text"] : document
    const place = `${name}[${index}]`
    if (typeof text !== "string") throw invalidField(place, "a string or an object with a text", document)
    return checkText(place, text, TEXTS.prompt)
  })
}
