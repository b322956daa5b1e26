import { describe, expect, test } from "bun:test"
import { FRAME_RATE } from "../../../src/worker/asr/loudness"
import { cutIntoWindows, halve, type Window } from "../../../src/worker/asr/windows"

const LOUD = -20
const QUIET = -50
const SILENT = -90

/** Loudness of a recording that is described as seconds of it, one after the other. */
function recording(...parts: readonly (readonly [seconds: number, decibels: number])[]): Float32Array {
  return Float32Array.from(
    parts.flatMap(([seconds, decibels]) => Array<number>(Math.round(seconds * FRAME_RATE)).fill(decibels)),
  )
}

function inSeconds(windows: readonly Window[]): number[][] {
  return windows.map(({ start, end }) => [start / FRAME_RATE, end / FRAME_RATE])
}

/** Sentences of 2.6 s with pauses of 0.4 s. */
function speech(seconds: number, pause = QUIET): Float32Array {
  return recording(
    ...Array.from({ length: seconds / 3 }, () => [[2.6, LOUD] as const, [0.4, pause] as const]).flat(),
  )
}

describe("a recording", () => {
  test("that is short enough is one window", () => {
    expect(inSeconds(cutIntoWindows(recording([20, LOUD]), 28))).toEqual([[0, 20]])
  })

  test("that is too long is cut in the middle of a pause", () => {
    expect(inSeconds(cutIntoWindows(recording([15, LOUD], [1, QUIET], [20, LOUD]), 28))).toEqual([
      [0, 15.5],
      [15.5, 36],
    ])
  })

  test("is cut in the longest of several pauses", () => {
    const sound = recording(
      [12, LOUD],
      [0.3, QUIET],
      [4, LOUD],
      [0.8, QUIET],
      [4, LOUD],
      [0.3, QUIET],
      [12, LOUD],
    )
    expect(inSeconds(cutIntoWindows(sound, 28))[0]).toEqual([0, 16.7])
  })

  test("with noise behind the words is cut in pauses too", () => {
    expect(inSeconds(cutIntoWindows(recording([15, LOUD], [1, -30], [20, LOUD]), 28))[0]).toEqual([0, 15.5])
  })

  test("without a pause is cut where it is quietest for a moment", () => {
    const sound = recording([20, LOUD], [0.1, -26], [20, LOUD])
    const [first] = inSeconds(cutIntoWindows(sound, 28))
    expect(first?.[1]).toBeCloseTo(20.05, 1)
  })

  test("whose words are all equally loud is cut all the same", () => {
    for (const { start, end } of cutIntoWindows(recording([100, LOUD]), 28))
      expect(end - start).toBeLessThanOrEqual(28 * FRAME_RATE)
  })

  test.each([30, 60, 90, 300, 3600])(
    "of %p s lies in windows that follow each other, none too long",
    (seconds) => {
      const sound = speech(seconds)
      const windows = cutIntoWindows(sound, 28)
      expect(windows[0]?.start).toBe(0)
      expect(windows.at(-1)?.end).toBe(sound.length)
      windows.forEach(({ start, end }, i) => {
        expect(end - start).toBeLessThanOrEqual(28 * FRAME_RATE)
        expect(start).toBe(windows[i - 1]?.end ?? 0)
        // Every cut is in a pause.
        if (i > 0) expect(sound[start]).toBe(QUIET)
      })
      // Few windows: each is as long as its pauses allow.
      expect(windows.length).toBeLessThanOrEqual(Math.ceil(seconds / 20))
    },
  )

  test("does not end in a window of a moment", () => {
    const windows = cutIntoWindows(speech(30), 28)
    for (const { start, end } of windows) expect(end - start).toBeGreaterThan(5 * FRAME_RATE)
  })
})

describe("silence", () => {
  test("alone has no window", () => {
    expect(cutIntoWindows(recording([100, SILENT]), 28)).toEqual([])
    expect(cutIntoWindows(new Float32Array(), 28)).toEqual([])
  })

  test("before and behind what is heard is left out, but for a moment", () => {
    expect(inSeconds(cutIntoWindows(recording([5, SILENT], [3, LOUD], [5, SILENT]), 28))).toEqual([
      [4.7, 8.3],
    ])
  })

  test("in between is kept", () => {
    expect(inSeconds(cutIntoWindows(recording([2, LOUD], [5, SILENT], [2, LOUD]), 28))).toEqual([[0, 9]])
  })

  test("of a whole window is left out", () => {
    const windows = cutIntoWindows(recording([10, LOUD], [60, SILENT], [10, LOUD]), 28)
    const heard = windows.reduce((sum, { start, end }) => sum + end - start, 0) / FRAME_RATE
    expect(heard).toBeLessThan(45)
    expect(windows[0]?.start).toBe(0)
    expect(windows.at(-1)?.end).toBe(80 * FRAME_RATE)
  })
})

describe("a window in which the engine gave up", () => {
  test("is halved in its best pause", () => {
    const sound = recording([4, LOUD], [0.4, QUIET], [8, LOUD])
    expect(halve(sound, { start: 0, end: sound.length })).toEqual([
      { start: 0, end: 420 },
      { start: 420, end: sound.length },
    ])
  })

  test("is not halved once it is short", () => {
    expect(halve(recording([1.9, LOUD]), { start: 0, end: 190 })).toBeUndefined()
  })
})
