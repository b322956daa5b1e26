import { expect, test } from "bun:test"
import { Client, testEngine } from "../../support/test-engine"

test("the prompts of one request hold up another by no more than those that run", async () => {
  const { engine, release } = testEngine({ slots: 2 })
  const big = Array.from({ length: 10 }, () => new Client(engine, "hold", 1, { requestId: "big" }))
  for (const client of big) void client.until("finish").catch(() => {})
  const first = new Client(engine, "hold", 1, { requestId: "big" })
  await first.until("queued")
  const small = new Client(engine, "say 1", 1, { requestId: "small" })
  expect((await small.until("queued"))?.position).toBe(0)
  expect(engine.status().queue).toMatchObject({ running: 2, waiting: 10 })
  release()
  expect((await small.rest()).at(-1)?.type).toBe("done")
  expect(engine.status().queue).toMatchObject({ running: 2, waiting: 8 })
  for (const client of [...big, first]) client.abort()
})

test("a request of many prompts is not held up for ever by small ones: its turn comes once none of it runs", async () => {
  const { engine, release } = testEngine({ slots: 1 })
  const running = new Client(engine, "hold", 1, { requestId: "small 0" })
  await running.until("delta")
  const parts = [1, 2].map(() => new Client(engine, "hold", 1, { requestId: "big" }))
  for (const part of parts) await part.until("queued")
  const later = new Client(engine, "hold", 1, { requestId: "small 1" })
  expect((await later.until("queued"))?.position).toBe(1)
  release()
  expect((await parts[0]?.until("delta"))?.type).toBe("delta")
  release()
  expect((await later.until("delta"))?.type).toBe("delta")
  for (const client of [...parts, later]) client.abort()
})

test("requests without an id are served in the order in which they came", async () => {
  const { engine } = testEngine({ slots: 1 })
  const running = new Client(engine, "hold")
  await running.until("delta")
  const waiting = [1, 2, 3].map(() => new Client(engine, "say 1"))
  const positions = []
  for (const client of waiting) positions.push((await client.until("queued"))?.position)
  expect(positions).toEqual([0, 1, 2])
  running.abort()
})

test("a request of more choices than slots leaves a turn to others", async () => {
  const { engine } = testEngine({ slots: 4 })
  const wide = new Client(engine, "hold", 128)
  await wide.until("delta")
  const small = new Client(engine, "say 1")
  expect((await small.rest()).at(-1)?.type).toBe("done")
  expect(engine.status().queue).toMatchObject({ running: 1, waiting: 0 })
  wide.abort()
})
