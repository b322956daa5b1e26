import { seededRandom } from "./statistics"

const RATE = 16_000

/** A 16-bit WAV file of so many seconds: a voice-like hum with syllables and pauses, the same each time. */
export function syntheticSpeech(seconds: number): Uint8Array {
  const count = RATE * seconds
  const file = new DataView(new ArrayBuffer(44 + 2 * count))
  const word = (at: number, text: string) =>
    [...text].forEach((letter, index) => file.setUint8(at + index, letter.charCodeAt(0)))
  word(0, "RIFF")
  file.setUint32(4, 36 + 2 * count, true)
  word(8, "WAVEfmt ")
  file.setUint32(16, 16, true)
  file.setUint16(20, 1, true)
  file.setUint16(22, 1, true)
  file.setUint32(24, RATE, true)
  file.setUint32(28, 2 * RATE, true)
  file.setUint16(32, 2, true)
  file.setUint16(34, 16, true)
  word(36, "data")
  file.setUint32(40, 2 * count, true)
  const random = seededRandom(1)
  for (let index = 0; index < count; index++) {
    const time = index / RATE
    const pitch = 120 + 20 * Math.sin(2 * Math.PI * 0.4 * time)
    const tones = [1, 2, 3, 5].reduce(
      (sum, harmonic) => sum + Math.sin(2 * Math.PI * harmonic * pitch * time) / harmonic,
      0,
    )
    // Four syllables a second, and a pause in every third second.
    const loudness = Math.floor(time) % 3 === 2 ? 0 : Math.sin(Math.PI * ((4 * time) % 1)) ** 2
    file.setInt16(44 + 2 * index, 9000 * loudness * (tones + 0.2 * (random() - 0.5)), true)
  }
  return new Uint8Array(file.buffer)
}
