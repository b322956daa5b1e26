import type { DiskUsage } from "../../../../domain/loaded-model"
import type { PreparedRequest } from "../../prompt/prepared"
import type { RunningRequest } from "../../request"
import type { Runtime } from "../../runtime"
import type { Slot } from "../slots"
import type { ReadPrompt, SavedPrompts } from "./saved-prompts"

/** Reading takes longer than this only where something is wrong; evaluating the prompt is then better. */
const MOST_READ_MS = 5_000

/** States are copied while streams wait: at most 100 ms or so in one step. */
const MOST_COPIED_BYTES = 256 * 1024 ** 2

/** Used by the prompt that computed it and by one more. */
const LEAST_USES = 2

/** Moves prompts between the slots and the disk. */
export class PromptKeeper {
  readonly #saved: SavedPrompts
  readonly #runtime: Runtime
  readonly #report: (usage: DiskUsage) => void
  /** What was copied in the present step. */
  #copied = { step: 0, bytes: 0 }

  constructor(saved: SavedPrompts, runtime: Runtime, report: (usage: DiskUsage) => void) {
    this.#saved = saved
    this.#runtime = runtime
    this.#report = report
  }

  /** The state of the prompt's first tokens, if disk has clearly more of them than the slots. Never rejects. */
  async find({ tokens, media, cacheKey, usesCache }: PreparedRequest): Promise<ReadPrompt | undefined> {
    if (!usesCache) return undefined
    const { cache } = this.#runtime
    const finding = this.#saved.find(
      { tokens, realm: cacheKey },
      cache.cachedLength({ tokens, media, cacheKey }),
    )
    const timeout = Promise.withResolvers<undefined>()
    const timer = setTimeout(timeout.resolve, MOST_READ_MS, undefined)
    const found = await Promise.race([finding, timeout.promise])
    clearTimeout(timer)
    this.#reportUsage()
    return found
  }

  /** Learns from a request's evaluation how long prompts take. */
  observe({ promptTokensEvaluated, promptMs }: RunningRequest): void {
    if (promptMs !== undefined) this.#saved.observe(promptTokensEvaluated, promptMs)
    this.#reportUsage()
  }

  /** A slot is about to lose its prefix to another prompt: it is kept if it was used more than once. */
  leaves(slot: Slot): void {
    if (slot.uses < LEAST_USES || !this.#isWanted(slot)) return
    const { cache, context } = this.#runtime
    if (this.#copied.step !== cache.step) this.#copied = { step: cache.step, bytes: 0 }
    const bytes = this.#copied.bytes + context.stateSize(slot.id)
    if (bytes > MOST_COPIED_BYTES) return
    this.#copied.bytes = bytes
    void this.#writePresent(slot)
  }

  /** A slot is about to be cleared while nothing waits. What is left of it after this is undefined. */
  retires(slot: Slot): void {
    if (this.#isWanted(slot)) for (const written of this.#write(slot)) void written
  }

  /** All slots are about to lose their prefixes: the most valuable ones are written first, until `signal`. */
  async keepAll(signal: AbortSignal): Promise<void> {
    const worth = ({ uses, length }: Slot): number => uses * length
    const slots = this.#runtime.cache.usable.toSorted((a, b) => worth(b) - worth(a))
    for (const slot of slots) {
      if (!this.#isWanted(slot)) continue
      for (const written of this.#write(slot, signal)) {
        await Promise.race([written, aborted(signal)])
        if (signal.aborted) return
      }
    }
    await Promise.race([this.#saved.written, aborted(signal)])
    this.#reportUsage()
  }

  #isWanted(slot: Slot): boolean {
    if (slot.isPrivate || slot.length === 0) return false
    return this.#saved.wants(slot.length, this.#runtime.context.stateSize(slot.id))
  }

  /** Writes the whole, then what was there at each checkpoint, the longest first. */
  *#write(slot: Slot, signal?: AbortSignal): Generator<Promise<void>> {
    yield this.#writePresent(slot, signal)
    const { cache } = this.#runtime
    for (const { length } of (slot.checkpoints ?? []).toReversed())
      if (this.#saved.wants(length, 0) && cache.cutToCheckpoint(slot, length))
        yield this.#writePresent(slot, signal)
  }

  async #writePresent(slot: Slot, signal?: AbortSignal): Promise<void> {
    const state = this.#runtime.context.save(slot.id)
    if (state.length === 0) return
    const tokens = Int32Array.from({ length: slot.length }, (_, at) => slot.tokens[at] ?? 0)
    await this.#saved.save({ tokens, realm: slot.cacheKey, state }, signal)
    this.#reportUsage()
  }

  #reportUsage(): void {
    const usage = this.#saved.takeUsage()
    if (Object.values(usage).some((value) => value > 0)) this.#report(usage)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}
