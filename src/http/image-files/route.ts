import { Elysia } from "elysia"
import { ImageNotFound } from "../../errors/request"
import { matchesTag, parseRange } from "../../lib/http-range"
import type { ImageFiles, StoredImage } from "./image-files"

/** Images are fetched below this path. Their names cannot be guessed, so no key is needed. */
export const IMAGES_PATH = "/images/"

/** `max-age` of images that do not expire, in seconds: a year is the usual maximum. */
const FOR_EVER_SECONDS = 365 * 86_400

/** GET /images/NAME, and HEAD: the router answers it with the length of GET's body. */
export function imageFileRoutes(images: ImageFiles) {
  return new Elysia({ name: "image-files" }).get(`${IMAGES_PATH}*`, async ({ params, request }) => {
    const image = await images.read(params["*"])
    if (image === undefined) throw new ImageNotFound()
    return toResponse(image, request)
  })
}

function toResponse(image: StoredImage, request: Request): Response {
  const { bytes } = image
  const headers = headersOf(image)
  const tag = headers.get("etag") ?? ""
  const known = request.headers.get("if-none-match")
  if (known !== null && matchesTag(known, tag)) return new Response(null, { status: 304, headers })
  headers.set("content-type", image.mime)
  const range = rangeOf(request, tag, bytes.byteLength)
  if (range === "unsatisfiable") {
    headers.set("content-range", `bytes */${bytes.byteLength}`)
    return new Response(null, { status: 416, headers })
  }
  if (range === undefined) return new Response(bytes, { headers })
  headers.set("content-range", `bytes ${range.start}-${range.end}/${bytes.byteLength}`)
  return new Response(bytes.subarray(range.start, range.end + 1), { status: 206, headers })
}

function headersOf({ bytes, modifiedAt, secondsLeft }: StoredImage): Headers {
  const left = secondsLeft === null ? FOR_EVER_SECONDS : Math.floor(secondsLeft)
  return new Headers({
    etag: `"${bytes.byteLength.toString(36)}-${Math.round(modifiedAt.getTime()).toString(36)}"`,
    "last-modified": modifiedAt.toUTCString(),
    "accept-ranges": "bytes",
    "cache-control": `public, max-age=${left}, immutable`,
    "x-content-type-options": "nosniff",
  })
}

/** If-Range with another version's tag turns the range into the whole file. */
function rangeOf(request: Request, tag: string, sizeBytes: number) {
  const header = request.headers.get("range")
  const version = request.headers.get("if-range")
  if (header === null || (version !== null && version !== tag)) return undefined
  return parseRange(header, sizeBytes)
}
