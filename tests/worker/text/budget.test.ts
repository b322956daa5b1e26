import { describe, expect, test } from "bun:test"
import { PrefillBudget } from "../../../src/worker/text/budget"

/** A machine that takes `decodeMs` for a step and `tokenMs` for every prompt token in it. */
function learn(budget: PrefillBudget, decodeMs: number, tokenMs: number, streams = 1): void {
  for (let step = 0; step < 20; step++) {
    budget.observe(streams, 0, decodeMs)
    budget.observe(streams, 100, decodeMs + 100 * tokenMs)
  }
}

describe("the prompt tokens of a step", () => {
  test("are few while the speed of the machine is unknown", () => {
    expect(new PrefillBudget(2048).tokens(0)).toBe(128)
    expect(new PrefillBudget(100).tokens(0)).toBe(100)
  })

  test("are what 300 ms hold beside streams, and more where nobody waits for a token", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 20, 2)
    expect(budget.tokens(1)).toBe(140)
    expect(budget.tokens(0)).toBe(500)
  })

  test("are as many as make a step worth its while, on a slow machine, but no more than 500 ms hold", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 20, 3)
    expect(budget.tokens(1)).toBe(128)
    learn(budget, 100, 10)
    expect(budget.tokens(1)).toBe(40)
  })

  test("are at least 32, on the slowest machine", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 400, 50)
    expect(budget.tokens(1)).toBe(32)
    expect(budget.tokens(0)).toBe(32)
  })

  test("leave room in the batch for every stream's token, on the fastest machine", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 1, 0.001)
    for (const streams of [0, 1, 16]) expect(budget.tokens(streams)).toBe(2048 - streams)
  })

  test("follow the machine when it becomes slower, and back", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 20, 2)
    learn(budget, 20, 3)
    expect(budget.tokens(1)).toBe(128)
    learn(budget, 20, 2)
    expect(budget.tokens(1)).toBeGreaterThanOrEqual(139)
  })

  test("are not upset by one slow step", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 20, 2)
    budget.observe(1, 100, 20 + 100 * 4)
    expect(budget.tokens(1)).toBeGreaterThanOrEqual(90)
  })

  test("count streams' own time by the nearest number of streams that was seen", () => {
    const budget = new PrefillBudget(2048)
    learn(budget, 60, 1, 8)
    expect(budget.tokens(7)).toBe(240)
    expect(budget.tokens(1)).toBe(240)
  })
})
