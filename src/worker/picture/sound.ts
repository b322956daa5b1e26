import { readFileSync } from "node:fs"
import { SOUNDS } from "../../limits"
import { ASR_SAMPLE_RATE, decodeAudio } from "../audio/decoders/decode"
import { digestOf, Unreadable } from "./picture"
import type { MeasuredFile } from "./protocol"
import { SincResampler } from "./resample"

/** A sound at the rate that a projector wants. @throws Unreadable; InvalidRequest, Unsupported */
export async function readSound(
  path: string,
  rate: number,
): Promise<{ readonly measured: MeasuredFile; readonly samples: Float32Array }> {
  const recording = await decodeAudio(path, {
    makeResampler: (from) => new SincResampler(from, ASR_SAMPLE_RATE),
    pause: async () => {},
    warn: () => {},
    maxSeconds: SOUNDS.seconds,
  })
  if (rate !== ASR_SAMPLE_RATE)
    throw new Unreadable(`the model listens at ${rate} Hz, which is not supported`)
  const samples = recording.slice(0, recording.length)
  const digest = digestOf(`sound at ${rate}`, readFileSync(path))
  return { measured: { width: 0, height: 0, samples: samples.length, digest }, samples }
}
