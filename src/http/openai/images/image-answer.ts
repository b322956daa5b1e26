import type { ImageEvent } from "../../../domain/media/image"
import { asXllmError, InternalError } from "../../../errors/base"
import { requestContextOf } from "../../context/request-context"
import type { ImageFiles } from "../../image-files/image-files"
import { IMAGES_PATH } from "../../image-files/route"
import { type MediaTimingsBody, toMediaTimingsBody } from "../../render/timings"
import type { ImageCall } from "./image-call"

type GeneratedImage = Extract<ImageEvent, { readonly type: "image" }>
type Done = Extract<ImageEvent, { readonly type: "done" }>

/** Where a client finds an image: one of the two. */
export type ImageReference = { readonly url: string } | { readonly b64_json: string }

interface HandedOver {
  readonly reference: ImageReference
  /** Why it is not as requested. */
  readonly warning?: string
}

/** Stores images and gives them their public URLs. */
export interface ImagePlace {
  readonly files: ImageFiles
  readonly request: Request
  readonly publicUrl: string | null
}

/**
 * Stores the image if the client asked for a URL. An image that took minutes is not lost where that fails, as on a full
 * disk: it is returned as base64.
 */
export async function handOver(
  { bytes }: GeneratedImage,
  { request, responseFormat }: ImageCall,
  place: ImagePlace,
): Promise<HandedOver> {
  if (responseFormat === "b64_json") return { reference: { b64_json: bytes.toBase64() } }
  try {
    const name = await place.files.add(bytes, request.format)
    return { reference: { url: imageUrl(name, place.request, place.publicUrl) } }
  } catch (error) {
    const failure = asXllmError(error)
    requestContextOf(place.request).recovered(failure)
    const warning = `${failure.message}; it is returned as b64_json instead of a URL`
    return { reference: { b64_json: bytes.toBase64() }, warning }
  }
}

/** The facts of an image, besides the image itself. */
export function aboutImage(
  { width, height }: Pick<GeneratedImage, "width" | "height">,
  { request }: ImageCall,
) {
  return {
    size: `${width}x${height}`,
    output_format: request.format,
    background: "opaque",
    quality: "auto",
  } as const
}

interface Finished extends HandedOver {
  readonly drawn: GeneratedImage
}

/** Builds the answer to a request without `stream`. */
export class ImageAnswerBuilder {
  readonly #call: ImageCall
  readonly #place: ImagePlace
  readonly #finished: Promise<Finished>[] = []
  #done: Done | undefined

  constructor(call: ImageCall, place: ImagePlace) {
    this.#call = call
    this.#place = place
  }

  add(event: ImageEvent): void {
    if (event.type === "done") this.#done = event
    if (event.type !== "image") return
    // Started at once: encoding all images together at the end would block the event loop.
    const finished = handOver(event, this.#call, this.#place).then((handed) => ({ drawn: event, ...handed }))
    // Prevents an unhandled rejection; `build` throws the error.
    finished.catch(() => {})
    this.#finished.push(finished)
  }

  /** @throws InternalError if the end is missing */
  async build(): Promise<Response> {
    const images = await Promise.all(this.#finished)
    const [first] = images
    if (this.#done === undefined || first === undefined) {
      throw new InternalError("the images broke off before their end")
    }
    const { usage, timings } = this.#done
    const warnings = [...new Set(images.flatMap(({ warning }) => warning ?? []))]
    const about = {
      ...aboutImage(first.drawn, this.#call),
      ...(warnings.length > 0 && { warnings }),
      usage,
      timings: toMediaTimingsBody(timings),
    }
    return toResponse(images, about)
  }
}

interface AnswerFacts extends ReturnType<typeof aboutImage> {
  readonly warnings?: readonly string[]
  readonly usage: Done["usage"]
  readonly timings: MediaTimingsBody
}

/** The only field of a reference as JSON, in parts. */
export function fieldParts(reference: ImageReference): readonly string[] {
  if ("url" in reference) return [`"url":${JSON.stringify(reference.url)}`]
  return ['"b64_json":"', reference.b64_json, '"']
}

/** Assembled from parts: base64 needs no escaping, and JSON.stringify is slow for megabytes of it. */
function toResponse(images: readonly Finished[], about: AnswerFacts): Response {
  const created = Math.floor(Date.now() / 1000)
  const parts: string[] = [`{"created":${created},"data":[`]
  images.forEach(({ drawn, reference }, index) => {
    if (index > 0) parts.push(",")
    parts.push("{", ...fieldParts(reference), `,"seed":${drawn.seed}}`)
  })
  parts.push("],", JSON.stringify(about).slice(1))
  return new Response(new Blob(parts), {
    headers: { "content-type": "application/json", "cache-control": "no-store, no-transform" },
  })
}

/**
 * The image's URL for the client that requested it: below `publicUrl`, or else below the address that the request was
 * sent to. Its Host header is already validated. TLS between the client and a proxy is not visible here, so a server
 * behind one needs `publicUrl`.
 */
export function imageUrl(name: string, request: Request, publicUrl: string | null): string {
  const host = request.headers.get("host") ?? URL.parse(request.url)?.host ?? "localhost"
  return `${publicUrl ?? `http://${host}`}${IMAGES_PATH}${name}`
}
