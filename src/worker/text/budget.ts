/** Target for the longest step while streams are running, in ms: how long a new prompt may stall them. */
const STREAMING_STEP_MS = 300

/**
 * Target for the longest step while nothing generates, in ms: how late a cancel or a new request is noticed.
 */
const IDLE_STEP_MS = 1000

/** Prefilling fewer tokens than this spends most of the step on reading the weights. */
const LEAST_TOKENS = 32

/**
 * Fewer tokens than this cost a slow machine more in all than they save its streams: a prompt of 1,650 tokens beside a
 * stream takes 1.5 times as long in steps of 60 tokens. So many may take longer than the target.
 */
const ENOUGH_TOKENS = 128

/** The longest that {@link ENOUGH_TOKENS} may take together with the streams' own tokens, in ms. */
const LONGEST_STEP_MS = 500

/** Prompt tokens of the first step, before the machine's speed is measured. */
const FIRST_TOKENS = 128

/** Weight of the newest measurement in the moving average. */
const SMOOTHING = 0.4

/** Decides how many prompt tokens a step may evaluate, from the measured speed. Times are passed in. */
export class PrefillBudget {
  readonly #most: number
  /** ms per prompt token. */
  #tokenMs: number | undefined
  /** ms of a step without prompt tokens, indexed by the number of streams. */
  readonly #decodeMs: (number | undefined)[] = []

  /** `most`: the batch size in tokens. */
  constructor(most: number) {
    this.#most = most
  }

  /** Prompt tokens for the next step, next to `streams` generating sequences with `guesses` more tokens. */
  tokens(streams: number, guesses = 0): number {
    const tokenMs = this.#tokenMs
    if (tokenMs === undefined) return Math.min(FIRST_TOKENS, this.#most - guesses)
    const decodeMs = this.#decodeTime(streams)
    const within = (stepMs: number): number => Math.floor((stepMs - decodeMs) / tokenMs)
    const tokens =
      streams === 0
        ? within(IDLE_STEP_MS)
        : Math.max(within(STREAMING_STEP_MS), Math.min(ENOUGH_TOKENS, within(LONGEST_STEP_MS)))
    return Math.max(LEAST_TOKENS, Math.min(tokens, this.#most - streams - guesses))
  }

  /** Updates the estimates with a step that took `ms`. */
  observe(streams: number, promptTokens: number, ms: number): void {
    if (promptTokens === 0) this.#decodeMs[streams] = smooth(this.#decodeMs[streams], ms)
    else if (promptTokens >= LEAST_TOKENS) {
      const promptMs = Math.max(ms - this.#decodeTime(streams), ms / 4)
      this.#tokenMs = smooth(this.#tokenMs, promptMs / promptTokens)
    }
  }

  /** Decode time for the nearest measured number of streams; 0 if none was measured. */
  #decodeTime(streams: number): number {
    if (streams === 0) return 0
    for (let distance = 0; distance < this.#decodeMs.length + streams; distance++) {
      const known = this.#decodeMs[streams + distance] ?? this.#decodeMs[streams - distance]
      if (known !== undefined) return known
    }
    return 0
  }
}

function smooth(before: number | undefined, now: number): number {
  return before === undefined ? now : before + SMOOTHING * (now - before)
}
