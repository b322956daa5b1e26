import { asXllmError, type XllmError } from "../../errors/base"
import { Cancelled, PullNotFound, TooManyPulls, Unsupported } from "../../errors/request"
import type { PullEvent } from "../../store/pull/events"
import { COUNTS } from "../../limits"
import type { ModelLibrary } from "../context/library"
import type { PullBody } from "./bodies/pull"

interface Pull {
  readonly id: string
  readonly model: string
  readonly controller: AbortController
  readonly startedAt: Date
  readonly files: Map<string, { readonly completed: number; readonly total: number | undefined }>
  readonly notes: string[]
  status: string
  state: PullBody["state"]
  error: XllmError | undefined
  endedAt: Date | undefined
}

/** How many that are over are kept, and how many notes of each. */
const KEPT = 20
const NOTES = 20

/**
 * Downloads that go on without a client: whoever began one can leave, and see later how it went. What a cancelled one
 * has loaded is kept on disk, and the next one of the same model goes on from there.
 */
export class Pulls {
  readonly #library: ModelLibrary | undefined
  readonly #closing: AbortSignal
  readonly #all = new Map<string, Pull>()

  /** `closing`: ends all downloads. */
  constructor(library: ModelLibrary | undefined, closing: AbortSignal) {
    this.#library = library
    this.#closing = closing
  }

  /** Newest first. */
  list(): readonly PullBody[] {
    return [...this.#all.values()].toReversed().map(toBody)
  }

  /**
   * Begins a download, or returns the one of that model that runs.
   * @throws Unsupported, TooManyPulls
   */
  start(model: string): PullBody {
    const library = this.#library
    if (library === undefined) throw new Unsupported("this server does not change the models on disk")
    const running = [...this.#all.values()].filter(({ state }) => state === "running")
    const same = running.find((pull) => pull.model.toLowerCase() === model.toLowerCase())
    if (same !== undefined) return toBody(same)
    if (running.length >= COUNTS.pulls.maxItems) throw new TooManyPulls(COUNTS.pulls.maxItems)
    const pull: Pull = {
      id: crypto.randomUUID(),
      model,
      controller: new AbortController(),
      startedAt: new Date(),
      files: new Map(),
      notes: [],
      status: "starting",
      state: "running",
      error: undefined,
      endedAt: undefined,
    }
    this.#all.set(pull.id, pull)
    this.#forgetOld()
    void this.#run(pull, library)
    return toBody(pull)
  }

  /** Cancels a download that runs; forgets one that is over. @throws PullNotFound */
  cancel(id: string): PullBody {
    const pull = this.#all.get(id)
    if (pull === undefined) throw new PullNotFound(id)
    if (pull.state === "running") pull.controller.abort(new Cancelled())
    else this.#all.delete(id)
    return toBody(pull)
  }

  async #run(pull: Pull, library: ModelLibrary): Promise<void> {
    const signal = AbortSignal.any([pull.controller.signal, this.#closing])
    try {
      await library.pull(pull.model, { isInsecure: false, signal, onEvent: (event) => take(pull, event) })
      pull.state = "done"
    } catch (error) {
      pull.state = signal.aborted ? "cancelled" : "failed"
      if (!signal.aborted) pull.error = asXllmError(error)
    }
    pull.endedAt = new Date()
  }

  #forgetOld(): void {
    const over = [...this.#all.values()].filter(({ state }) => state !== "running")
    for (const { id } of over.slice(0, Math.max(0, over.length - KEPT))) this.#all.delete(id)
  }
}

function take(pull: Pull, event: PullEvent): void {
  if (event.type === "note") {
    if (pull.notes.length < NOTES) pull.notes.push(event.text)
    return
  }
  pull.status = event.status
  if (event.type === "progress") pull.files.set(event.id, { completed: event.completed, total: event.total })
}

function toBody(pull: Pull): PullBody {
  const files = [...pull.files.values()]
  const isKnown = files.length > 0 && files.every(({ total }) => total !== undefined)
  return {
    id: pull.id,
    model: pull.model,
    state: pull.state,
    status: pull.status,
    completed_bytes: files.reduce((sum, { completed }) => sum + completed, 0),
    total_bytes: isKnown ? files.reduce((sum, { total = 0 }) => sum + total, 0) : null,
    notes: pull.notes,
    error: pull.error === undefined ? null : { code: pull.error.code, message: pull.error.publicMessage },
    started_at: pull.startedAt.toISOString(),
    ended_at: pull.endedAt?.toISOString() ?? null,
  }
}
