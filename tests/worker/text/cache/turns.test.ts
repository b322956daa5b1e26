import { expect, test } from "bun:test"
import { inTurn } from "../../../../src/worker/text/cache/turns"

const [wide, small, other] = [{ is: "wide" }, { is: "small" }, { is: "other" }]

/** `1` after `wide`: its first choice. */
function choices(request: object, ...names: readonly string[]) {
  return names.map((name) => ({ request, name }))
}

function order(waiting: readonly ReturnType<typeof choices>[number][], running: readonly object[] = []) {
  const ofRunning = running.map((request) => ({ request }))
  return inTurn(waiting, ofRunning).map(({ name }) => name)
}

test("requests take turns, in the order in which they came", () => {
  const waiting = [...choices(wide, "w1", "w2", "w3"), ...choices(small, "s"), ...choices(other, "o1", "o2")]
  expect(order(waiting)).toEqual(["w1", "s", "o1", "w2", "o2", "w3"])
})

test("a request of which choices run already comes after one of which none does", () => {
  const waiting = [...choices(wide, "w3", "w4"), ...choices(small, "s")]
  expect(order(waiting, [wide, wide])).toEqual(["s", "w3", "w4"])
})

test("choices of one request keep their order", () => {
  expect(order(choices(wide, "w1", "w2", "w3"), [wide, small])).toEqual(["w1", "w2", "w3"])
})
