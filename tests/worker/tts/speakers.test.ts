import { describe, expect, test } from "bun:test"
import { InvalidRequest } from "../../../src/errors/request"
import { chooseSpeaker } from "../../../src/worker/tts/speakers"

const KOKORO = ["af_alloy", "af_heart", "am_echo"]

describe("the speaker of a request", () => {
  test.each([
    ["nobody named", [undefined, undefined], undefined, 0],
    ["a name", KOKORO, "af_heart", 1],
    ["a name in capitals", KOKORO, " AF_Heart ", 1],
    ["a number", KOKORO, "2", 2],
    ["a name that is a number", ["10", "2"], "2", 1],
    ["OpenAI's name, of a speaker called so", KOKORO, "echo", 2],
    ["OpenAI's name, of no speaker", KOKORO, "onyx", 0],
    ["OpenAI's name, without names", [undefined], "alloy", 0],
  ] as const)("is found by %s", (_, speakers, voice, expected) => {
    expect(chooseSpeaker(speakers, voice)).toBe(expected)
  })

  test.each([
    [[undefined], "1", "this model has one voice, 0"],
    [["joe"], "jane", "this model has one voice, joe"],
    [[undefined, undefined], "x", "this model has voices from 0 to 1"],
    [KOKORO, "3", "voices from 0 to 2: af_alloy, af_heart, am_echo"],
    [KOKORO, "-1", "voices from 0 to 2"],
    [Array.from({ length: 109 }, (_, index) => `p${index}`), "x", "p58, p59, and 49 more"],
  ])("of %p is not %p", (speakers, voice, message) => {
    expect(() => chooseSpeaker(speakers, voice)).toThrow(InvalidRequest)
    expect(() => chooseSpeaker(speakers, voice)).toThrow(message)
  })
})
