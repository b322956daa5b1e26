import { bodyBytes, isEncoded } from "./body-bytes"
import { InvalidRequest, reasonOf } from "../errors"
import { exchangeOf } from "./exchange"

/** The largest request body that is read; more is answered with 413. */
export const MAX_BODY_BYTES = 50 * 1024 ** 2

/** A JSON object as it came; {@link Fields} checks what is in it. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The request's body as a JSON object.
 * @throws InvalidRequest where it is not JSON, not an object, or declared as a form of several parts; what {@link bodyBytes} throws
 */
export async function readJsonObject(request: Request): Promise<JsonObject> {
  checkContentType(request.headers.get("content-type"))
  const text = decodeUtf8(await readBytes(request))
  if (text.trim() === "") throw new InvalidRequest("the request body is empty; it must be a JSON object")
  const value = parseJson(text)
  if (!isJsonObject(value))
    throw new InvalidRequest(`the request body must be a JSON object, got ${kindOf(value)}`)
  exchangeOf(request).names(value["model"])
  return value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** What a JSON value is, in the words of an error message. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

/** Is a Content-Type one of JSON? */
export function isJsonType(contentType: string | null): boolean {
  return /^application\/(?:[\w.+-]+\+)?json$/i.test(essenceOf(contentType))
}

/**
 * JSON is read whatever it is declared as: `curl -d` calls it a form, and other servers take it. A form of several parts
 * cannot be meant. Whether a page may send it is not decided here: see plugins/pages.ts.
 */
function checkContentType(contentType: string | null): void {
  if (!/^multipart\//i.test(essenceOf(contentType))) return
  throw new InvalidRequest(`the Content-Type must be application/json, got '${contentType}'`)
}

/** Without parameters. */
function essenceOf(contentType: string | null): string {
  return (contentType ?? "").split(";")[0]?.trim() ?? ""
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? 0)
  const isPlain = declared > 0 && declared <= MAX_BODY_BYTES && !isEncoded(request)
  if (isPlain) return new Uint8Array(await request.arrayBuffer())
  const chunks: Uint8Array[] = []
  for await (const chunk of bodyBytes(request, MAX_BODY_BYTES)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) throw new InvalidRequest("the request body is not valid UTF-8")
    throw error
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // A SyntaxError, or a RangeError where it is nested too deeply.
    throw new InvalidRequest(
      `the request body is not valid JSON: ${error instanceof RangeError ? "it is nested too deeply" : reasonOf(error)}`,
    )
  }
}
