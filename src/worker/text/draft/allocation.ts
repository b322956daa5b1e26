import type { BatchCosts } from "./batch-costs"

/** A stream that has a guess. */
export interface DraftOffer {
  /** The most tokens that it may have checked in this step. */
  readonly room: number
  /** Fewer are not worth it to the user. */
  readonly least: number
  /** What each token of the guess takes to make, in the unit of the costs. */
  readonly tokenMs: number
  /** Have as many checked as possible, whatever it costs. */
  readonly isForced: boolean
  /** The probability that its guess is right at the token `at`, if all before are. */
  rate(at: number): number
}

export interface StepShape {
  /** Generating sequences, each with a token of its own. */
  readonly streams: number
  /** Tokens of prompts that are about to be read. */
  readonly promptTokens: number
  /** How many guessed tokens the batch has room for. */
  readonly room: number
  /** llama.cpp computes together what has equally many tokens in each sequence; else in a second pass. */
  readonly isSplit: boolean
}

/** What a draft must gain at least, as a share of the step without it: measurements and guesses are not exact. */
const LEAST_GAIN = 0.05

/**
 * How many guessed tokens of each stream are checked in a step: as many as shorten the answers by more time than they
 * lengthen the step.
 */
export function allocate(offers: readonly DraftOffer[], costs: BatchCosts, shape: StepShape): number[] {
  const counts: number[] = offers.map(() => 0)
  let left = shape.room
  let forced = offers.filter(({ isForced }) => isForced).length
  for (const [index, { isForced, room }] of offers.entries()) {
    if (!isForced) continue
    counts[index] = Math.min(room, Math.floor(left / forced--))
    left -= counts[index] as number
  }
  const free = offers.flatMap(({ isForced }, index) => (isForced ? [] : [index]))
  const others = { ...shape, room: left, promptTokens: shape.promptTokens + shape.room - left }
  if (shape.isSplit && shape.streams > 1) {
    levelForced(offers, counts)
    if (free.length === offers.length) allocateEqually(offers, counts, costs, others)
  } else if (free.length > 0) allocateByGain(offers, free, counts, costs, others)
  for (const [index, { least }] of offers.entries()) if ((counts[index] as number) < least) counts[index] = 0
  return counts
}

function levelForced(offers: readonly DraftOffer[], counts: number[]): void {
  const lengths = counts.filter((count) => count > 0)
  const length = Math.min(...lengths)
  for (const index of offers.keys()) if ((counts[index] as number) > 0) counts[index] = length
}

/** Token by token, the likeliest first; in the end those up to which most time is gained. */
function allocateByGain(
  offers: readonly DraftOffer[],
  free: readonly number[],
  counts: number[],
  costs: BatchCosts,
  { streams, promptTokens, room }: StepShape,
): void {
  const base = streams + promptTokens
  const baseMs = costs.ms(base)
  const worth = costs.ms(streams) / streams
  const picked: number[] = []
  const taken = offers.map(() => 0)
  const chances = offers.map((offer) => offer.rate(0))
  let gained = 0
  let spent = 0
  let best = LEAST_GAIN * baseMs
  let bestLength = 0
  while (picked.length < room) {
    let next: number | undefined
    for (const index of free) {
      const isOpen = (taken[index] as number) < (offers[index] as DraftOffer).room
      if (isOpen && (next === undefined || (chances[index] as number) > (chances[next] as number)))
        next = index
    }
    if (next === undefined) break
    gained += (chances[next] as number) * worth
    spent += (offers[next] as DraftOffer).tokenMs
    picked.push(next)
    taken[next]!++
    chances[next]! *= (offers[next] as DraftOffer).rate(taken[next] as number)
    const net = gained - spent - (costs.ms(base + picked.length) - baseMs)
    if (net > best) {
      best = net
      bestLength = picked.length
    }
  }
  for (const index of picked.slice(0, bestLength)) counts[index]!++
}

/** All drafts have one length, and the streams that gain least by it have none. */
function allocateEqually(
  offers: readonly DraftOffer[],
  counts: number[],
  costs: BatchCosts,
  { streams, promptTokens, room }: StepShape,
): void {
  const baseMs = costs.ms(streams + promptTokens)
  const worth = costs.ms(streams) / streams
  const expected = offers.map(() => 0)
  const chances = offers.map(() => 1)
  let best = LEAST_GAIN * baseMs
  const longest = Math.max(...offers.map(({ room: own }) => own))
  for (let length = 1; length <= Math.min(longest, room); length++) {
    for (const [index, offer] of offers.entries()) {
      chances[index]! *= offer.rate(length - 1)
      expected[index]! += chances[index] as number
    }
    const fitting = [...offers.keys()]
      .filter((index) => (offers[index] as DraftOffer).room >= length)
      .sort((a, b) => (expected[b] as number) - (expected[a] as number))
    let gained = 0
    for (const [place, index] of fitting.entries()) {
      const drafts = place + 1
      if (drafts * length > room) break
      gained += (expected[index] as number) * worth - (offers[index] as DraftOffer).tokenMs * length
      const isWhole = drafts === streams && promptTokens === 0
      const ms = isWhole ? costs.ms(streams * (1 + length)) : baseMs + costs.ms(drafts * length)
      const net = gained - (ms - baseMs)
      if (net <= best) continue
      best = net
      counts.fill(0)
      for (const chosen of fitting.slice(0, drafts)) counts[chosen] = length
    }
  }
}
