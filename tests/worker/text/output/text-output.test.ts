import { describe, expect, test } from "bun:test"
import type { TokenLogprob } from "../../../../src/domain/chat"
import { prepareStops } from "../../../../src/worker/text/output/stop"
import { TextOutput, type TextPiece } from "../../../../src/worker/text/output/text-output"

/** The bytes of "ä", "€" and "🌲" one by one, and texts in one piece. */
function bytesOf(token: string | number): Uint8Array {
  return typeof token === "number" ? Uint8Array.of(token) : new TextEncoder().encode(token)
}

function logprob(id: number): TokenLogprob {
  return { id, bytes: [], logprob: -id, top: [] }
}

/** Feeds tokens, whose ids are their places; the pieces as [text, ids of the log probabilities]. */
function feed(tokens: readonly (string | number)[], stop: readonly string[] = []): [string, number[]][] {
  const answer = new TextOutput(prepareStops(stop))
  const pieces: TextPiece[] = []
  for (const [id, token] of tokens.entries()) {
    const piece = answer.push(bytesOf(token), logprob(id))
    if (piece !== undefined) pieces.push(piece)
    if (piece?.stop !== undefined) return pieces.map(shorten)
  }
  const rest = answer.end()
  if (rest !== undefined) pieces.push(rest)
  return pieces.map(shorten)
}

function shorten({ text, logprobs }: TextPiece): [string, number[]] {
  return [text, (logprobs ?? []).map(({ id }) => id)]
}

describe("the text of an answer", () => {
  test("leaves token by token", () => {
    expect(feed(["Hello", ",", " you"])).toEqual([
      ["Hello", [0]],
      [",", [1]],
      [" you", [2]],
    ])
  })

  test("waits until the bytes of a character are whole", () => {
    expect(feed(["x", 0xf0, 0x9f, 0x8c, 0xb2, "y"])).toEqual([
      ["x", [0]],
      ["🌲", [1, 2, 3, 4]],
      ["y", [5]],
    ])
  })

  test("leaves up to the character that is not whole yet", () => {
    const answer = new TextOutput(prepareStops([]))
    expect(answer.push(Uint8Array.of(0x61, 0xe2, 0x82))?.text).toBe("a")
    expect(answer.push(Uint8Array.of(0xac, 0x62))?.text).toBe("€b")
  })

  test("ends before a character whose bytes never came", () => {
    expect(feed(["a", 0xe2, 0x82]).map(([text]) => text)).toEqual(["a", ""])
    const answer = new TextOutput(prepareStops([]))
    answer.push(Uint8Array.of(0xe2))
    expect(answer.end()).toBeUndefined()
  })

  test("shows bytes that are no UTF-8 as replacement characters", () => {
    expect(feed([0xff, "a"]).map(([text]) => text)).toEqual(["\ufffd", "a"])
  })

  test("keeps a byte order mark", () => {
    expect(feed(["\ufeffa"])[0]?.[0]).toBe("\ufeffa")
  })

  test("does not hold what could become a stop text once it cannot any more", () => {
    expect(feed(["a", "\n", "b"], ["\n\n"])).toEqual([
      ["a", [0]],
      ["\nb", [1, 2]],
    ])
  })

  test("ends before a stop text that lies across tokens", () => {
    expect(feed(["one", " E", "ND", "x"], ["END"])).toEqual([
      ["one", [0]],
      [" ", [1]],
      ["", []],
    ])
  })

  test("is cut in the middle of a token where a stop text begins there", () => {
    const answer = new TextOutput(prepareStops(["\n"]))
    expect(answer.push(bytesOf("yes\nno"))).toMatchObject({ text: "yes", stop: "\n" })
  })

  test("may stop at a character that came in bytes", () => {
    expect(feed(["a", 0xc3, 0xa4, "b"], ["ä"])).toEqual([
      ["a", [0]],
      ["", []],
    ])
  })
})

describe("the log probability of a token", () => {
  test("leaves with its text, not before", () => {
    expect(feed(["E", "N", "x"], ["END"])).toEqual([["ENx", [0, 1, 2]]])
  })

  test("leaves at the end, also of bytes that show no text", () => {
    expect(feed(["a", 0xe2, 0x82])).toEqual([
      ["a", [0]],
      ["", [1, 2]],
    ])
  })

  test("of a token without any text leaves with the next one", () => {
    expect(feed(["a", "", "b", ""])).toEqual([
      ["a", [0]],
      ["b", [1, 2]],
      ["", [3]],
    ])
  })

  test("stays away with the stop text that its token is part of", () => {
    expect(feed(["a", "EN", "D"], ["END"]).flatMap(([, ids]) => ids)).toEqual([0])
  })
})

describe("the tokens of a piece", () => {
  test("are those since the last one, those of a stop text too", () => {
    const answer = new TextOutput(prepareStops(["END"]))
    const counts = ["a", "E", "x", "E", "N", "D"].map((token) => answer.push(bytesOf(token))?.tokens)
    expect(counts).toEqual([1, undefined, 2, undefined, undefined, 3])
  })
})
