/** Target for the longest step while streams are running, in ms: how long a new prompt may stall them. */
const STREAMING_STEP_MS = 300

/**
 * Target for the longest step while nothing generates, in ms: how late a cancel or a new request is noticed.
 */
const IDLE_STEP_MS = 1000

/** Prefilling fewer tokens than this spends most of the step on reading the weights. */
const LEAST_TOKENS = 32

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

  /** Prompt tokens for the next step, next to `streams` generating sequences. */
  tokens(streams: number): number {
    if (this.#tokenMs === undefined) return Math.min(FIRST_TOKENS, this.#most)
    const target = streams > 0 ? STREAMING_STEP_MS - this.#decodeTime(streams) : IDLE_STEP_MS
    const tokens = Math.floor(target / this.#tokenMs)
    return Math.max(LEAST_TOKENS, Math.min(tokens, this.#most - streams))
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
