import type { Recording } from "../audio/decoders/recording"

/** Frames a second. */
export const FRAME_RATE = 100

/** Quieter than this is nothing: the noise of 16-bit silence, and of most pauses that were cut in. */
export const SILENT_DECIBELS = -62

/** What is called for digital silence, which has no logarithm. */
const QUIETEST_DECIBELS = -120
const SAMPLES_AT_ONCE = 1_600_000

/** The loudness of each hundredth of a second, in decibels below full scale. */
export function frameLoudness(recording: Recording): Float32Array {
  const frameSamples = recording.sampleRate / FRAME_RATE
  const loudness = new Float32Array(Math.ceil(recording.length / frameSamples))
  for (let start = 0; start < recording.length; start += SAMPLES_AT_ONCE) {
    const samples = recording.slice(start, start + SAMPLES_AT_ONCE)
    for (let at = 0; at < samples.length; at += frameSamples)
      loudness[(start + at) / frameSamples] = decibels(samples.subarray(at, at + frameSamples))
  }
  return loudness
}

function decibels(samples: Float32Array): number {
  let sum = 0
  for (const sample of samples) sum += sample * sample
  return Math.max(QUIETEST_DECIBELS, 10 * Math.log10(sum / samples.length))
}

/** A recording whose loudest moments are quieter than this was made too quietly. */
const FAINT_DECIBELS = -42
/** Below this there is nothing but the noise of the digits. */
const FAINTEST_DECIBELS = -75
/** Speech is so much louder than the pauses in it; noise alone is the same all the time. */
const LEAST_RANGE = 15
const USUAL_DECIBELS = -20
const QUIET_SHARE = 0.1
const LOUD_SHARE = 0.995

/** Speech that was recorded too quietly, as if it had been recorded loudly enough; all else as it is. */
export function levelled(loudness: Float32Array): Float32Array {
  const sorted = loudness.toSorted()
  const loud = sorted[Math.floor(sorted.length * LOUD_SHARE)] ?? QUIETEST_DECIBELS
  const quiet = sorted[Math.floor(sorted.length * QUIET_SHARE)] ?? QUIETEST_DECIBELS
  const isFaint = loud < FAINT_DECIBELS && loud > FAINTEST_DECIBELS
  if (!isFaint || loud - quiet < LEAST_RANGE) return loudness
  return loudness.map((level) => level + USUAL_DECIBELS - loud)
}

/** The same with everything outside the stretches of speech, given in seconds, made silent. */
export function silenceOutside(
  loudness: Float32Array,
  speech: readonly { readonly start: number; readonly end: number }[],
): Float32Array {
  const masked = new Float32Array(loudness.length).fill(QUIETEST_DECIBELS)
  for (const { start, end } of speech) {
    const from = Math.floor(start * FRAME_RATE)
    masked.set(loudness.subarray(from, Math.ceil(end * FRAME_RATE)), from)
  }
  return masked
}
