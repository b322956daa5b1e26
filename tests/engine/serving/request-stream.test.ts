import { expect, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import { RequestStream } from "../../../src/engine/serving/request-stream"
import { DecodeFailed } from "../../../src/errors/engine"
import { Cancelled } from "../../../src/errors/request"
import { completion } from "../../support/test-engine"

const TEXT: GenerationEvent = { type: "delta", choice: 0, part: "text", text: "a", tokens: 1 }

function generation(signal = new AbortController().signal) {
  const begun: RequestStream[] = []
  const left: string[] = []
  const made = new RequestStream(completion("hold"), signal, (self) => begun.push(self))
  made.onLeave = () => left.push("left")
  return { made, begun, left, reader: made[Symbol.asyncIterator]() }
}

test("nothing begins before the first event is asked for, and then once", () => {
  const { begun, reader, made } = generation()
  expect(begun).toEqual([])
  void reader.next()
  made.emit(TEXT)
  void reader.next()
  expect(begun).toEqual([made])
})

test("a client that aborts gets Cancelled, and the one at work hears of it once", async () => {
  const abort = new AbortController()
  const { left, reader } = generation(abort.signal)
  const next = reader.next()
  abort.abort()
  expect(left).toEqual(["left"])
  await expect(next).rejects.toBeInstanceOf(Cancelled)
  await reader.return?.()
  expect(left).toEqual(["left"])
})

test("a client that leaves the iteration ends the request", async () => {
  const { left, made } = generation()
  const events = made[Symbol.asyncIterator]()
  const first = events.next()
  made.emit(TEXT)
  expect(await first).toEqual({ value: TEXT, done: false })
  await events.return?.()
  expect(left).toEqual(["left"])
  expect(made.over).toBe(true)
})

test("a client that is gone before it begins never reaches the engine", async () => {
  const { begun, reader } = generation(AbortSignal.abort())
  await expect(reader.next()).rejects.toBeInstanceOf(Cancelled)
  expect(begun).toEqual([])
})

test("after the end an abort is nothing, and neither is a late event", async () => {
  const abort = new AbortController()
  const { left, made, reader } = generation(abort.signal)
  const first = reader.next()
  made.emit(TEXT)
  made.finish()
  made.emit(TEXT)
  made.fail(new DecodeFailed("late"))
  abort.abort()
  expect(await first).toEqual({ value: TEXT, done: false })
  expect(await reader.next()).toEqual({ value: undefined, done: true })
  expect(left).toEqual([])
})

test("a slow client finds only the newest of the progress it has not read, and every text", async () => {
  const { made, reader } = generation()
  const first = reader.next()
  for (const fraction of [0, 0.5, 1]) made.emit({ type: "loading", fraction })
  for (const position of [3, 2, 1]) made.emit({ type: "queued", position })
  made.emit(TEXT)
  made.emit(TEXT)
  made.finish()
  const read = [(await first).value]
  for (let result = await reader.next(); result.done !== true; result = await reader.next())
    read.push(result.value)
  expect(read).toEqual([{ type: "loading", fraction: 0 }, { type: "queued", position: 1 }, TEXT, TEXT])
})
