import { FRAME_RATE, SILENT_DECIBELS } from "./loudness"

/** A stretch transcribed in one piece, in frames of {@link FRAME_RATE}. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** Minimum length of a window, as a share of the maximum. */
const LEAST_SHARE = 0.4
/** Threshold of a pause, between the quietest and the loudest frames of a stretch (0 to 1). */
const PAUSE_LEVEL = 0.3
const LOUD_SHARE = 0.9
/** Loudness is averaged over this many frames, so that a brief dip is not a pause. */
const SMOOTHED = 5
/** Longer pauses are not preferred further. */
const LONGEST_PAUSE = FRAME_RATE
/** Bonus of the latest possible cut over the earliest, in frames of pause length. */
const LATENESS_WORTH = 0.3 * FRAME_RATE
/** Without a pause, the quietest stretch of this length is used. */
const DIP = 0.15 * FRAME_RATE
/** Silence kept before and after the audible part. */
const MARGIN = 0.3 * FRAME_RATE

/**
 * Cuts a recording into windows of at most `most` seconds, in the middle of pauses: every frame is in exactly
 * one window, so that no word is lost or repeated. Silent windows are left out, and silence at the ends is
 * trimmed.
 */
export function cutIntoWindows(loudness: Float32Array, most: number): Window[] {
  const windows: Window[] = []
  const longest = Math.floor(most * FRAME_RATE)
  let start = 0
  while (loudness.length - start > longest) {
    const end = chooseCut(loudness, start, longest)
    windows.push({ start, end })
    start = end
  }
  windows.push({ start, end: loudness.length })
  return windows.flatMap((window) => withoutSilence(loudness, window))
}

/** Splits a window at its best pause; undefined if it is too short to split. */
export function halve(loudness: Float32Array, { start, end }: Window): readonly [Window, Window] | undefined {
  const length = end - start
  if (length < 2 * FRAME_RATE) return undefined
  const cut = bestCut(loudness, start + Math.floor(length * 0.3), start + Math.ceil(length * 0.7), 0)
  return [
    { start, end: cut },
    { start: cut, end },
  ]
}

/** The end of the window that starts at `start`, if more than `longest` frames follow. */
function chooseCut(loudness: Float32Array, start: number, longest: number): number {
  const rest = loudness.length - start
  const least = Math.floor(longest * LEAST_SHARE)
  // The last two windows divide the rest at the best pause; earlier ones prefer later cuts.
  return rest <= 2 * longest
    ? bestCut(loudness, start + Math.max(least, rest - longest), start + longest, 0)
    : bestCut(loudness, start + least, start + longest, LATENESS_WORTH)
}

/** The middle of the longest pause between two frames, weighted towards later ones. */
function bestCut(loudness: Float32Array, from: number, to: number, latenessWorth: number): number {
  const range = smooth(loudness.subarray(from, to))
  const sorted = range.toSorted()
  const quiet = Math.max(sorted[0] ?? 0, SILENT_DECIBELS)
  const loud = sorted[Math.floor(sorted.length * LOUD_SHARE)] ?? 0
  const limit = quiet + (loud - quiet) * PAUSE_LEVEL
  let best = { worth: -1, at: 0 }
  let pauseStart = 0
  for (let i = 0; i <= range.length; i++) {
    if (i < range.length && (range[i] ?? 0) <= limit) continue
    const length = i - pauseStart
    const worth = Math.min(length, LONGEST_PAUSE) + latenessWorth * (i / range.length)
    if (length >= DIP && worth > best.worth) best = { worth, at: pauseStart + Math.floor(length / 2) }
    pauseStart = i + 1
  }
  return from + (best.worth < 0 ? quietestDip(range) : best.at)
}

/** Moving average over neighbouring frames. */
function smooth(loudness: Float32Array): Float32Array {
  const reach = Math.floor(SMOOTHED / 2)
  return loudness.map((_, i) => {
    const around = loudness.subarray(Math.max(0, i - reach), i + reach + 1)
    return around.reduce((sum, level) => sum + level, 0) / around.length
  })
}

/** The middle of the quietest stretch. */
function quietestDip(range: Float32Array): number {
  let sum = 0
  let best = { sum: Infinity, at: Math.floor(range.length / 2) }
  for (let i = 0; i < range.length; i++) {
    sum += (range[i] ?? 0) - (range[i - DIP] ?? 0)
    if (i >= DIP && sum < best.sum) best = { sum, at: i - Math.floor(DIP / 2) }
  }
  return best.at
}

function withoutSilence(loudness: Float32Array, { start, end }: Window): Window[] {
  const range = loudness.subarray(start, end)
  const first = range.findIndex((level) => level > SILENT_DECIBELS)
  if (first < 0) return []
  const last = range.findLastIndex((level) => level > SILENT_DECIBELS)
  return [
    { start: start + Math.max(0, first - MARGIN), end: start + Math.min(range.length, last + 1 + MARGIN) },
  ]
}
