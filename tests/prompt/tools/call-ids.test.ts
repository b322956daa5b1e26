import { describe, expect, test } from "bun:test"
import { CallIds, NO_EARLIER_CALLS } from "../../../src/prompt/tools/call-ids"
import { ANY_ID, NINE_CHARACTERS, type IdForm } from "../../../src/prompt/tools/syntax"

const KIMI: IdForm = {
  type: "composed",
  marker: [
    { type: "text", text: "functions." },
    { type: "name" },
    { type: "text", text: ":" },
    { type: "index", first: 0 },
  ],
}

describe("the ids of calls", () => {
  test("have the family's form", () => {
    expect(new CallIds(NINE_CHARACTERS, NO_EARLIER_CALLS).next("f", {})).toMatch(/^[A-Za-z0-9]{9}$/)
    expect(new CallIds(ANY_ID, NO_EARLIER_CALLS).next("f", {})).toMatch(/^call_[A-Za-z0-9]{24}$/)
    expect(new CallIds(KIMI, NO_EARLIER_CALLS).next("f", {})).toBe("functions.f:0")
  })

  test("are the model's own, unless they are used already", () => {
    const ids = new CallIds(NINE_CHARACTERS, { ids: new Set(["before111"]), count: 1 })
    expect(ids.next("f", { id: "abcDEF123" })).toBe("abcDEF123")
    expect(ids.next("f", { id: "abcDEF123" })).not.toBe("abcDEF123")
    expect(ids.next("f", { id: "before111" })).not.toBe("before111")
  })

  test("count on from the calls of earlier answers", () => {
    const ids = new CallIds(KIMI, { ids: new Set(["functions.f:0", "functions.g:1"]), count: 2 })
    expect(ids.next("f", {})).toBe("functions.f:2")
    expect(ids.next("g", { index: 7 })).toBe("functions.g:7")
    // The number that the model writes belongs to another call.
    expect(ids.next("f", { index: 0 })).toBe("functions.f:4")
    expect(ids.next("f", { index: 4 })).toBe("functions.f:5")
  })
})
