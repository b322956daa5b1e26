import { expect, test } from "bun:test"
import { PushStream } from "../../../src/lib/async/push-stream"

test("values come in order, kept or awaited, and then the end", async () => {
  const stream = new PushStream<number>()
  stream.push(1)
  stream.push(2)
  const read: number[] = []
  const reading = (async () => {
    for await (const value of stream) read.push(value)
  })()
  await Promise.resolve()
  stream.push(3)
  stream.end()
  stream.push(4)
  await reading
  expect(read).toEqual([1, 2, 3])
})

test("an awaited value is handed over at once", async () => {
  const stream = new PushStream<string>()
  const next = stream.next()
  stream.push("a")
  stream.push("b")
  expect(await next).toEqual({ value: "a", done: false })
  expect(await stream.next()).toEqual({ value: "b", done: false })
})

test("a failure comes after the values before it, once", async () => {
  const stream = new PushStream<number>()
  stream.push(1)
  stream.fail(new RangeError("broken"))
  expect(await stream.next()).toEqual({ value: 1, done: false })
  await expect(stream.next()).rejects.toThrow("broken")
  expect(await stream.next()).toEqual({ value: undefined, done: true })
})

test("a reader that already waits gets the failure", async () => {
  const stream = new PushStream<number>()
  const next = stream.next()
  stream.fail(new RangeError("broken"))
  await expect(next).rejects.toThrow("broken")
})

test("a reader that leaves is let go even while it waits, and drops what is kept", async () => {
  const stream = new PushStream<number>()
  const next = stream.next()
  await stream.return()
  expect(await next).toEqual({ value: undefined, done: true })
  const kept = new PushStream<number>()
  kept.push(1)
  kept.fail(new RangeError("broken"))
  await kept.return()
  expect(await kept.next()).toEqual({ value: undefined, done: true })
})

test("the newest unread value can be replaced, one that was read cannot", async () => {
  const stream = new PushStream<number>()
  stream.push(1)
  stream.pushLatest(2, (newest) => newest === 1)
  stream.pushLatest(3, (newest) => newest === 1)
  stream.end()
  expect(await Array.fromAsync(stream)).toEqual([2, 3])
})

test("a second reader is refused", async () => {
  const stream = new PushStream<number>()
  const first = stream.next()
  await expect(stream.next()).rejects.toThrow("one reader")
  stream.end()
  await expect(first).resolves.toEqual({ value: undefined, done: true })
})

test("undefined is a value like others", async () => {
  const stream = new PushStream<undefined>()
  stream.push(undefined)
  stream.end()
  expect(await stream.next()).toEqual({ value: undefined, done: false })
  expect(await stream.next()).toEqual({ value: undefined, done: true })
})
