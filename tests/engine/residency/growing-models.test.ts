import { expect, test } from "bun:test"
import type { ManagedEngine } from "../../../src/engine"
import { XllmError } from "../../../src/errors/base"
import { mulberry } from "../../support/files/mulberry"
import { Client, testEngine } from "../../support/test-engine"

const MIB = 1024 ** 2

const THREE = { a: { ramMiB: 1000 }, b: { ramMiB: 1000 }, c: { ramMiB: 1000 } }

function names(engine: ManagedEngine): string[] {
  return engine.loaded().map(({ name }) => name)
}

/** The answer to a worker that asks for memory for a request. */
async function ask(engine: ManagedEngine, model: string, mebibytes: number): Promise<string | undefined> {
  return (await new Client(engine, `ask ${mebibytes}`, 1, { model }).until("delta"))?.text
}

function heldMiB(engine: ManagedEngine): number {
  return engine.status().memory.system.usedByModels / MIB
}

test("a worker that asks for memory gets it, and what it holds is shown", async () => {
  const { engine, heard } = testEngine({
    models: THREE,
    memory: { limitBytes: 4000 * MIB, headroomBytes: 0 },
  })
  expect(await ask(engine, "a", 1500)).toBe("all")
  expect(heldMiB(engine)).toBe(2500)
  expect(engine.loaded()[0]).toMatchObject({
    footprint: { ramBytes: 2500 * MIB },
    info: { kvCells: 8192, kvBytes: 2000 },
  })
  expect(await heard("model asked for memory")).toMatchObject({ model: "a", granted: "all" })
})

test("how far a model may grow is shown, as far as there is memory for it", async () => {
  const memory = { limitBytes: 1000 * MIB + 700, headroomBytes: 0 }
  const { engine } = testEngine({ models: { a: { ramMiB: 1000 } }, memory })
  await new Client(engine, "say 1", 1, { model: "a" }).rest()
  expect(engine.loaded()[0]?.mostBytes).toBe(1000 * MIB + 700)
  expect(engine.status().memory.system.mostUsedByModels).toBe(1000 * MIB + 700)
  engine.reconfigure({ memory: { headroomBytes: 0 } })
  expect(engine.loaded()[0]?.mostBytes).toBe(1000 * MIB + 1000)
  expect(engine.status().memory.system.mostUsedByModels).toBe(1000 * MIB + 1000)
  expect(await ask(engine, "a", 1)).toBe("all")
  expect(engine.loaded()[0]?.mostBytes).toBeUndefined()
  expect(engine.status().memory.system.mostUsedByModels).toBe(1001 * MIB)
})

test("an idle model makes room for it, and a busy one does not", async () => {
  const { engine } = testEngine({ models: THREE, memory: { limitBytes: 4000 * MIB, headroomBytes: 0 } })
  const busy = new Client(engine, "hold", 1, { model: "b" })
  await busy.until("delta")
  expect(await ask(engine, "c", 1)).toBe("all")
  expect(await ask(engine, "a", 1500)).toBe("all")
  expect(names(engine)).toEqual(["b", "a"])
  expect(await ask(engine, "a", 1500)).toBe("no")
  expect(names(engine)).toEqual(["b", "a"])
  expect(heldMiB(engine)).toBe(3500)
  busy.abort()
})

test("what was granted is free again when the worker dies of it", async () => {
  const { engine } = testEngine({ models: THREE, memory: { limitBytes: 4000 * MIB, headroomBytes: 0 } })
  const dying = new Client(engine, "need 2500", 1, { model: "a" })
  expect(await dying.failure()).toMatchObject({ code: "worker_crashed" })
  expect(await ask(engine, "b", 2500)).toBe("all")
  expect(heldMiB(engine)).toBe(3500)
})

test.each([1, 2, 3])(
  "in storm %# models that grow never hold more than the limit together",
  async (seed) => {
    const random = mulberry(seed)
    const limitMiB = 4000
    const settings = { keepAliveSeconds: 1, slots: 4 }
    const models = {
      a: { ramMiB: 200, settings },
      b: { ramMiB: 200, settings },
      c: { ramMiB: 200, settings },
    }
    const { engine } = testEngine({ models, memory: { limitBytes: limitMiB * MIB, headroomBytes: 0 } })
    const answers: string[] = []
    const one = async (): Promise<void> => {
      const model = ["a", "b", "c"][Math.floor(random() * 3)] ?? "a"
      const amount = Math.ceil(random() * 800)
      const prompt = random() < 0.1 ? (`need ${amount}` as const) : (`ask ${amount}` as const)
      const client = new Client(engine, prompt, 1, { model })
      answers.push(await client.until("delta").then((event) => event?.text ?? "", codeOf))
      expect(heldMiB(engine)).toBeLessThanOrEqual(limitMiB)
      await client.rest().catch(() => {})
    }
    const many = Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 12; round++) await one()
    })
    await Promise.all(many)
    const known = ["all", "no", "worker_crashed", "stopping"]
    expect(answers.filter((answer) => !known.includes(answer))).toEqual([])
    expect(answers).toContain("all")
    expect(answers).toContain("no")
    await Promise.all(Object.keys(models).map((name) => engine.stop(name)))
    expect(heldMiB(engine)).toBe(0)
  },
  60_000,
)

function codeOf(error: unknown): string {
  return error instanceof XllmError ? error.code : String(error)
}
