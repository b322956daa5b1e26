import type { PieceEnd } from "./pieces"

/** The end of a piece, or of the whole text. */
type PauseAfter = PieceEnd | "text"

/** Seconds at normal speed. Voices differ: Piper leaves 0.2 s between sentences, Kokoro 0.9 s. */
const PAUSES: Readonly<Record<PauseAfter, { readonly least: number; readonly most: number }>> = {
  nothing: { least: 0, most: 0.04 },
  clause: { least: 0, most: 0.3 },
  sentence: { least: 0, most: 0.4 },
  line: { least: 0.35, most: 0.5 },
  paragraph: { least: 0.5, most: 0.7 },
  text: { least: 0, most: 0.25 },
}

const MOST_BEFORE_TEXT = 0.05

/** What a soft sound may begin with, and is kept before each. */
const ATTACK = 0.02

/** Loudness is measured over so many seconds. */
const FRAME = 0.01

/** Quieter frames are silent: 50 dB below full scale. */
const SILENT_POWER = 10 ** (-50 / 10)

/**
 * Brings the pauses between pieces to a natural length: voices begin and end each of them with silence of their own.
 * Pauses within a piece stay as they are.
 */
export class PauseShaper {
  readonly #rate: number
  readonly #frame: number
  readonly #speed: number
  /** The latest silence of the present piece, without what was passed on of it. */
  #silence: Float32Array = new Float32Array(0)
  #passed = 0
  #hasSound = false
  /** What precedes the present piece, and how much silence was passed on for it. */
  #before: { readonly after: PauseAfter | undefined; readonly samples: number } = {
    after: undefined,
    samples: 0,
  }

  constructor(sampleRate: number, speed: number) {
    this.#rate = sampleRate
    this.#frame = Math.max(1, Math.round(FRAME * sampleRate))
    this.#speed = speed
  }

  /** Takes the next samples of a piece; returns those that can be passed on. `after`: what ends with the piece. */
  push(samples: Float32Array, after: PauseAfter): Float32Array {
    const all = joined(this.#silence, samples)
    const first = this.#firstSound(all)
    if (first === undefined) {
      this.#silence = all
      return this.#hasSound ? this.#passSilence(after) : new Float32Array(0)
    }
    const end = this.#lastSoundEnd(all)
    const sound = this.#hasSound
      ? all.subarray(0, end)
      : joined(this.#leading(all.subarray(0, first)), all.subarray(first, end))
    this.#hasSound = true
    this.#silence = all.slice(end)
    this.#passed = 0
    return joined(sound, this.#passSilence(after))
  }

  /** Ends a piece. */
  endPiece(after: PauseAfter): void {
    // A piece that the voice cannot pronounce has no sound, and changes nothing.
    if (this.#hasSound) this.#before = { after, samples: this.#passed }
    this.#silence = new Float32Array(0)
    this.#passed = 0
    this.#hasSound = false
  }

  /** As much of the latest silence as there may be at the end of the piece. */
  #passSilence(after: PauseAfter): Float32Array {
    const allowed = Math.max(0, this.#samples(PAUSES[after].most) - this.#passed)
    const pause = this.#silence.slice(0, allowed)
    this.#silence = this.#silence.slice(pause.length)
    this.#passed += pause.length
    return pause
  }

  /** The silence before a piece: as much as the pause still lacks. */
  #leading(own: Float32Array): Float32Array {
    const { after, samples } = this.#before
    const least = after === undefined ? 0 : this.#samples(PAUSES[after].least)
    const most = this.#samples(after === undefined ? MOST_BEFORE_TEXT : PAUSES[after].most)
    const wanted = Math.max(this.#samples(ATTACK), most - samples)
    const kept = own.slice(Math.max(0, own.length - wanted))
    const missing = Math.max(0, least - samples - kept.length)
    return joined(new Float32Array(missing), kept)
  }

  #samples(seconds: number): number {
    return Math.round((seconds * this.#rate) / this.#speed)
  }

  #firstSound(samples: Float32Array): number | undefined {
    for (let start = 0; start < samples.length; start += this.#frame)
      if (!this.#isSilent(samples, start)) return start
    return undefined
  }

  /** After the last frame with sound, counted from the end. */
  #lastSoundEnd(samples: Float32Array): number {
    let end = samples.length
    while (end > 0 && this.#isSilent(samples, Math.max(0, end - this.#frame), end)) end -= this.#frame
    return Math.max(0, end)
  }

  #isSilent(
    samples: Float32Array,
    start: number,
    end = Math.min(samples.length, start + this.#frame),
  ): boolean {
    let power = 0
    for (let index = start; index < end; index++) power += (samples[index] ?? 0) ** 2
    return power < SILENT_POWER * (end - start)
  }
}

function joined(first: Float32Array, second: Float32Array): Float32Array {
  if (first.length === 0) return second
  const all = new Float32Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}
