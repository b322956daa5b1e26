import { encodeWav } from "../files/recordings"

const SAMPLE_RATE = 16_000

/** A tone that rises, as a WAV file of the rate at which models hear. */
export function sweepSound(seconds: number): Uint8Array {
  const samples = Float32Array.from(
    { length: seconds * SAMPLE_RATE },
    (_, index) => 0.3 * Math.sin(index * (0.05 + index / 200_000)),
  )
  return encodeWav(samples, { sampleRate: SAMPLE_RATE })
}
