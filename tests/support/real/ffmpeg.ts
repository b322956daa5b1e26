import type { AudioFormat } from "../../../src/domain/media/speech"

/** Is ffmpeg installed? Prints a note if not; tests that need it are skipped then. */
export function hasFfmpeg(): boolean {
  const found = Bun.which("ffmpeg") !== null
  if (!found) console.warn("skipped: ffmpeg is not installed")
  return found
}

export interface DecodedAudio {
  readonly samples: Int16Array
  readonly sampleRate: number
}

/** ffmpeg always decodes Opus at this rate. */
const OPUS_RATE = 48_000

/** Decodes a mono audio file with ffmpeg. `pcmRate`: the rate of raw samples. @throws Error with ffmpeg's output */
export async function decodeAudio(
  bytes: Uint8Array,
  format: AudioFormat,
  pcmRate: number,
): Promise<DecodedAudio> {
  const input = format === "pcm" ? ["-f", "s16le", "-ar", `${pcmRate}`, "-ac", "1"] : []
  const child = Bun.spawn(
    [
      "ffmpeg",
      "-v",
      "error",
      ...input,
      "-i",
      "pipe:0",
      "-f",
      "wav",
      "-bitexact",
      "-c:a",
      "pcm_s16le",
      "pipe:1",
    ],
    { stdin: bytes, stdout: "pipe", stderr: "pipe" },
  )
  const [output, words] = await Promise.all([child.stdout.bytes(), child.stderr.text()])
  if ((await child.exited) !== 0) throw new Error(words)
  const view = new DataView(output.buffer, output.byteOffset)
  const sampleRate = view.getUint32(24, true)
  const data = Buffer.from(output).indexOf("data") + 8
  return {
    samples: new Int16Array(output.slice(data).buffer),
    sampleRate: format === "opus" ? OPUS_RATE : sampleRate,
  }
}
