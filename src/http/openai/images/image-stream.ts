import type { ImageEvent } from "../../../domain/media/image"
import { InternalError } from "../../../errors/base"
import type { RequestContext } from "../../context/request-context"
import { toMediaTimingsBody } from "../../render/timings"
import { waitingNote } from "../../render/waiting-note"
import { aboutImage, fieldParts, handOver, type ImagePlace } from "./image-answer"
import type { ImageCall } from "./image-call"

/** The routes' names in OpenAI's events, such as `image_edit.completed`. */
export type ImageEventPrefix = "image_generation" | "image_edit"

/** What to send for one image event. */
export interface RenderedEvent {
  /** Complete SSE events, or empty. */
  readonly text: string
  /** The comment for a client that waits for the first step; undefined after that. */
  readonly note: string | undefined
}

/** Renders the events of a request with `stream`: steps, partial images if any, and finished images. */
export class ImageEvents {
  readonly #call: ImageCall
  readonly #place: ImagePlace
  readonly #prefix: ImageEventPrefix
  readonly #requestContext: RequestContext
  #partialsSent = 0
  #isComplete = false

  constructor(call: ImageCall, place: ImagePlace, prefix: ImageEventPrefix, requestContext: RequestContext) {
    this.#call = call
    this.#place = place
    this.#prefix = prefix
    this.#requestContext = requestContext
  }

  async *render(events: AsyncIterable<ImageEvent>): AsyncGenerator<RenderedEvent> {
    for await (const event of events) yield { text: await this.#render(event), note: waitingNote(event) }
  }

  /** @throws InternalError if the end is missing */
  end(): string {
    if (!this.#isComplete) throw new InternalError("the images broke off before their end")
    return ""
  }

  async #render(event: ImageEvent): Promise<string> {
    switch (event.type) {
      case "step":
        return this.#progress(event) + this.#partial(event)
      case "image":
        this.#partialsSent = 0
        return await this.#completed(event)
      case "done":
        this.#isComplete = true
        this.#requestContext.measured(event.usage)
        return this.#event("done", { usage: event.usage, timings: toMediaTimingsBody(event.timings) })
      case "loading":
      case "queued":
        return ""
      default:
        return event satisfies never
    }
  }

  #progress({ image, step, steps }: Extract<ImageEvent, { readonly type: "step" }>): string {
    return this.#event("progress", { image, step, steps })
  }

  /** As many previews as requested, evenly spaced over the steps. */
  #partial({ image, step, steps, preview }: Extract<ImageEvent, { readonly type: "step" }>): string {
    const { partialImages } = this.#call
    const dueAt = Math.ceil(((this.#partialsSent + 1) * steps) / (partialImages + 1))
    if (preview === undefined || this.#partialsSent >= partialImages || step < dueAt) return ""
    const index = this.#partialsSent++
    const about = { image, partial_image_index: index, created_at: now(), output_format: "png" }
    return this.#event("partial_image", about, ['"b64_json":"', preview.toBase64(), '"'])
  }

  async #completed(event: Extract<ImageEvent, { readonly type: "image" }>): Promise<string> {
    const { reference, warning } = await handOver(event, this.#call, this.#place)
    const about = {
      image: event.image,
      seed: event.seed,
      created_at: now(),
      ...aboutImage(event, this.#call),
      ...(warning !== undefined && { warnings: [warning] }),
    }
    return this.#event("completed", about, fieldParts(reference))
  }

  /** `parts`: one more field as JSON, which may be long. */
  #event(name: string, body: object, parts: readonly string[] = []): string {
    const type = `${this.#prefix}.${name}`
    const fields = JSON.stringify({ type, ...body }).slice(0, -1)
    const field = parts.length === 0 ? "" : `,${parts.join("")}`
    return `event: ${type}\ndata: ${fields}${field}}\n\n`
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}
