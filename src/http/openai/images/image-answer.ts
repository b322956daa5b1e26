import type { ImageEvent } from "../../../domain/image"
import { InternalError } from "../../../errors/base"
import type { ImageFiles } from "../../image-files/image-files"
import { IMAGES_PATH } from "../../image-files/route"
import { type MediaTimingsBody, toMediaTimingsBody } from "../../render/timings"
import type { ImageCall } from "./image-call"

type GeneratedImage = Extract<ImageEvent, { readonly type: "image" }>
type Done = Extract<ImageEvent, { readonly type: "done" }>

/** An image as it is handed over: one of the two. */
export type ImageReference = { readonly url: string } | { readonly b64_json: string }

/** Where images are kept, and how they are called from outside. */
export interface ImagePlace {
  readonly files: ImageFiles
  readonly request: Request
  readonly publicUrl: string | null
}

/** Stores an image where it is to have a URL. */
export async function handOver(
  { bytes }: GeneratedImage,
  { request, responseFormat }: ImageCall,
  place: ImagePlace,
): Promise<ImageReference> {
  if (responseFormat === "b64_json") return { b64_json: bytes.toBase64() }
  const name = await place.files.add(bytes, request.format)
  return { url: imageUrl(name, place.request, place.publicUrl) }
}

/** What is told of an image beside itself. */
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

/** A picture and what it is called by. */
interface Finished {
  readonly drawn: GeneratedImage
  readonly reference: ImageReference
}

/** The answer of requests without `stream`. */
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
    // Made at once: encoding all images together would hold the event loop up.
    const finished = handOver(event, this.#call, this.#place).then((reference) => ({
      drawn: event,
      reference,
    }))
    // Whoever builds the answer sees the failure.
    finished.catch(() => {})
    this.#finished.push(finished)
  }

  /** @throws InternalError where the end is missing, and what storing an image fails with */
  async build(): Promise<Response> {
    const images = await Promise.all(this.#finished)
    const [first] = images
    if (this.#done === undefined || first === undefined) {
      throw new InternalError("the images broke off before their end")
    }
    const { usage, timings } = this.#done
    const about = {
      ...aboutImage(first.drawn, this.#call),
      usage,
      timings: toMediaTimingsBody(timings),
    }
    return toResponse(images, about)
  }
}

interface AnswerFacts extends ReturnType<typeof aboutImage> {
  readonly usage: Done["usage"]
  readonly timings: MediaTimingsBody
}

/** The one field of a reference as JSON, in parts. */
export function fieldParts(reference: ImageReference): readonly string[] {
  if ("url" in reference) return [`"url":${JSON.stringify(reference.url)}`]
  return ['"b64_json":"', reference.b64_json, '"']
}

/** Put together from parts, because base64 needs no escapes and megabytes of it take their time in JSON.stringify. */
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
 * The address of an image for the client that asked for it: below `publicUrl`, or else where the request was sent. Its
 * Host has been checked by then; that the client speaks TLS to a proxy cannot be seen from here, so a server behind one
 * needs `publicUrl`.
 */
export function imageUrl(name: string, request: Request, publicUrl: string | null): string {
  const host = request.headers.get("host") ?? URL.parse(request.url)?.host ?? "localhost"
  return `${publicUrl ?? `http://${host}`}${IMAGES_PATH}${name}`
}
