import { Elysia } from "elysia"
import { checkOrigin, originCheck } from "../context/origins"
import type { CurrentSettings } from "../context/settings"
import { isJsonType } from "../read/json-body"

/** Methods that change nothing here. */
const READING = new Set(["GET", "HEAD", "OPTIONS"])

/**
 * Refuses what a foreign page has a browser send without asking first: forms, texts and bodies without a type. The page
 * could not read the answer, but it could make the server work. What is declared as JSON a browser asks for first, and
 * {@link cors} does not allow it.
 */
export function pages(settings: CurrentSettings) {
  const isAllowed = originCheck(settings)
  return new Elysia({ name: "pages" }).onRequest(({ request }) => {
    if (READING.has(request.method) || isJsonType(request.headers.get("content-type"))) return
    checkOrigin(request, isAllowed)
  })
}
