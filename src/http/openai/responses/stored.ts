import { XllmError } from "../../../errors/base"
import { InvalidRequest, PreviousResponseNotFound } from "../../../errors/request"
import { breathe } from "../../../lib/async/breathe"
import { formatSize } from "../../../lib/text/bytes"
import { shorten } from "../../../lib/text/shorten"
import { RESPONSES, SHOWN, TEXTS } from "../../../limits"
import { Fields, tooMany } from "../../read/fields"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import type { ResponseStore, StoredTurn } from "../../response-store/response-store"
import type { ItemList } from "./items"
import { newId } from "./output-items"

/** A request with what it refers to. */
export interface Continued {
  /** With the items themselves in place of references to them. */
  readonly body: JsonObject
  readonly previous?: string
  /** The conversation before, the oldest first. */
  readonly earlier: readonly ItemList[]
}

/**
 * Looks up what a request refers to: `previous_response_id`, and items of earlier answers.
 * @throws PreviousResponseNotFound; InvalidRequest for items that are not there, and conversations that are too long
 */
export async function withStored(store: ResponseStore, owner: string, body: JsonObject): Promise<Continued> {
  const previous = new Fields(body).text("previous_response_id", TEXTS.id)
  const input = await withReferences(store, owner, body["input"])
  const whole = { ...body, input }
  if (previous === undefined) return { body: whole, earlier: [] }
  try {
    const turns = await store.chain(owner, previous)
    return { body: whole, previous, earlier: turns.flatMap(itemsOf) }
  } catch (error) {
    if (!(error instanceof XllmError) || error.code !== "response_not_found") throw error
    const why = store.isEnabled ? undefined : "responses are not kept here: responses.store is off"
    throw new PreviousResponseNotFound(previous, why)
  }
}

function itemsOf({ id, input, body }: StoredTurn): readonly ItemList[] {
  const { output } = body
  return [
    { path: `input of ${id}`, items: input },
    { path: `output of ${id}`, items: Array.isArray(output) ? output : [] },
  ]
}

/** The items that the model got with a response, oldest first. */
export function inputOf(turns: readonly StoredTurn[]): readonly unknown[] {
  return turns.flatMap((turn, index) => {
    const [input, output] = itemsOf(turn)
    return [...(input?.items ?? []), ...(index < turns.length - 1 ? (output?.items ?? []) : [])]
  })
}

async function withReferences(store: ResponseStore, owner: string, input: unknown): Promise<unknown> {
  if (!Array.isArray(input) || !input.some(isReference)) return input
  const references = input.filter(isReference).length
  if (references > RESPONSES.references)
    throw tooMany("input", RESPONSES.references, "references to items", references)
  const known = new KnownItems(store, owner)
  const items: unknown[] = []
  for (const [index, item] of input.entries())
    items.push(isReference(item) ? await known.get(`input[${index}]`, item) : (item as unknown))
  return items
}

/** Its type may be left out. */
function isReference(item: unknown): item is JsonObject {
  if (!isJsonObject(item)) return false
  const { type = null, role, content, id } = item
  const isBare = type === null && role === undefined && content === undefined && typeof id === "string"
  return type === "item_reference" || isBare
}

/** Items of stored answers; each response is read once. */
class KnownItems {
  readonly #store: ResponseStore
  readonly #owner: string
  readonly #read = new Set<string>()
  readonly #items = new Map<string, unknown>()
  #bytes = 0

  constructor(store: ResponseStore, owner: string) {
    this.#store = store
    this.#owner = owner
  }

  /** @throws InvalidRequest if it is not there */
  async get(path: string, reference: JsonObject): Promise<unknown> {
    const id = new Fields(reference, `${path}.`).text("id", TEXTS.id) ?? ""
    const response = this.#items.has(id) ? undefined : this.#store.withItem(id)
    if (response !== undefined && !this.#read.has(response)) await this.#readAll(response)
    const item = this.#items.get(id)
    if (item !== undefined) return item
    throw new InvalidRequest(
      `${path}.id '${shorten(id, SHOWN.value)}' is no item of a response that is kept here; send the item itself`,
      `${path}.id`,
    )
  }

  async #readAll(response: string): Promise<void> {
    this.#read.add(response)
    const json = this.#bodyOf(response)
    this.#bytes += json.length
    if (this.#bytes > RESPONSES.chainBytes)
      throw new InvalidRequest(`input refers to more than ${formatSize(RESPONSES.chainBytes)}`, "input")
    const { output } = JSON.parse(json) as JsonObject
    for (const item of Array.isArray(output) ? (output as readonly unknown[]) : [])
      if (isJsonObject(item) && typeof item["id"] === "string") this.#items.set(item["id"], item)
    await breathe()
  }

  /** Those of other keys are as good as gone. */
  #bodyOf(response: string): string {
    try {
      return this.#store.body(this.#owner, response)
    } catch (error) {
      if (error instanceof XllmError && error.code === "response_not_found") return "{}"
      throw error
    }
  }
}

/**
 * The items of a request as JSON, each in full and with an id; undefined if they are too large to be kept. Written
 * one by one, so that what is too large is not written as a whole.
 */
export function toStoredInput(items: readonly unknown[]): string | undefined {
  const parts: string[] = []
  let length = 0
  for (const item of items) {
    const json = JSON.stringify(toStoredItem(item))
    length += json.length + 1
    if (length > RESPONSES.bytes) return undefined
    parts.push(json)
  }
  return `[${parts.join(",")}]`
}

function toStoredItem(item: unknown): unknown {
  if (!isJsonObject(item)) return item
  const { type = "message", role, content } = item
  if (type !== "message") return { ...item, id: item["id"] ?? newId("item") }
  const textType = role === "assistant" ? "output_text" : "input_text"
  const part = { type: textType, text: content, ...(role === "assistant" && { annotations: [] }) }
  return {
    ...item,
    id: item["id"] ?? newId("msg"),
    type: "message",
    status: item["status"] ?? "completed",
    content: typeof content === "string" ? [part] : content,
  }
}
