import { Elysia } from "elysia"
import { requestContextOf } from "../context/request-context"
import { acceptsCoding } from "../../lib/text/codings"
import { handleInside } from "./request-contexts"

/** In bytes; compressing smaller bodies costs more than it saves. */
const WORTHWHILE_BYTES = 10 * 1024

/** Types of complete bodies. Streams have other types and are not compressed: each event must be sent at once. */
const COMPRESSIBLE = /^(?:application\/json|text\/(?:plain|html|css|javascript))\b/

/** Compresses large bodies for clients that accept it. */
export function gzip() {
  return new Elysia({ name: "gzip" }).wrap((inside, request) => async () => {
    const response = await handleInside(inside, request)
    if (requestContextOf(request).isStream || !isCompressible(response)) return response
    addVary(response.headers)
    if (request.method === "HEAD" || !acceptsCoding(request.headers.get("accept-encoding") ?? "", "gzip"))
      return response
    return compress(response)
  })
}

/**
 * Must not touch the body: Bun would turn it into a stream and lose its type. Routes set `no-transform` on content
 * that is compressed already, such as images in JSON.
 */
function isCompressible({ headers }: Response): boolean {
  if (headers.has("content-encoding") || /\bno-transform\b/.test(headers.get("cache-control") ?? ""))
    return false
  return COMPRESSIBLE.test(headers.get("content-type") ?? "")
}

/** Caches must not serve a compressed response to clients that do not accept it. */
function addVary(headers: Headers): void {
  const vary = headers.get("vary")
  if (vary !== "*") headers.set("vary", vary === null ? "Accept-Encoding" : `${vary}, Accept-Encoding`)
}

async function compress(response: Response): Promise<Response> {
  const { status } = response
  const headers = new Headers(response.headers)
  // Bun keeps the type of a text with its body, so it would be lost when the body is replaced.
  headers.set("content-type", response.headers.get("content-type") ?? "")
  const plain = new Uint8Array(await response.arrayBuffer())
  if (plain.byteLength <= WORTHWHILE_BYTES) return new Response(plain, { status, headers })
  const [{ gzip }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")])
  // Asynchronous, so that tokens of other answers do not have to wait.
  const packed = await promisify(gzip)(plain)
  headers.set("content-encoding", "gzip")
  headers.delete("content-length")
  return new Response(packed, { status, headers })
}
