import { InvalidRequest } from "../../../errors/request"
import { shorten } from "../../../lib/text/shorten"
import { SHOWN } from "../../../limits"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"

/** OpenAI's. */
const DEFAULT_LIMIT = 20
const MOST = 100

/** A page of a response's input: `limit` items after the one with the id `after`, in `order` (the newest first). */
export function toItemPage(items: readonly unknown[], query: URLSearchParams): JsonObject {
  const ordered = readOrder(query) === "asc" ? items : items.toReversed()
  const limit = readLimit(query)
  const start = placeAfter(ordered, query.get("after"))
  const data = ordered.slice(start, start + limit)
  return {
    object: "list",
    data,
    first_id: idOf(data[0]) ?? null,
    last_id: idOf(data.at(-1)) ?? null,
    has_more: start + data.length < ordered.length,
  }
}

function readOrder(query: URLSearchParams): "asc" | "desc" {
  const order = query.get("order") ?? "desc"
  if (order === "asc" || order === "desc") return order
  throw new InvalidRequest(`order must be asc or desc, got '${shorten(order, SHOWN.value)}'`, "order")
}

function readLimit(query: URLSearchParams): number {
  const given = query.get("limit")
  const limit = given === null ? DEFAULT_LIMIT : /^\d{1,9}$/.test(given) ? Number(given) : 0
  if (limit >= 1 && limit <= MOST) return limit
  throw new InvalidRequest(
    `limit must be a whole number between 1 and ${MOST}, got '${shorten(given ?? "", SHOWN.value)}'`,
    "limit",
  )
}

function placeAfter(items: readonly unknown[], id: string | null): number {
  if (id === null) return 0
  const index = items.findIndex((item) => idOf(item) === id)
  if (index !== -1) return index + 1
  throw new InvalidRequest(
    `after '${shorten(id, SHOWN.value)}' is not the id of an item of the input`,
    "after",
  )
}

function idOf(item: unknown): string | undefined {
  return isJsonObject(item) && typeof item["id"] === "string" ? item["id"] : undefined
}
