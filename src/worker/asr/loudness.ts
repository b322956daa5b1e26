import type { Recording } from "../audio/decoders/recording"

/** Frames per second. */
export const FRAME_RATE = 100

/** Anything below is silence: the noise floor of 16 bits, and of most inserted pauses. */
export const SILENT_DECIBELS = -62

/** The value for digital silence, whose logarithm is -Infinity. */
const QUIETEST_DECIBELS = -120
const SAMPLES_AT_ONCE = 1_600_000

/** The loudness of each frame (10 ms), in dB relative to full scale. */
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

/** A recording whose peaks are below this was recorded too quietly. */
const FAINT_DECIBELS = -42
/** Below this there is only quantization noise. */
const FAINTEST_DECIBELS = -75
/** Minimum difference in dB between speech and its pauses; plain noise has a constant level. */
const LEAST_RANGE = 15
const USUAL_DECIBELS = -20
const QUIET_SHARE = 0.1
const LOUD_SHARE = 0.995

/** Raises the level of speech that was recorded too quietly; leaves everything else unchanged. */
export function levelled(loudness: Float32Array): Float32Array {
  const sorted = loudness.toSorted()
  const loud = sorted[Math.floor(sorted.length * LOUD_SHARE)] ?? QUIETEST_DECIBELS
  const quiet = sorted[Math.floor(sorted.length * QUIET_SHARE)] ?? QUIETEST_DECIBELS
  const isFaint = loud < FAINT_DECIBELS && loud > FAINTEST_DECIBELS
  if (!isFaint || loud - quiet < LEAST_RANGE) return loudness
  return loudness.map((level) => level + USUAL_DECIBELS - loud)
}

/** A copy with everything outside the given speech segments (in seconds) silenced. */
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
