import { createMp3Encoder } from "wasm-media-encoders"
import type { AudioCodec } from "./encoder"

/** kbit/s, mono. Higher rates do not improve speech. */
const BITRATE = 64
/** For the rates of MPEG-1, which carry more bandwidth. */
const BITRATE_FROM_32_KHZ = 96

/** An encoder that has finished a file: reusing it is faster, since its code is already compiled. */
let idle: Awaited<ReturnType<typeof createMp3Encoder>> | undefined

/**
 * MPEG-1 and MPEG-2 layer III, by LAME. Decoded audio is about 50 ms longer: the encoder's delay and padding.
 */
export const mp3: AudioCodec = {
  rates: [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000],
  async create(sampleRate) {
    const reused = idle
    idle = undefined
    const encoder = reused ?? (await createMp3Encoder())
    // Resets the encoder, whatever it encoded before.
    encoder.configure({
      sampleRate,
      channels: 1,
      bitrate: sampleRate < 32_000 ? BITRATE : BITRATE_FROM_32_KHZ,
    })
    return {
      mime: "audio/mpeg",
      sampleRate,
      // Copied, because the encoder returns its own buffer.
      push: (samples) => encoder.encode([samples]).slice(),
      end: () => {
        const rest = encoder.finalize().slice()
        idle = encoder
        return rest
      },
    }
  },
}
