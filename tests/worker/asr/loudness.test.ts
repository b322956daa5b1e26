import { describe, expect, test } from "bun:test"
import {
  FRAME_RATE,
  frameLoudness,
  levelled,
  silenceOutside,
  SILENT_DECIBELS,
} from "../../../src/worker/asr/loudness"
import { Recording } from "../../../src/worker/audio/decoders/recording"
import { mulberry } from "../../support/files/mulberry"

const RATE = 16_000

/** Seconds of noise, each as loud as it says: 1 is full scale. */
function recording(...amplitudes: readonly number[]): Recording {
  const random = mulberry(1)
  const made = new Recording(RATE)
  for (const amplitude of amplitudes)
    made.push(Float32Array.from({ length: RATE }, () => amplitude * (2 * random() - 1)))
  return made
}

/** Of the middle of each second. */
const bySecond = (loudness: Float32Array): number[] =>
  [...loudness].filter((_, i) => i % FRAME_RATE === FRAME_RATE / 2).map(Math.round)

describe("loudness", () => {
  test("is in decibels below full scale", () => {
    const [full = 0, tenth = 0, none] = bySecond(frameLoudness(recording(1, 0.1, 0)))
    // Evenly distributed noise has a third of the power of full scale.
    expect(Math.abs(full - -5)).toBeLessThanOrEqual(1)
    expect(full - tenth).toBeCloseTo(20, -1)
    expect(none).toBe(-120)
  })

  test("has a value for each hundredth of a second, the last one's part included", () => {
    const made = recording(1)
    made.push(new Float32Array(80))
    expect(frameLoudness(made).length).toBe(101)
    expect(frameLoudness(recording()).length).toBe(0)
  })

  test("outside of speech is none", () => {
    const masked = silenceOutside(frameLoudness(recording(1, 1, 1, 1)), [{ start: 1, end: 2 }])
    expect(bySecond(masked).map((level) => level > SILENT_DECIBELS)).toEqual([false, true, false, false])
  })
})

describe("a recording that was made too quietly", () => {
  test("counts as loud where there is speech in it", () => {
    const faint = frameLoudness(recording(0.0008, 0.0001, 0.0008, 0.0001))
    expect(faint.every((level) => level < SILENT_DECIBELS)).toBe(true)
    const levels = bySecond(levelled(faint)).map((level) => level > SILENT_DECIBELS)
    expect(levels).toEqual([true, true, true, true])
  })

  test.each([
    ["noise alone", [0.0005, 0.0005, 0.0005]],
    ["the noise of digits", [0.00005, 0, 0.00005, 0]],
    ["silence", [0, 0]],
    ["usual speech", [0.2, 0.001, 0.2]],
  ])("is no such one where it is %s", (_, amplitudes) => {
    const loudness = frameLoudness(recording(...amplitudes))
    expect(levelled(loudness)).toEqual(loudness)
  })
})
