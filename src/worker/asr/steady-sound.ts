import { ASR_SAMPLE_RATE } from "../audio/decoders/decode"
import { FRAME_RATE, SILENT_DECIBELS } from "./loudness"

const FRAME_SAMPLES = ASR_SAMPLE_RATE / FRAME_RATE

/** Shorter sounds are no words: clicks, pops, the start of a recording. In frames. */
const SHORTEST_WORD = 0.15 * FRAME_RATE
/** Frames this far below the loudest are pauses. */
const PAUSE_DECIBELS = 30
/** At both ends of a sound its fading in and out, and the filters', are left out. In frames. */
const FADED = 2

/** Edges of the bands in Hz: each has about as much of a voice. */
const BAND_EDGES = [100, 400, 1000, 2500, 6000]
/** Bands this far below the loudest have only what leaks from it. */
const LEAST_BAND_DECIBELS = 40
/** Levels are averaged over this many frames: noise varies less the longer it is measured. */
const AVERAGED = { usual: 10, brief: 4 }
/** A sound of fewer frames is brief. */
const BRIEF = FRAME_RATE
/** Fewer say nothing about what stays the same: the syllables are too short. */
const LEAST_STRETCHES = 10
const QUIET_SHARE = 0.2
const LOUD_SHARE = 0.995
/** A voice varies by 10 dB within a second even in noise, in some band; noise, hum and tones by 4 at most. */
const STEADY_DECIBELS = 5

/**
 * Is there nothing in it but what speech cannot be: less than a syllable, or a sound that stays the same, such as noise,
 * hum or a tone? `loudness`: of its frames.
 */
export function cannotBeSpeech(samples: Float32Array, loudness: Float32Array): boolean {
  const loudest = loudness.reduce((most, level) => Math.max(most, level), -Infinity)
  const limit = Math.max(SILENT_DECIBELS, loudest - PAUSE_DECIBELS)
  const audible = loudness.reduce((count, level) => count + (level > limit ? 1 : 0), 0)
  if (audible < SHORTEST_WORD) return true
  const averaged = audible < BRIEF ? AVERAGED.brief : AVERAGED.usual
  const starts = wholeStretches(loudness, limit, averaged)
  if (starts.length < LEAST_STRETCHES) return false
  const bands = bandLevels(samples, averaged, starts)
  const least = Math.max(...bands.map(median)) - LEAST_BAND_DECIBELS
  return bands.every((levels) => median(levels) < least || rangeOf(levels) < STEADY_DECIBELS)
}

/** The first frames of all stretches of `length` audible frames, away from the ends of the sound. */
function wholeStretches(loudness: Float32Array, limit: number, length: number): number[] {
  const starts: number[] = []
  let since = 0
  loudness.forEach((level, frame) => {
    if (level <= limit) since = frame + 1
    // Frames `since` to `frame` are audible.
    const start = frame - FADED - length + 1
    if (start >= since + FADED) starts.push(start)
  })
  return starts
}

/** The level of each band in the stretches of `length` frames, in dB. */
function bandLevels(samples: Float32Array, length: number, starts: readonly number[]): Float32Array[] {
  return BAND_EDGES.slice(1).map((high, i) => {
    const energies = frameEnergies(samples, BAND_EDGES[i] ?? 0, high)
    return Float32Array.from(starts, (start) => {
      const sum = energies.subarray(start, start + length).reduce((total, energy) => total + energy, 0)
      return 10 * Math.log10(sum + 1e-12)
    })
  })
}

/** The energy of each frame between two frequencies: a band-pass filter of second order, applied twice. */
function frameEnergies(samples: Float32Array, low: number, high: number): Float32Array {
  const energies = new Float32Array(Math.ceil(samples.length / FRAME_SAMPLES))
  const first = new BandPass(low, high)
  const second = new BandPass(low, high)
  for (let i = 0; i < samples.length; i++) {
    const filtered = second.next(first.next(samples[i] ?? 0))
    const frame = Math.floor(i / FRAME_SAMPLES)
    energies[frame] = (energies[frame] ?? 0) + filtered * filtered
  }
  return energies
}

/** Robert Bristow-Johnson's band-pass filter with a peak gain of 1. */
class BandPass {
  readonly #gain: number
  readonly #feedback1: number
  readonly #feedback2: number
  #input1 = 0
  #input2 = 0
  #output1 = 0
  #output2 = 0

  constructor(low: number, high: number) {
    const centre = Math.sqrt(low * high)
    const omega = (2 * Math.PI * centre) / ASR_SAMPLE_RATE
    const alpha = (Math.sin(omega) * (high - low)) / centre / 2
    this.#gain = alpha / (1 + alpha)
    this.#feedback1 = (2 * Math.cos(omega)) / (1 + alpha)
    this.#feedback2 = (alpha - 1) / (1 + alpha)
  }

  next(input: number): number {
    const output =
      this.#gain * (input - this.#input2) + this.#feedback1 * this.#output1 + this.#feedback2 * this.#output2
    this.#input2 = this.#input1
    this.#input1 = input
    this.#output2 = this.#output1
    this.#output1 = output
    return output
  }
}

function median(levels: Float32Array): number {
  return levels.toSorted()[levels.length >> 1] ?? -Infinity
}

function rangeOf(levels: Float32Array): number {
  const sorted = levels.toSorted()
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  return at(LOUD_SHARE) - at(QUIET_SHARE)
}
