import { DRAFT_PLACES } from "../../../domain/loaded-model"
import type { KvCache } from "../cache/kv-cache"
import type { Slot } from "../cache/slots"
import type { MutableCounters } from "../output/step-outbox"
import { positionOf } from "../prompt/cells"
import type { Sequence } from "../sequence"
import { NO_DRAFT } from "./stream"

/** The draft of a sequence in a step that was computed. */
export class CheckedDraft {
  readonly #sequence: Sequence
  readonly #slot: Slot
  /** The number of tokens before those of the draft. */
  readonly #start: number

  private constructor(sequence: Sequence, slot: Slot) {
    this.#sequence = sequence
    this.#slot = slot
    this.#start = sequence.tokens.length
  }

  /** Call before its tokens are taken; undefined if it has none. */
  static of(sequence: Sequence): CheckedDraft | undefined {
    const { draft, slot } = sequence
    return draft.length === 0 || slot === undefined ? undefined : new CheckedDraft(sequence, slot)
  }

  /** Call after its tokens are taken: removes the cells of guesses that were wrong or not reached. */
  settle(cache: KvCache, counters: MutableCounters): void {
    const { draft, tokens, media, request } = this.#sequence
    let right = 0
    while (right < draft.length && tokens[this.#start + right] === draft[right]) right++
    count(counters, draft.length, right)
    this.#sequence.stream?.checked(draft.length, right)
    request.drafted += draft.length
    request.accepted += right
    const length = this.#start + right
    cache.rollback(this.#slot, length, positionOf(media, length))
    this.#sequence.draft = NO_DRAFT
  }
}

function count(counters: MutableCounters, checked: number, accepted: number): void {
  counters.draftTokens += checked
  counters.draftTokensAccepted += accepted
  const { drafts } = counters
  counters.drafts = {
    checked: DRAFT_PLACES.map((_, index) => (drafts?.checked[index] ?? 0) + within(checked, index)),
    accepted: DRAFT_PLACES.map((_, index) => (drafts?.accepted[index] ?? 0) + within(accepted, index)),
  }
}

/** How many of the first `length` places belong together at `index`. */
function within(length: number, index: number): number {
  const before = DRAFT_PLACES[index - 1] ?? 0
  return Math.max(0, Math.min(length, DRAFT_PLACES[index] ?? 0) - before)
}
