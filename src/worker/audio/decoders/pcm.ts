/** A stretch of decoded audio: samples from -1 to 1, one array per channel, all of the same length. */
export interface Pcm {
  readonly channels: readonly Float32Array[]
  /** In Hz. */
  readonly sampleRate: number
}

/** Mixes to mono: the mean of all channels. */
export function mixDown({ channels }: Pcm): Float32Array {
  const [first, ...others] = channels
  if (first === undefined) return new Float32Array()
  if (others.length === 0) return first
  const mixed = Float32Array.from(first)
  for (const channel of others) for (let i = 0; i < mixed.length; i++) mixed[i]! += channel[i] ?? 0
  for (let i = 0; i < mixed.length; i++) mixed[i]! /= channels.length
  return mixed
}
