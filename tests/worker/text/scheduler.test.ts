import { describe, expect, test } from "bun:test"
import { planStep, type Runnable } from "../../../src/worker/text/scheduler"

interface Fake extends Runnable {
  readonly name: string
}

function stream(name: string): Fake {
  return { name, remaining: 1, generating: true, waitedSteps: 0, scoresPrompt: false }
}

function prompt(name: string, remaining: number, more: Partial<Fake> = {}): Fake {
  return {
    name,
    remaining,
    generating: false,
    waitedSteps: 0,
    scoresPrompt: false,
    ...more,
  }
}

/** Name and tokens of each piece of work. */
function plan(sequences: readonly Fake[], budget: number, mostOutputs = 64): [string, number][] {
  return planStep(sequences, budget, mostOutputs).work.map(({ sequence, tokens }) => [sequence.name, tokens])
}

describe("a step", () => {
  test("gives every stream its token, however little budget there is", () => {
    expect(plan([stream("a"), prompt("p", 500), stream("b")], 0)).toEqual([
      ["a", 1],
      ["b", 1],
    ])
  })

  test("gives the rest of the budget to prompts, the one that is done soonest first", () => {
    const sequences = [prompt("long", 900), stream("a"), prompt("short", 60), prompt("middle", 100)]
    expect(plan(sequences, 200)).toEqual([
      ["a", 1],
      ["short", 60],
      ["middle", 100],
      ["long", 40],
    ])
  })

  test("does not share the budget out among prompts that wait", () => {
    expect(plan([prompt("a", 300), prompt("b", 400)], 128)).toEqual([["a", 128]])
  })

  test("takes prompts of equal length in their order", () => {
    expect(plan([prompt("a", 100), prompt("b", 100)], 100)).toEqual([["a", 100]])
  })

  test("finishes a prompt that needs only a little more than the budget", () => {
    expect(plan([prompt("a", 140), prompt("b", 400)], 128)).toEqual([["a", 140]])
    expect(plan([prompt("a", 145), prompt("b", 400)], 128)).toEqual([["a", 128]])
    expect(plan([prompt("a", 60), prompt("b", 80)], 128)).toEqual([
      ["a", 60],
      ["b", 80],
    ])
  })

  test("treats the last token of a prompt as a prompt's", () => {
    const step = planStep([prompt("p", 1), stream("a")], 64, 64)
    expect([step.decodeCount, step.promptTokens]).toEqual([1, 1])
  })

  test("asks for no more logits than there is room for", () => {
    const sequences = [prompt("judged", 500, { scoresPrompt: true }), stream("a"), prompt("p", 600)]
    expect(plan(sequences, 200)).toEqual([
      ["a", 1],
      ["judged", 62],
      ["p", 138],
    ])
  })

  test("lets one prompt whose every token is judged wait for the other", () => {
    const sequences = [prompt("a", 40, { scoresPrompt: true }), prompt("b", 50, { scoresPrompt: true })]
    expect(plan(sequences, 200)).toEqual([
      ["a", 40],
      ["b", 24],
    ])
    expect(
      plan([prompt("a", 400, { scoresPrompt: true }), prompt("b", 500, { scoresPrompt: true })], 200),
    ).toEqual([["a", 64]])
  })

  test("goes on with a judged prompt beside as many streams as there are slots", () => {
    const streams = Array.from({ length: 63 }, (_, index) => stream(`${index}`))
    expect(plan([...streams, prompt("judged", 500, { scoresPrompt: true })], 200).at(-1)).toEqual([
      "judged",
      1,
    ])
  })

  test("counts what it computes", () => {
    const step = planStep([stream("a"), stream("b"), prompt("p", 70), prompt("q", 100)], 128, 64)
    expect([step.decodeCount, step.promptTokens]).toEqual([2, 128])
    expect(planStep([stream("a"), prompt("p", 70)], 128, 64).promptTokens).toBe(70)
  })

  test("has nothing to do without sequences", () => {
    expect(planStep([], 128, 64)).toEqual({
      work: [],
      decodeCount: 0,
      draftTokens: 0,
      promptTokens: 0,
    })
  })
})

test("a long prompt does not starve, though a shorter one arrives before every step", () => {
  let remaining = 4000
  let waitedSteps = 0
  let steps = 0
  while (remaining > 0) {
    expect(++steps).toBeLessThan(200)
    const long = prompt("long", remaining, { waitedSteps })
    const { work } = planStep([long, prompt("new", 128)], 128, 64)
    remaining -= work.find(({ sequence }) => sequence.name === "long")?.tokens ?? 0
    waitedSteps++
  }
  // It has to outwait its length once, and is then served in every step.
  expect(steps).toBeGreaterThan(4000 / 128)
})
