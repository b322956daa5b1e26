import type { AudioCodec } from "./encoder"
import { bytesOf, toInt16 } from "./samples"

/** Raw samples: 16 bits, signed, little-endian, mono. */
export const pcm: AudioCodec = {
  create: (sampleRate) =>
    Promise.resolve({
      mime: "audio/pcm",
      sampleRate,
      push: (samples) => bytesOf(toInt16(samples)),
      end: () => new Uint8Array(),
    }),
}
