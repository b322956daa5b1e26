import { adapterSetKey, type AppliedAdapter } from "../../../domain/adapters"
import { commonPrefix, type PlacedMedia, positionOf } from "../prompt/cells"

/** What a cached prefix is found by. */
export interface CacheablePrompt {
  /** See `PromptCells`. */
  readonly tokens: ArrayLike<number>
  readonly media: readonly PlacedMedia[]
  /** What its cells depend on besides the tokens; a prefix with another key is never reused. */
  readonly cacheKey: string
}

/** One sequence of the KV cache and the tokens cached in it. */
export interface Slot {
  /** llama.cpp's sequence id. */
  id: number
  /** By which clients know it; no other slot has the same. It stays when sequences change places. */
  number: number
  /** The first `length` of these are cached. Shared with the sequence that runs in this slot. */
  tokens: ArrayLike<number>
  /** Of the prompt that they were computed for, see {@link CacheablePrompt}. */
  cacheKey: string
  length: number
  /** Is a sequence running here? */
  busy: boolean
  /** Prompts that used what is cached here, with the one that computed it. */
  uses: number
  /** Computed for a request that wants no cache: it is not kept on disk. */
  isPrivate: boolean
  /** Step count at its last use. */
  lastUsed: number
  /** Its first cells, if they are those of another slot. */
  shared?: SharedCells | undefined
  /** Where it can be cut back to although its memory cannot be cut, ascending. */
  checkpoints?: readonly SlotCheckpoint[] | undefined
}

/** What of a sequence's state cannot be cut back, as it was at one of its cells. */
export interface SlotCheckpoint {
  /** The number of cells then. */
  readonly length: number
  readonly position: number
  readonly state: Uint8Array
  /** Step count. */
  readonly madeAt: number
}

/** Cells that were computed for other tokens with the same beginning. */
export interface SharedCells {
  readonly tokens: number
  readonly owner: ArrayLike<number>
}

/** What determines how many cells of a pool a sequence needs. */
export interface CellHolder {
  readonly owner: ArrayLike<number>
  readonly length: number
  readonly shared?: SharedCells | undefined
}

/** The state of a prefix that is in no slot. */
export interface SavedPrefix {
  readonly tokens: ArrayLike<number>
  /** How many of the prompt's tokens it has. */
  readonly keep: number
  readonly state: Uint8Array
}

/** Capabilities of the context's memory. */
export interface MemoryTraits {
  /** Can a cached sequence be truncated? If not, only a whole state can be reused. */
  readonly trims: boolean
  /** Do slots share one pool, so that a prefix can be shared without a copy? */
  readonly shares: boolean
  /** Size of the sliding window in tokens; 0 without one. */
  readonly window: number
  /** The first position still cached in a slot; above 0 if a sliding window dropped earlier ones. */
  firstPosition(slot: Slot): number
}

/** Is every token in cells of its own, so that of a saved state any part can be used? */
export function cutsBack({ trims, window }: Pick<MemoryTraits, "trims" | "window">): boolean {
  return trims && window === 0
}

/** The slot for a prompt, and the cached prefix to reuse. */
export interface SlotPlacement {
  readonly slot: Slot
  /** The slot that caches the prompt's first `keep` tokens; the target itself if reused in place. */
  readonly source: Slot
  /** 0: no reuse. */
  readonly keep: number
  /** The prefix is not in a slot: it is loaded into the target. */
  readonly saved?: SavedPrefix
  /** The number that the slot gets; absent: it keeps its own. */
  readonly number?: number
}

/** Recomputing a shorter prefix is faster than copying it. */
const LEAST_COPIED = 16

/**
 * A copy costs time for the whole state although only the common prefix is used: not beyond this ratio of the
 * two.
 */
const MOST_COPIED_RATIO = 16

/**
 * Upper bound of cells used in one pool. Shared cells count for the sequence that allocated them; after it is gone,
 * they remain in use while any other sequence shares them, and count once.
 */
export function cellsOf(holders: readonly CellHolder[]): number {
  const owners = new Set(holders.map(({ owner }) => owner))
  const left = new Map<ArrayLike<number>, number>()
  let cells = 0
  for (const { length, shared } of holders) {
    cells += length - (shared?.tokens ?? 0)
    if (shared !== undefined && !owners.has(shared.owner))
      left.set(shared.owner, Math.max(shared.tokens, left.get(shared.owner) ?? 0))
  }
  for (const shared of left.values()) cells += shared
  return cells
}

/**
 * How many tokens of `prompt` a slot can provide. The last one is always evaluated, because its logits are
 * needed.
 */
export function reusable(slot: Slot, prompt: CacheablePrompt, traits: MemoryTraits): number {
  if (slot.cacheKey !== prompt.cacheKey) return 0
  const { tokens } = prompt
  const keep = commonPrefix(slot.tokens, slot.length, tokens, tokens.length - 1)
  if (keep === slot.length) return keep
  if (traits.trims && canTrim(slot, positionOf(prompt.media, keep), traits)) return keep
  return slot.checkpoints?.findLast(({ length }) => length <= keep)?.length ?? 0
}

/** Is the window before a position still cached, despite what a sliding window dropped? */
export function canTrim(slot: Slot, position: number, traits: MemoryTraits): boolean {
  return traits.window === 0 || traits.firstPosition(slot) <= Math.max(0, position - traits.window)
}

/**
 * Chooses the slot for a prompt; undefined if all are busy. Uses the longest cached prefix: in place if that
 * slot is idle and loses little, otherwise copied into the slot with the least valuable cache, as is a `saved`
 * prefix that is clearly longer than those in slots.
 */
export function choosePlacement(
  prompt: CacheablePrompt,
  slots: readonly Slot[],
  traits: MemoryTraits,
  cachePrompt: boolean,
  saved?: SavedPrefix,
): SlotPlacement | undefined {
  const placement = chooseAmongSlots(prompt, slots, traits, cachePrompt)
  if (placement === undefined || saved === undefined || !cachePrompt) return placement
  if (saved.keep < placement.keep + LEAST_COPIED) return placement
  const slot = evictionCandidate(slots.filter(({ busy }) => !busy)) ?? placement.slot
  return { slot, source: slot, keep: saved.keep, saved }
}

/** The same in the slot with that number, if it is idle; where the cache has none, another gets the number. */
export function choosePlacementIn(
  number: number,
  prompt: CacheablePrompt,
  slots: readonly Slot[],
  traits: MemoryTraits,
  cachePrompt: boolean,
  saved?: SavedPrefix,
): SlotPlacement | undefined {
  const slot =
    slots.find((one) => one.number === number) ?? evictionCandidate(slots.filter(({ busy }) => !busy))
  if (slot === undefined || slot.busy) return choosePlacement(prompt, slots, traits, cachePrompt, saved)
  if (!cachePrompt) return { slot, source: slot, keep: 0, number }
  const own = { slot, keep: reusable(slot, prompt, traits) }
  const anywhere = longest(slots, prompt, traits)
  const isCopied = worthCopying(anywhere, traits) && anywhere.keep >= own.keep + LEAST_COPIED
  const { slot: source, keep } = isCopied ? anywhere : own
  if (saved === undefined || saved.keep < keep + LEAST_COPIED) return { slot, source, keep, number }
  return { slot, source: slot, keep: saved.keep, saved, number }
}

function chooseAmongSlots(
  prompt: CacheablePrompt,
  slots: readonly Slot[],
  traits: MemoryTraits,
  cachePrompt: boolean,
): SlotPlacement | undefined {
  const idle = slots.filter((slot) => !slot.busy)
  const expendable = evictionCandidate(idle)
  if (expendable === undefined) return undefined
  const nothing = { slot: expendable, source: expendable, keep: 0 }
  if (!cachePrompt) return nothing
  const inPlace = longest(idle, prompt, traits)
  const anywhere = longest(slots, prompt, traits)
  if (inPlace.keep > 0 && inPlace.keep >= anywhere.keep - LEAST_COPIED) {
    const losesLittle = inPlace.keep * 2 >= inPlace.slot.length || inPlace.slot === expendable
    if (losesLittle) return { slot: inPlace.slot, source: inPlace.slot, keep: inPlace.keep }
  }
  if (worthCopying(anywhere, traits)) {
    const target = evictionCandidate(idle.filter((slot) => slot !== anywhere.slot)) ?? expendable
    return { slot: target, source: anywhere.slot, keep: anywhere.keep }
  }
  if (inPlace.slot === expendable) return { slot: expendable, source: expendable, keep: inPlace.keep }
  return { slot: expendable, source: expendable, keep: reusable(expendable, prompt, traits) }
}

interface Candidate {
  readonly slot: Slot
  readonly keep: number
}

function longest(slots: readonly Slot[], prompt: CacheablePrompt, traits: MemoryTraits): Candidate {
  let best: Candidate | undefined
  for (const slot of slots) {
    const keep = reusable(slot, prompt, traits)
    if (best === undefined || keep > best.keep) best = { slot, keep }
  }
  if (best === undefined) throw new RangeError("there are no slots")
  return best
}

function worthCopying({ slot, keep }: Candidate, traits: MemoryTraits): boolean {
  if (keep < LEAST_COPIED) return false
  return traits.shares || keep * MOST_COPIED_RATIO >= slot.length
}

/** An empty slot, or the least recently used one; lowest id first, to keep running sequences adjacent. */
export function evictionCandidate(idle: readonly Slot[]): Slot | undefined {
  let best: Slot | undefined
  for (const slot of idle) if (best === undefined || isMissedLess(slot, best)) best = slot
  return best
}

function isMissedLess(a: Slot, b: Slot): boolean {
  if ((a.length === 0) !== (b.length === 0)) return a.length === 0
  if (a.length > 0 && a.lastUsed !== b.lastUsed) return a.lastUsed < b.lastUsed
  return a.id < b.id
}

/** The idle slot whose cached tokens are dropped first when the pool is full. */
export function leastRecentlyUsedPrefix(slots: readonly Slot[]): Slot | undefined {
  const cached = slots.filter((slot) => !slot.busy && slot.length > 0)
  return cached.reduce<Slot | undefined>(
    (best, slot) => (best && best.lastUsed <= slot.lastUsed ? best : slot),
    undefined,
  )
}

/**
 * With the split layout llama.cpp computes only sequences with consecutive ids together. If the generating
 * slots have gaps: the swap of two slots that closes one and moves the least data.
 */
export function planSlotSwap(
  generating: readonly Slot[],
  all: readonly Slot[],
): { from: Slot; to: Slot } | undefined {
  const run = longestRun(generating)
  const outside = generating.filter((slot) => !run.includes(slot))
  const first = run[0]
  const last = run[run.length - 1]
  if (outside.length === 0 || first === undefined || last === undefined) return undefined
  const neighbours = all.filter((slot) => slot.id === first.id - 1 || slot.id === last.id + 1)
  const from = outside.reduce((a, b) => (b.length < a.length ? b : a))
  const to = neighbours.reduce<Slot | undefined>((a, b) => (a && a.length <= b.length ? a : b), undefined)
  return to && { from, to }
}

function longestRun(slots: readonly Slot[]): readonly Slot[] {
  const sorted = [...slots].sort((a, b) => a.id - b.id)
  let best: Slot[] = []
  let run: Slot[] = []
  for (const slot of sorted) {
    const previous = run[run.length - 1]
    run = previous !== undefined && slot.id === previous.id + 1 ? [...run, slot] : [slot]
    if (run.length > best.length) best = run
  }
  return best
}

/** What the cells of a request depend on besides its tokens; empty without owner, salt and adapters of its own. */
export function cacheKeyOf({
  cacheOwner,
  cacheSalt,
  adapters,
}: {
  readonly cacheOwner?: string | undefined
  readonly cacheSalt?: string | undefined
  readonly adapters?: readonly AppliedAdapter[] | undefined
}): string {
  if (cacheOwner === undefined && cacheSalt === undefined && adapters === undefined) return ""
  const set = adapters === undefined ? [] : [adapterSetKey(adapters)]
  return Bun.SHA256.hash(JSON.stringify([cacheOwner ?? null, cacheSalt ?? null, ...set]), "hex")
}
