import { describe, expect, test } from "bun:test"
import type { GenerationRequest } from "../../../src/domain/chat"
import { chooseReplica } from "../../../src/engine/serving/choose-replica"
import { blockHashes, PrefixAffinity } from "../../../src/engine/serving/prefix-affinity"
import { chatRequest, completion } from "../../support/test-engine"

const LOADS = [
  {
    name: "the least busy one",
    loads: [
      [3, 0],
      [1, 0],
      [2, 0],
    ],
    chosen: 2,
  },
  {
    name: "the first of equals",
    loads: [
      [1, 0],
      [1, 0],
    ],
    chosen: 1,
  },
  {
    name: "the one that knows most of the beginning",
    loads: [
      [0, 2],
      [2, 7],
      [0, 0],
    ],
    chosen: 2,
  },
  {
    name: "not that one where it is much busier",
    loads: [
      [0, 2],
      [3, 7],
      [0, 0],
    ],
    chosen: 1,
  },
  {
    name: "the less busy of two that know as much",
    loads: [
      [2, 5],
      [1, 5],
    ],
    chosen: 2,
  },
  {
    name: "not one without a free slot",
    loads: [
      [4, 9],
      [3, 0],
    ],
    chosen: 2,
  },
  {
    name: "none where no slot is free",
    loads: [
      [4, 9],
      [5, 0],
    ],
    chosen: undefined,
  },
  { name: "none of none", loads: [], chosen: undefined },
] as const

describe("a request goes to", () => {
  for (const { name, loads, chosen } of LOADS) {
    test(name, () => {
      const replicas = loads.map(([running, match], index) => ({
        replica: index + 1,
        running,
        match,
        slots: 4,
      }))
      expect(chooseReplica(replicas)).toBe(chosen)
    })
  }
})

describe("the memory of beginnings", () => {
  const text = (length: number, end = "") => "x".repeat(length) + end
  const prompt = (prompt: string): GenerationRequest => ({ ...completion("hold"), prompt })

  test("knows how much two texts begin alike", () => {
    const memory = new PrefixAffinity()
    memory.add(blockHashes(prompt(text(1000, "this"))))
    expect(memory.match(blockHashes(prompt(text(1000, "this"))))).toBe(8)
    expect(memory.match(blockHashes(prompt(text(1000, "that"))))).toBe(7)
    expect(memory.match(blockHashes(prompt(`y${text(1000)}`)))).toBe(0)
  })

  test("sees a conversation that goes on as the same one", () => {
    const first = chatRequest("hold")
    const long = { role: "system", content: text(500) } as const
    const before: GenerationRequest = { ...first, messages: [long, { role: "user", content: "a" }] }
    const after: GenerationRequest = {
      ...before,
      messages: [...before.messages, { role: "assistant", content: "b" }],
    }
    const memory = new PrefixAffinity()
    memory.add(blockHashes(before))
    expect(memory.match(blockHashes(after))).toBe(4)
  })

  test("looks at no more of a text than it remembers", () => {
    expect(blockHashes(prompt(text(10_000_000)))).toHaveLength(4096)
    const ids = Array.from({ length: 1_000_000 }, (_, index) => index % 7)
    expect(blockHashes({ ...completion("hold"), prompt: ids })).toHaveLength(4096)
  })

  test("forgets the oldest, and the ends of texts before their beginnings", () => {
    const memory = new PrefixAffinity()
    const old = blockHashes(prompt(text(1280, "old")))
    memory.add(old)
    memory.add(blockHashes(prompt(`z${text(4090 * 128)}`)))
    expect(memory.match(old)).toBeGreaterThan(0)
    expect(memory.match(old)).toBeLessThan(11)
    memory.clear()
    expect(memory.match(old)).toBe(0)
  })
})
