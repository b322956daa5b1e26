import { Elysia } from "elysia"
import { checkOrigin, originCheck } from "../context/origins"
import type { CurrentSettings } from "../context/settings"
import { isJsonType } from "../read/body/json-body"

/** Methods that change nothing on this server. */
const READING = new Set(["GET", "HEAD", "OPTIONS"])

/**
 * Refuses requests that a foreign page's browser may send without a preflight: forms, texts and bodies without a
 * type. The page could not read the answer, but it could make the server work. JSON needs a preflight, which
 * {@link cors} refuses.
 */
export function pages(settings: CurrentSettings) {
  const isAllowed = originCheck(settings)
  return new Elysia({ name: "pages" }).onRequest(({ request }) => {
    if (READING.has(request.method) || isJsonType(request.headers.get("content-type"))) return
    checkOrigin(request, isAllowed)
  })
}
