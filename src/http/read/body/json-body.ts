import { reasonOf } from "../../../errors/base"
import { InvalidRequest, PayloadTooLarge } from "../../../errors/request"
import { breathe } from "../../../lib/async/breathe"
import { findExcess } from "../../../lib/json-shape"
import { shorten } from "../../../lib/text/shorten"
import { BODY_BYTES, JSON_SHAPE, SHOWN } from "../../../limits"
import { requestContextOf } from "../../context/request-context"
import { bodyBytes, isEncoded } from "./body-bytes"

/** An unchecked JSON object; {@link Fields} checks its contents. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Reads the request's body as a JSON object.
 * @param limitBytes the largest accepted body
 * @throws InvalidRequest if it is not JSON, not an object, or declared as multipart; and what {@link bodyBytes}
 *   throws
 */
export async function readJsonObject(
  request: Request,
  limitBytes: number = BODY_BYTES.other,
): Promise<JsonObject> {
  return (await readSizedObject(request, limitBytes)).body
}

/** The same with the body's size. */
export async function readSizedObject(
  request: Request,
  limitBytes: number,
): Promise<{ readonly body: JsonObject; readonly bytes: number }> {
  const { value, bytes } = await readSized(request, limitBytes)
  if (!isJsonObject(value))
    throw new InvalidRequest(`the request body must be a JSON object, got ${kindOf(value)}`)
  requestContextOf(request).logModelName(value["model"])
  return { body: value, bytes }
}

/** Reads the request's body as JSON of any kind. @throws as {@link readJsonObject} */
export async function readJson(request: Request, limitBytes: number = BODY_BYTES.other): Promise<unknown> {
  return (await readSized(request, limitBytes)).value
}

async function readSized(
  request: Request,
  limitBytes: number,
): Promise<{ readonly value: unknown; readonly bytes: number }> {
  checkContentType(request.headers.get("content-type"))
  const bytes = await readBytes(request, limitBytes)
  await checkShape(bytes)
  const text = decodeUtf8(bytes)
  // Decoding and parsing are both slow for a long text.
  if (bytes.length > LONG_BYTES) await breathe()
  if (isBlank(text)) throw new InvalidRequest("the request body is empty; it must be a JSON object")
  return { value: parseJson(text), bytes: bytes.length }
}

/** From this size on, decoding and parsing are separate steps that yield to other requests. */
const LONG_BYTES = 1024 ** 2

/** Avoids copying a long text. */
function isBlank(text: string): boolean {
  return !/\S/.test(text)
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** The type of a JSON value, for error messages. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

/** Does a Content-Type denote JSON? */
export function isJsonType(contentType: string | null): boolean {
  return /^application\/(?:[\w.+-]+\+)?json$/i.test(essenceOf(contentType))
}

/**
 * JSON is accepted whatever its declared type, as in other servers: `curl -d` declares a form. Only multipart is
 * refused. Whether a page may send the request is checked elsewhere: see plugins/pages.ts.
 */
function checkContentType(contentType: string | null): void {
  if (!/^multipart\//i.test(essenceOf(contentType))) return
  throw new InvalidRequest(
    `the Content-Type must be application/json, got '${shorten(contentType ?? "", SHOWN.name)}'`,
  )
}

/** The type without its parameters. */
function essenceOf(contentType: string | null): string {
  return (contentType ?? "").split(";")[0]?.trim() ?? ""
}

async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? 0)
  const isPlain = declared > 0 && declared <= limitBytes && !isEncoded(request)
  if (isPlain) return new Uint8Array(await request.arrayBuffer())
  const chunks: Uint8Array[] = []
  for await (const chunk of bodyBytes(request, limitBytes)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** @throws InvalidRequest if parsing it would block the event loop for too long */
async function checkShape(bytes: Uint8Array): Promise<void> {
  const isLong = bytes.length > BODY_BYTES.generation
  const excess = await findExcess(bytes, { ...JSON_SHAPE, ...(isLong && { costly: BODY_BYTES.generation }) })
  if (excess === undefined) return
  if (excess === "costly") throw new PayloadTooLarge(BODY_BYTES.generation)
  const what = `it has more than ${JSON_SHAPE[excess]} ${excess}`
  throw new InvalidRequest(`the request body is not valid JSON: ${what}`)
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
    // A SyntaxError, or a RangeError if it is nested too deeply.
    const reason = error instanceof RangeError ? "it is nested too deeply" : reasonOf(error)
    // The reason may quote any amount of the text.
    throw new InvalidRequest(`the request body is not valid JSON: ${shorten(reason, SHOWN.name)}`)
  }
}
