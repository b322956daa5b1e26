/** Decoded sound of a stretch of time: samples from -1 to 1, one array for each channel, all of one length. */
export interface Pcm {
  readonly channels: readonly Float32Array[]
  /** Hertz. */
  readonly sampleRate: number
}

/** One channel: the mean of all. */
export function mixDown({ channels }: Pcm): Float32Array {
  const [first, ...others] = channels
  if (first === undefined) return new Float32Array()
  if (others.length === 0) return first
  const mixed = Float32Array.from(first)
  for (const channel of others) for (let i = 0; i < mixed.length; i++) mixed[i]! += channel[i] ?? 0
  for (let i = 0; i < mixed.length; i++) mixed[i]! /= channels.length
  return mixed
}
