import type { VectorRequest } from "../../domain/tasks"
import { asXllmError } from "../../errors/base"
import type { ToWorker } from "../../protocol/messages"
import { decodeRequest } from "../../protocol/wire"
import type { EmbeddingOutbox, EmbedLoop } from "./embed-loop"
import type { TextPreparer } from "./prepare"

type Generate = Extract<ToWorker<VectorRequest>, { type: "generate" }>

export interface EmbedderParts {
  readonly preparer: TextPreparer
  readonly loop: EmbedLoop
  readonly outbox: EmbeddingOutbox
  /** Called when there is something to compute. */
  readonly onWork: () => void
}

/** Prepares embedding and rerank requests and hands them to the loop. */
export class Embedder {
  readonly loop: EmbedLoop
  readonly #parts: EmbedderParts
  /** Requests that are being tokenized. */
  readonly #preparing = new Set<number>()

  constructor(parts: EmbedderParts) {
    this.#parts = parts
    this.loop = parts.loop
  }

  async generate({ id, request, queueMs, loadMs }: Generate): Promise<void> {
    const { preparer, loop, outbox, onWork } = this.#parts
    const startedAt = performance.now()
    this.#preparing.add(id)
    try {
      const decoded = decodeRequest(request)
      const texts = await preparer.prepare(decoded, () => this.#preparing.has(id))
      if (!this.#preparing.delete(id)) return
      const { dimensions, norm } = decoded.kind === "embedding" ? decoded : {}
      loop.submit({
        ...{ id, texts, queueMs, loadMs, startedAt },
        ...(dimensions !== undefined && { dimensions }),
        ...(norm !== undefined && { norm }),
      })
      onWork()
    } catch (error) {
      if (!this.#preparing.delete(id)) return
      outbox.error(id, asXllmError(error))
      outbox.flush()
    }
  }

  cancel(id: number): void {
    this.#preparing.delete(id)
    this.loop.cancel(id)
  }
}
