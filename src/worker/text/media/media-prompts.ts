import type { GenerationRequest, MediaPart } from "../../../domain/chat"
import { NotPerceived, UnreadableMedia } from "../../../errors/request"
import type { WireRendered, WireRequest } from "../../../protocol/wire"
import type { PromptUnit } from "../prompt/cells"
import type { PreparedRequest } from "../prompt/prepared"
import type { MediaUnits } from "../prompt/prompt-builder"
import type { Preparation, PromptClient } from "../prompt/prompt-client"
import type { MeasuredMedia, MediaReader } from "./media-reader"

/** What a projector knows of media before anything is computed. */
export interface MediaPlanner {
  readonly sees: boolean
  readonly hears: boolean
  /** Of the sounds that it takes, in Hz; 0 if it hears nothing. */
  readonly sampleRate: number
  plan(media: MeasuredMedia): readonly PromptUnit[]
}

/** What a model perceives besides text, and how it is read. */
export interface Senses {
  readonly planner: MediaPlanner
  readonly reader: MediaReader
}

/** Has prompts made, after what they show is measured. */
export class MediaPrompts {
  readonly #model: string
  readonly #prompts: PromptClient
  readonly #senses: Senses | undefined

  /** `senses`: absent where the model reads text only. */
  constructor(model: string, prompts: PromptClient, senses: Senses | undefined) {
    this.#model = model
    this.#prompts = prompts
    this.#senses = senses
  }

  /** @throws in `prepared` besides what a preparation throws: NotPerceived, UnreadableMedia */
  prepare(request: WireRequest<GenerationRequest>): Preparation {
    const { media } = request
    if (media === undefined) return this.#prompts.prepare(request)
    let preparation: Preparation | undefined
    let isForgotten = false
    const prepared = this.#measure(media).then(async (measured) => {
      // Nobody waits for it any more.
      if (isForgotten) return await new Promise<PreparedRequest>(() => {})
      preparation = this.#prompts.prepare(request, measured.units)
      return { ...(await preparation.prepared), shown: measured.shown }
    })
    return {
      prepared,
      forget: () => {
        isForgotten = true
        preparation?.forget()
      },
    }
  }

  async render(request: WireRequest<GenerationRequest>): Promise<WireRendered> {
    const measured = request.media && (await this.#measure(request.media))
    return await this.#prompts.render(request, measured?.units)
  }

  async #measure(parts: readonly MediaPart[]): Promise<{
    readonly shown: readonly MeasuredMedia[]
    readonly units: MediaUnits
  }> {
    const { planner, reader } = this.#sensesFor(parts)
    const shown = await Promise.all(
      parts.map(async (part, index) => {
        try {
          return await reader.measure(part)
        } catch (error) {
          throw error instanceof UnreadableMedia ? error.at(index + 1, parts.length) : error
        }
      }),
    )
    return { shown, units: shown.map((media) => planner.plan(media)) }
  }

  #sensesFor(parts: readonly MediaPart[]): Senses {
    const { planner } = this.#senses ?? {}
    for (const { type } of parts) {
      if (type === "image" ? planner?.sees : planner?.hears) continue
      throw new NotPerceived(this.#model, type)
    }
    if (this.#senses === undefined) throw new NotPerceived(this.#model, "image")
    return this.#senses
  }
}
