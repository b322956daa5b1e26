import { expect, test } from "bun:test"
import type { BatchCost } from "../../../../src/domain/batch-cost"
import type { Context } from "../../../../src/llama/context"
import { BatchTiming } from "../../../../src/worker/text/draft/batch-timing"
import type { Runtime } from "../../../../src/worker/text/runtime"

/** A context whose decodes take so many ms, on a clock of its own. */
function scene(ms: (tokens: number, decode: number) => number, slots = [{ id: 0, busy: false, length: 0 }]) {
  let now = 0
  let decodes = 0
  const done: (readonly BatchCost[])[] = []
  const context = {
    decode: ({ size }: { size: number }) => {
      now += ms(size, decodes++)
      return "done"
    },
    logits: () => new Float32Array(1),
    clear: () => {},
  } as unknown as Context
  const runtime = { context, cache: { usable: slots } } as unknown as Runtime
  const timing = new BatchTiming(
    runtime,
    100,
    () => now,
    (costs) => void done.push(costs),
  )
  return { timing, done, decodes: () => decodes }
}

test("measures what batches cost, each size several times", async () => {
  const { timing, done, decodes } = scene((tokens) => 10 + tokens)
  await timing.run(() => true, undefined)
  expect(done).toEqual([[1, 2, 4, 8, 16].map((tokens) => ({ tokens, ms: 10 + tokens }))])
  expect(timing.isOpen).toBe(false)
  expect(decodes()).toBe(15)
})

test("the shortest times count where something disturbed some of them", async () => {
  const { timing, done } = scene((tokens, decode) => (decode % 4 === 1 ? 90 : 10 + tokens))
  await timing.run(() => true, undefined)
  expect(done).toEqual([[1, 2, 4, 8, 16].map((tokens) => ({ tokens, ms: 10 + tokens }))])
})

test("nothing is believed where no two times agree, and after five attempts it is given up", async () => {
  const { timing, done } = scene((_, decode) => 10 * 1.4 ** (decode % 31))
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(timing.isOpen).toBe(true)
    await timing.run(() => true, undefined)
  }
  expect(done).toEqual([])
  expect(timing.isOpen).toBe(false)
})

test("ends as soon as there is something else to do, and starts again later", async () => {
  const { timing, done, decodes } = scene((tokens) => tokens)
  await timing.run(() => decodes() < 3, undefined)
  expect([decodes(), done.length]).toEqual([3, 0])
  await timing.run(() => true, { tryTake: () => false, giveBack: () => {} })
  expect(decodes()).toBe(3)
  await timing.run(() => true, undefined)
  expect([decodes(), done.length]).toEqual([18, 1])
})

test("takes no cells that are in use", async () => {
  const { timing, decodes } = scene(
    () => 1,
    [
      { id: 0, busy: true, length: 5 },
      { id: 1, busy: false, length: 3 },
    ],
  )
  await timing.run(() => true, undefined)
  expect(decodes()).toBe(0)
})
