import { expect, test } from "bun:test"
import { CallHistory } from "../../../src/http/read/call-history"

test("a call without an id gets one that no earlier call has", () => {
  const calls = new CallHistory()
  const call = (id: string) => ({ id, name: "f", arguments: "{}" })
  expect(calls.newId()).toBe("call00000")
  calls.add(call("call00001"))
  expect(calls.newId()).toBe("call00002")
})
