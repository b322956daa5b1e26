import { expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import type { MemoryGrant } from "../../../src/protocol/messages"
import {
  ContextHolder,
  contextTokens,
  SHORT_TOKENS,
  type TextContext,
} from "../../../src/worker/embedding/context-holder"

/** A holder whose contexts are numbers, and what it did. */
function scene({ grants = ["all"], fails = false }: { grants?: MemoryGrant[]; fails?: boolean } = {}) {
  const done: string[] = []
  let now = 0
  const create = (tokens: number, name = `${tokens}`): TextContext | undefined => {
    done.push(`make ${name}`)
    if (fails) return undefined
    return {
      tokens,
      sequences: 64,
      pooling: "mean",
      isGradual: false,
      width: 1,
      tokenVector: () => new Float32Array(1),
      decode: () => true,
      vector: () => new Float32Array(1),
      setThreads: () => {},
      [Symbol.dispose]: () => void done.push(`free ${name}`),
    }
  }
  const holder = new ContextHolder({
    name: "m",
    mostTokens: 3000,
    create: (tokens) => create(tokens),
    createShort: () => create(SHORT_TOKENS, "short"),
    bytesOf: (tokens) => tokens,
    footprintOf: (ramBytes) => ({ ramBytes, devices: [] }),
    ask: async ({ ramBytes }) => {
      done.push(`ask ${ramBytes}`)
      return grants.shift() ?? "all"
    },
    changed: () => void done.push("changed"),
    adopt: () => {},
    now: () => now,
  })
  /** What it holds once nothing is open. */
  const settled = async (tokens: number) => {
    for (let held = holder.holding(tokens); ; held = holder.holding(tokens)) {
      if (held !== "waits") {
        holder.decoded()
        return held
      }
      await Promise.resolve()
    }
  }
  return { holder, done, settled, later: (ms: number) => (now += ms) }
}

test("a context is made for the longest text seen, after its memory was granted", async () => {
  const { holder, done, settled } = scene()
  expect(await settled(100)).toMatchObject({ tokens: 512 })
  expect(await settled(500)).toMatchObject({ tokens: 512 })
  expect(await settled(1100)).toMatchObject({ tokens: 2048 })
  expect(await settled(600)).toMatchObject({ tokens: 2048 })
  holder.release()
  expect(holder.tokens).toBe(0)
  expect(done).toEqual([
    ...["ask 512", "make 512", "changed"],
    ...["ask 1536", "free 512", "make 2048", "changed"],
    ...["free 2048", "changed"],
  ])
})

test("what is refused is not asked for again at once, and shorter texts go on", async () => {
  const { done, settled, later } = scene({ grants: ["all", "no", "all"] })
  await settled(100)
  expect(await settled(1000)).toBeInstanceOf(XllmError)
  expect(await settled(1000)).toBeInstanceOf(XllmError)
  expect(await settled(100)).toMatchObject({ tokens: 512 })
  later(5001)
  expect(await settled(1000)).toMatchObject({ tokens: 1024 })
  expect(done.filter((each) => each.startsWith("ask"))).toEqual(["ask 512", "ask 512", "ask 512"])
})

test("a context that llama.cpp refuses is an error with its size", async () => {
  const { settled } = scene({ fails: true })
  const error = await settled(600)
  expect(error).toBeInstanceOf(XllmError)
  expect(error instanceof XllmError && error.code).toBe("not_enough_memory")
})

test("a few tokens are computed in a context of their own, made with the first of them", async () => {
  const { holder, done, settled } = scene()
  const context = await settled(500)
  if (context instanceof XllmError) throw context
  expect(holder.fastest(SHORT_TOKENS + 1, context)).toBe(context)
  expect(done).not.toContain("make short")
  const short = holder.fastest(SHORT_TOKENS, context)
  expect(short).toMatchObject({ tokens: SHORT_TOKENS })
  expect(holder.fastest(1, context)).toBe(short)
  done.length = 0
  holder.decoded()
  holder.release()
  expect(done).toEqual(["changed", "free 512", "free short", "changed"])
})

test("where the short context cannot be made, the other one serves", async () => {
  const { holder, settled } = scene()
  const context = await settled(500)
  if (context instanceof XllmError) throw context
  const failing = scene({ fails: true })
  expect(failing.holder.fastest(1, context)).toBe(context)
  expect(failing.holder.fastest(1, context)).toBe(context)
  expect(failing.done).toEqual(["make short"])
  expect(holder.tokens).toBe(512)
})

test("contexts double, up to the longest text that the model takes", () => {
  expect([1, 513, 1025, 2049].map((tokens) => contextTokens(tokens, 3000))).toEqual([512, 1024, 2048, 3072])
  expect(contextTokens(100, 128)).toBe(512)
})
