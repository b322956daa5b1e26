import { describe, expect, test } from "bun:test"
import { frameLoudness } from "../../../src/worker/asr/loudness"
import { cannotBeSpeech } from "../../../src/worker/asr/steady-sound"
import { Recording } from "../../../src/worker/audio/decoders/recording"
import { mulberry } from "../../support/files/mulberry"

const RATE = 16_000

/** The sound of a function of time, in seconds. */
function sound(seconds: number, sampleAt: (time: number) => number): Float32Array {
  return Float32Array.from({ length: seconds * RATE }, (_, i) => sampleAt(i / RATE))
}

function tone(hertz: number, loudness = 0.4): (time: number) => number {
  return (time) => loudness * Math.sin(2 * Math.PI * hertz * time)
}

function noise(loudness: number): () => number {
  const random = mulberry(7)
  return () => loudness * (2 * random() - 1)
}

/** Syllables: a vowel of two formants that change with each of them, four a second, with pauses between. */
function syllables(time: number): number {
  const syllable = Math.floor(time * 4)
  const envelope = Math.max(0, Math.sin(2 * Math.PI * 2 * time * 2) ** 2 - 0.2)
  const [first, second] = [
    [300, 2200],
    [700, 1200],
    [500, 1700],
  ][syllable % 3] ?? [500, 1500]
  return envelope * (tone(first ?? 0, 0.2)(time) + tone(second ?? 0, 0.1)(time))
}

function isNoSpeech(samples: Float32Array): boolean {
  const recording = new Recording(RATE)
  recording.push(samples)
  return cannotBeSpeech(samples, frameLoudness(recording))
}

describe("it cannot be speech:", () => {
  test.each<[string, Float32Array]>([
    ["silence", sound(3, () => 0)],
    ["a tenth of a second of noise", sound(0.1, noise(0.4))],
    ["a tenth of a second of a tone", sound(0.1, tone(440))],
    ["a click", sound(1, (time) => (time > 0.5 && time < 0.503 ? 0.8 : 0))],
    ["noise", sound(3, noise(0.4))],
    ["soft noise", sound(3, noise(0.01))],
    ["half a minute of noise", sound(30, noise(0.4))],
    ["half a second of noise", sound(0.5, noise(0.4))],
    ["a tone", sound(3, tone(440))],
    ["a short high tone", sound(0.3, tone(3000))],
    ["a beep in silence", sound(3, (time) => (time > 1 && time < 1.3 ? tone(1000)(time) : 0))],
    ["beeps", sound(4, (time) => (time % 1 < 0.3 ? tone(1000)(time) : 0))],
    ["the hum of the mains", sound(4, (time) => tone(50, 0.1)(time) + tone(150, 0.05)(time))],
  ])("%s", (_, samples) => {
    expect(isNoSpeech(samples)).toBe(true)
  })
})

describe("it may be speech:", () => {
  const background = noise(0.1)
  test.each<[string, Float32Array]>([
    ["what changes like syllables", sound(3, syllables)],
    ["a single word", sound(0.5, syllables)],
    ["short sounds of one pitch", sound(1, (time) => (time % 0.2 < 0.08 ? tone(440)(time) : 0))],
    ["a word in noise", sound(5, (time) => background() + (time > 2 && time < 2.5 ? syllables(time) : 0))],
    [
      "a word in hum",
      sound(5, (time) => tone(50, 0.2)(time) + (time > 2 && time < 2.5 ? syllables(time) : 0)),
    ],
  ])("%s", (_, samples) => {
    expect(isNoSpeech(samples)).toBe(false)
  })
})
