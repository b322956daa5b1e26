/** Longest step aimed at while streams are running, in ms: what a running stream waits for a newcomer's prompt. */
const STREAMING_STEP_MS = 300

/** Longest step aimed at while nobody is generating, in ms: how late a cancel or a newcomer is noticed. */
const IDLE_STEP_MS = 1000

/** Prefill below this many tokens wastes most of a step on reading the weights. */
const LEAST_TOKENS = 32

/** Tokens of the first step, while the machine's speed is unknown. */
const FIRST_TOKENS = 128

/** Weight of the newest measurement. */
const SMOOTHING = 0.4

/** Decides from the measured speed how many prompt tokens a step may evaluate. Times come in as arguments. */
export class PrefillBudget {
  readonly #most: number
  /** ms per prompt token. */
  #tokenMs: number | undefined
  /** ms of a step without prompt tokens, by the number of streams. */
  readonly #decodeMs: (number | undefined)[] = []

  /** `most`: tokens that fit a batch. */
  constructor(most: number) {
    this.#most = most
  }

  /** Prompt tokens for the next step beside `streams` generating sequences. */
  tokens(streams: number): number {
    if (this.#tokenMs === undefined) return Math.min(FIRST_TOKENS, this.#most)
    const target = streams > 0 ? STREAMING_STEP_MS - this.#decodeTime(streams) : IDLE_STEP_MS
    const tokens = Math.floor(target / this.#tokenMs)
    return Math.max(LEAST_TOKENS, Math.min(tokens, this.#most - streams))
  }

  /** Learns from a step that took `ms`. */
  observe(streams: number, promptTokens: number, ms: number): void {
    if (promptTokens === 0) this.#decodeMs[streams] = smooth(this.#decodeMs[streams], ms)
    else if (promptTokens >= LEAST_TOKENS) {
      const promptMs = Math.max(ms - this.#decodeTime(streams), ms / 4)
      this.#tokenMs = smooth(this.#tokenMs, promptMs / promptTokens)
    }
  }

  /** Of the nearest number of streams that was measured; 0 where none was. */
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
