import { describe, expect, test } from "bun:test"
import { PauseShaper } from "../../../src/worker/tts/pauses"

const RATE = 1000

/** Samples of a recipe: each number is milliseconds of sound, or of silence if negative. */
function samples(...lengths: readonly number[]): Float32Array {
  return Float32Array.from(
    lengths.flatMap((ms) => Array.from({ length: Math.abs(ms) }, () => (ms > 0 ? 0.5 : 0.0001))),
  )
}

/** The milliseconds of sound and silence of the result, as in {@link samples}. */
function lengths(parts: readonly Float32Array[]): number[] {
  const found: number[] = []
  for (const sample of parts.flatMap((part) => [...part])) {
    const sign = Math.abs(sample) > 0.01 ? 1 : -1
    const last = found.at(-1)
    if (last !== undefined && Math.sign(last) === sign) found[found.length - 1] = last + sign
    else found.push(sign)
  }
  return found
}

function shaped(
  pieces: readonly (readonly [readonly number[], Parameters<PauseShaper["endPiece"]>[0]])[],
  speed = 1,
): number[] {
  const shaper = new PauseShaper(RATE, speed)
  return lengths(
    pieces.map(([recipe, after]) => {
      const passed = shaper.push(samples(...recipe), after)
      shaper.endPiece(after)
      return passed
    }),
  )
}

describe("the silence that a voice makes around its pieces", () => {
  test("is cut to natural pauses where it is longer", () => {
    const piece = [-400, 300, -480]
    const kokoro = shaped([
      [piece, "clause"],
      [piece, "sentence"],
      [piece, "line"],
      [piece, "paragraph"],
      [piece, "text"],
    ])
    expect(kokoro).toEqual([-50, 300, -320, 300, -420, 300, -500, 300, -700, 300, -250])
  })

  test("stays where it is short, within a piece too", () => {
    const piece = [-50, 200, -250, 200, -170]
    expect(
      shaped([
        [piece, "clause"],
        [piece, "sentence"],
        [piece, "text"],
      ]),
    ).toEqual([-50, 200, -250, 200, -220, 200, -250, 200, -220, 200, -250, 200, -170])
  })

  test("is made longer only after lines and paragraphs", () => {
    const piece = [-20, 200, -100]
    expect(
      shaped([
        [piece, "line"],
        [piece, "paragraph"],
        [piece, "text"],
      ]),
    ).toEqual([-20, 200, -350, 200, -500, 200, -100])
  })

  test("all but goes where a clause was cut", () => {
    expect(
      shaped([
        [[-50, 200, -170], "nothing"],
        [[-50, 200, -170], "text"],
      ]),
    ).toEqual([-50, 200, -60, 200, -170])
  })

  test("is shorter in fast speech, and longer in slow", () => {
    const pieces = [
      [[-900, 200, -900], "sentence"],
      [[-900, 200, -900], "text"],
    ] as const
    expect(shaped(pieces, 2)).toEqual([-25, 200, -210, 200, -125])
    expect(shaped(pieces, 0.5)).toEqual([-100, 200, -840, 200, -500])
  })

  test("is the same however the sound arrives", () => {
    const shaper = new PauseShaper(RATE, 1)
    const all = samples(-400, 300, -200, 300, -480)
    const parts: Float32Array[] = []
    for (let start = 0; start < all.length; start += 70)
      parts.push(shaper.push(all.slice(start, start + 70), "text"))
    expect(lengths(parts)).toEqual([-50, 300, -200, 300, -250])
  })

  test("of a piece without a sound is none", () => {
    expect(
      shaped([
        [[-50, 200, -170], "sentence"],
        [[-500], "sentence"],
        [[-50, 200, -170], "text"],
      ]),
    ).toEqual([-50, 200, -220, 200, -170])
  })
})
