import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { GenerationRequest } from "../../../src/domain/chat"
import type { ManagedEngine } from "../../../src/engine"
import { writeTinyModel } from "../../support/files/tiny-model"
import { realEngine } from "../../support/real/real-engine"
import { Client, completion } from "../../support/test-engine"

const MIB = 1024 ** 2
let folder = ""

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "xllm-pool-"))
  for (const [index, name] of ["a", "b", "c"].entries())
    writeTinyModel(join(folder, `${name}.gguf`), { seed: index + 1 })
})
afterAll(() => rm(folder, { recursive: true }))

const SETTINGS = { slots: 2, contextLength: 512 }

function request(model: string, maxTokens: number): Partial<GenerationRequest> & { readonly model: string } {
  return { model, maxTokens }
}

async function use(engine: ManagedEngine, model: string): Promise<void> {
  const asked = { ...completion("hold"), ...request(model, 4), prompt: "one two three" }
  const events = await Array.fromAsync(
    engine.complete({ ...asked, kind: "completion" }, new AbortController().signal),
  )
  expect(events.at(-1)?.type).toBe("done")
}

function names(engine: ManagedEngine): string[] {
  return engine.loaded().map(({ name }) => name)
}

test("real workers: the idle one goes for a third where two fit, and a busy one stays", async () => {
  const engine = realEngine(folder, { settings: SETTINGS })
  try {
    await use(engine, "a")
    const measured = engine.loaded()[0]?.footprint?.ramBytes ?? 0
    expect(measured).toBeGreaterThan(20 * MIB)
    // A model that is loaded counts with what was measured, the next one with some 104 MiB that are estimated.
    engine.reconfigure({ memory: { limitBytes: measured + 120 * MIB, headroomBytes: 0 } })
    await use(engine, "b")
    await use(engine, "a")
    await use(engine, "c")
    expect(names(engine)).toEqual(["a", "c"])

    const busy = new Client(engine, "hold", 1, { ...completion("hold"), model: "a", maxTokens: 400 })
    await busy.until("delta")
    await use(engine, "b")
    expect(names(engine)).toEqual(["a", "b"])
    busy.abort()
  } finally {
    await engine.close()
  }
}, 60_000)

test("real workers: where one model may be loaded a request waits for the busy one, and what it writes is whole", async () => {
  const engine = realEngine(folder, { settings: SETTINGS, memory: { maxModels: 1, headroomBytes: 0 } })
  try {
    const busy = new Client(engine, "hold", 1, { model: "a", maxTokens: 200 })
    await busy.until("delta")
    const waiting = new Client(engine, "hold", 1, { model: "b", maxTokens: 4 })
    await waiting.until("queued")
    const events = await busy.rest()
    expect(events.at(-1)).toMatchObject({ type: "done", usage: { completionTokens: 200 } })
    expect((await waiting.rest()).at(-1)?.type).toBe("done")
    expect(names(engine)).toEqual(["b"])
  } finally {
    await engine.close()
  }
}, 60_000)
