import { afterAll, beforeAll, expect, test } from "bun:test"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation } from "../support/installation"
import { MemoryGroup } from "../support/memory-group"
import { prose } from "../support/requests"

const MIB = 1024 ** 2

/** A cell of their caches takes 8 KiB: the first 32 MiB, one for 16 unrelated conversations of 365 tokens 64 MiB. */
const MODEL = { layers: 2, dim: 512, heads: 8, kvHeads: 8, contextLength: 8192 }
const KEPT = { firstCells: 4096, allCells: 8192 }
const LOADING = ["--slots", "16", "--cache-type-k", "f32", "--cache-type-v", "f32", "--gpu-layers", "0"]

let xllm: Installation
const group = MemoryGroup.create()
if (group === undefined) console.warn("memory limits: skipped, because no control group can be made here")

beforeAll(async () => {
  xllm = await Installation.create()
  for (const [index, name] of ["a", "b"].entries())
    writeTinyModel(join(xllm.models, `${name}.gguf`), { ...MODEL, seed: index })
})
afterAll(() => {
  group?.[Symbol.dispose]()
  xllm[Symbol.dispose]()
})

test.skipIf(group === undefined)(
  "two models that would both grow within a control group's limit answer everybody and are not killed",
  async () => {
    await using server = await xllm.serve(["--headroom", "16MiB"], { loading: LOADING })
    group!.add(server.pid)
    const ask = async (model: string, seed: number): Promise<number> => {
      const body = { model, prompt: prose(seed, 600), max_tokens: 20, ignore_eos: true }
      const response = await server.post("/v1/completions", body)
      await response.text()
      return response.status
    }
    for (const model of ["a", "b"]) expect(await ask(model, 1)).toBe(200)
    // Enough for the peak of one growth, and not for both models' larger caches.
    group!.limit(group!.usedBytes + 100 * MIB)
    const clients = Array.from({ length: 32 }, (_, index) => ask(index % 2 === 0 ? "a" : "b", 10 + index))
    expect(await Promise.all(clients)).toEqual(clients.map(() => 200))
    const cells = (await server.loaded()).map(({ info }) => (info?.kind === "text" ? info.kv_cells : 0))
    expect(cells).toHaveLength(2)
    expect(cells.every((each) => each >= KEPT.firstCells)).toBe(true)
    expect(cells.reduce((sum, each) => sum + each, 0)).toBeLessThan(2 * KEPT.allCells)
    const metrics = await (await server.get("/metrics")).text()
    expect(metrics).not.toMatch(/^xllm_worker_crashes_total\{.*\} [1-9]/m)
    expect(group!.kills).toBe(0)
    expect(await server.stop()).toBe(0)
  },
  120_000,
)
