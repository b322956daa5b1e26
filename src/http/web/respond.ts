import { acceptsCoding } from "../../lib/text/codings"
import { INDEX, type PageFile } from "./page-file"

/**
 * What the page may do: only what comes from this server, as files. With `trusted-types 'none'` no text can become HTML
 * or a script, whatever a model writes; images from elsewhere are never fetched.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ")

const PAGE_HEADERS = {
  // Asked for each time: the names in it change with every version.
  "cache-control": "no-cache, no-transform",
  "content-security-policy": PAGE_POLICY,
  "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}

const FILE_HEADERS = { "cache-control": "public, max-age=31536000, immutable, no-transform" }

/** In order of size. */
const CODINGS = ["br", "gzip"] as const

/** The response with a file: compressed as far as the client takes that, or 304 where it has it. */
export function respondWith(file: PageFile, request: Request): Response {
  const accepted = request.headers.get("accept-encoding") ?? ""
  const coding = CODINGS.find((each) => file.forms[each] !== undefined && acceptsCoding(accepted, each))
  const form = (coding && file.forms[coding]) ?? file.forms.identity
  const isPage = file.name === INDEX
  const headers = new Headers({
    ...(isPage ? PAGE_HEADERS : FILE_HEADERS),
    // Each form is another representation, and needs a tag of its own.
    etag: `"${file.tag}${coding === undefined ? "" : `-${coding}`}"`,
    vary: isPage ? "Origin, Accept, Accept-Encoding" : "Origin, Accept-Encoding",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  })
  if (isPage && isTrustworthy(request)) headers.set("cross-origin-opener-policy", "same-origin")
  if (isKnown(request, file)) return new Response(null, { status: 304, headers })
  headers.set("content-type", file.type)
  if (coding !== undefined) headers.set("content-encoding", coding)
  return new Response(form, { headers })
}

/** Does the client have the file, in whatever form? */
function isKnown({ headers }: Request, { tag }: PageFile): boolean {
  const given = headers.get("if-none-match")?.split(",") ?? []
  const own = ["", ...CODINGS.map((coding) => `-${coding}`)].map((suffix) => `"${tag}${suffix}"`)
  return given
    .map((each) => each.trim().replace(/^W\//, ""))
    .some((each) => each === "*" || own.includes(each))
}

/** Where browsers heed Cross-Origin-Opener-Policy; elsewhere they write an error for it. */
function isTrustworthy({ url }: Request): boolean {
  const { protocol, hostname } = new URL(url)
  return (
    protocol === "https:" || hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.")
  )
}
