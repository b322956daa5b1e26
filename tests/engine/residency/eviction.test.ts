import { describe, expect, test } from "bun:test"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import { availableMemory } from "../../../src/engine/residency/available-memory"
import { decide, type EvictionInput, fitNow, type Resident } from "../../../src/engine/residency/eviction"
import { detailsOf, SETTINGS } from "../../support/test-engine"

const MIB = 1024 ** 2

/** A worker of 1,000 MiB, used at `lastUsedAt`. */
function resident(id: string, lastUsedAt: number, more: Partial<Resident> = {}): Resident {
  return {
    id,
    model: id,
    footprint: { ramBytes: 1000 * MIB, devices: [] },
    priority: "normal",
    pinned: false,
    active: false,
    loading: false,
    ending: false,
    lastUsedAt,
    ...more,
  }
}

interface Situation extends Partial<EvictionInput["limits"]> {
  readonly residents: readonly Resident[]
  readonly needMiB?: number
  readonly priority?: Resident["priority"]
  readonly availableMiB?: number
  readonly gpuFreeMiB?: number
}

function input(situation: Situation): EvictionInput {
  const {
    residents,
    needMiB = 1000,
    priority = "normal",
    availableMiB = 100_000,
    gpuFreeMiB,
    ...limits
  } = situation
  const details = detailsOf("new", { ramMiB: needMiB })
  const settings = { ...SETTINGS, ...(gpuFreeMiB !== undefined && { gpuLayers: null }) }
  const gpu = { name: "GPU0", totalBytes: 8000 * MIB, freeBytes: (gpuFreeMiB ?? 0) * MIB }
  return {
    candidate: { model: "new", details, settings, priority },
    residents,
    reading: {
      system: { totalBytes: 100_000 * MIB, availableBytes: availableMiB * MIB },
      gpus: gpuFreeMiB === undefined ? [] : [gpu],
    },
    limits: { headroomBytes: 0, ...limits },
  }
}

function verdict(situation: Situation) {
  return decide(input(situation))
}

describe("room for 3,000 MiB", () => {
  const limitBytes = 3000 * MIB

  test("nobody goes where there is room", () => {
    const residents = [resident("a", 1), resident("b", 2)]
    expect(verdict({ limitBytes, residents })).toMatchObject({ type: "load" })
  })

  test("the one that was used longest ago goes", () => {
    const residents = [resident("a", 5), resident("b", 2), resident("c", 9)]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "evict", evict: ["b"] })
  })

  test("priority beats recency", () => {
    const residents = [
      resident("a", 1, { priority: "high" }),
      resident("b", 2),
      resident("c", 3, { priority: "low" }),
    ]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "evict", evict: ["c"] })
  })

  test("a busy one and a pinned one stay, however old", () => {
    const residents = [
      resident("a", 1, { active: true }),
      resident("b", 2, { pinned: true }),
      resident("c", 3),
    ]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "evict", evict: ["c"] })
  })

  test("as many go as are needed, and none that would not help", () => {
    const small = { footprint: { ramBytes: 10 * MIB, devices: [] } }
    const residents = [resident("a", 1, small), resident("b", 2), resident("c", 3), resident("d", 4, small)]
    expect(verdict({ limitBytes, residents, needMiB: 1980 })).toEqual({ type: "evict", evict: ["b"] })
    expect(verdict({ limitBytes, residents, needMiB: 2985 })).toMatchObject({ evict: ["a", "b", "c"] })
  })

  test("the bytes of a part decide who goes, those of a part that is not loaded do not", () => {
    const residents = [resident("a", 1), resident("b", 2)]
    const { candidate, ...others } = input({ limitBytes, residents, needMiB: 980 })
    const verdictWith = (part: Pick<AttachedPart, "role" | "scale">) => {
      const sizeBytes = candidate.details.sizeBytes + 50 * MIB
      const parts = [{ ...part, name: "p.gguf", path: "/p.gguf", sizeBytes: 50 * MIB }]
      return decide({
        ...others,
        candidate: { ...candidate, details: { ...candidate.details, sizeBytes, parts } },
      })
    }
    expect(verdictWith({ role: "adapter", scale: 0 })).toMatchObject({ type: "load" })
    for (const role of ["adapter", "projector"] as const)
      expect(verdictWith({ role })).toEqual({ type: "evict", evict: ["a"] })
  })

  test("where only busy ones could make room the newcomer waits for the least of them", () => {
    const residents = [
      resident("a", 2, { active: true }),
      resident("b", 1, { active: true }),
      resident("c", 3, { pinned: true }),
    ]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "wait", for: ["b"] })
  })

  test("one of a higher priority is not asked to stop for a newcomer", () => {
    const residents = [
      resident("a", 1, { active: true, priority: "high" }),
      resident("b", 2, { active: true, priority: "high" }),
      resident("c", 3, { active: true, priority: "high" }),
    ]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "wait", for: [] })
    expect(verdict({ limitBytes, residents, priority: "high" })).toEqual({ type: "wait", for: ["a"] })
  })

  test("nobody else goes where one that is ending leaves enough", () => {
    const residents = [resident("a", 1), resident("b", 2), resident("c", 3, { ending: true })]
    expect(verdict({ limitBytes, residents })).toEqual({ type: "evict", evict: [] })
  })

  test("what can never fit is refused with both sizes", () => {
    const outcome = verdict({ limitBytes, residents: [resident("a", 1)], needMiB: 4096 })
    expect(outcome).toMatchObject({ type: "never", error: { code: "not_enough_memory", status: 507 } })
    if (outcome.type === "never") {
      expect(outcome.error.message).toContain(
        "needs 4.0 GiB of system memory, but at most 2.9 GiB is available",
      )
    }
  })

  test("what does not fit beside pinned ones is refused, naming them", () => {
    const pinned = [resident("a", 1, { pinned: true }), resident("b", 2, { pinned: true })]
    const outcome = verdict({ limitBytes, residents: [...pinned, resident("c", 3)], needMiB: 2000 })
    expect(outcome).toMatchObject({ type: "never" })
    if (outcome.type === "never") expect(outcome.error.message).toContain("'a', 'b' are pinned")
  })

  test("a newcomer that nobody may go for takes only what is free", () => {
    expect(fitNow(input({ limitBytes, residents: [resident("a", 1), resident("b", 2)] }))).toBeDefined()
    const full = [resident("a", 1), resident("b", 2), resident("c", 3)]
    expect(fitNow(input({ limitBytes, residents: full }))).toBeUndefined()
  })
})

describe("the most models", () => {
  test("one goes where the number is reached, whatever memory there is", () => {
    const residents = [resident("a", 2), resident("b", 1)]
    expect(verdict({ maxModels: 2, residents })).toEqual({ type: "evict", evict: ["b"] })
    expect(verdict({ maxModels: 3, residents })).toMatchObject({ type: "load" })
  })

  test("replicas of one model count once", () => {
    const residents = [resident("a#1", 1, { model: "a" }), resident("a#2", 2, { model: "a" })]
    expect(verdict({ maxModels: 2, residents })).toMatchObject({ type: "load" })
    expect(verdict({ maxModels: 1, residents })).toEqual({ type: "evict", evict: ["a#1", "a#2"] })
  })

  test("pinned models that fill it refuse any other", () => {
    const outcome = verdict({ maxModels: 1, residents: [resident("a", 1, { pinned: true })] })
    expect(outcome).toMatchObject({ type: "never", error: { code: "too_many_models" } })
  })
})

describe("memory without a limit", () => {
  test("what others on the machine have taken is not there", () => {
    const residents = [resident("a", 1), resident("b", 2)]
    expect(verdict({ residents, availableMiB: 500 })).toEqual({ type: "evict", evict: ["a"] })
  })

  test("an estimate that is too large is tried where nothing else is loaded", () => {
    expect(verdict({ residents: [], availableMiB: 500 })).toMatchObject({ type: "load" })
    expect(verdict({ residents: [], availableMiB: 500, limitBytes: 900 * MIB })).toMatchObject({
      type: "never",
    })
  })

  test("it makes the others go, or waits for them, first", () => {
    const situation = { availableMiB: 500, needMiB: 5000 }
    expect(verdict({ ...situation, residents: [resident("a", 1), resident("b", 2)] })).toEqual({
      type: "evict",
      evict: ["a", "b"],
    })
    expect(verdict({ ...situation, residents: [resident("a", 1, { active: true })] })).toMatchObject({
      type: "wait",
    })
    expect(verdict({ ...situation, residents: [resident("a", 1, { pinned: true })] })).toMatchObject({
      type: "never",
    })
  })
})

describe("memory of a GPU", () => {
  const holds = (bytes: number) => ({ footprint: { ramBytes: 0, devices: [{ name: "GPU0", bytes }] } })

  test("an idle model goes where the newcomer gets more layers on the GPU so", () => {
    const residents = [resident("a", 1, holds(7500 * MIB))]
    expect(verdict({ residents, gpuFreeMiB: 500, needMiB: 4000 })).toEqual({ type: "evict", evict: ["a"] })
  })

  test("a busy one keeps its layers, and the newcomer runs on the CPU as far as it must", () => {
    const residents = [resident("a", 1, { ...holds(7500 * MIB), active: true })]
    const outcome = verdict({ residents, gpuFreeMiB: 500, needMiB: 4000 })
    expect(outcome).toMatchObject({ type: "load" })
    if (outcome.type === "load") expect(outcome.fit.placement.gpuLayers).toBeLessThan(4)
  })

  test("a limit for GPUs puts the rest on the CPU", () => {
    const outcome = verdict({ residents: [], gpuFreeMiB: 8000, needMiB: 4096, gpuLimitBytes: 2000 * MIB })
    expect(outcome).toMatchObject({
      type: "load",
      fit: { placement: { gpuLayers: 2, plan: { devices: [{ name: "GPU0" }, { name: "CPU", layers: 2 }] } } },
    })
  })
})

describe("room", () => {
  const reading = {
    system: { totalBytes: 1000, availableBytes: 900 },
    gpus: [{ name: "GPU0", totalBytes: 500, freeBytes: 500 }],
  }
  const holder = (loading: boolean) => ({
    loading,
    footprint: { ramBytes: 300, devices: [{ name: "GPU0", bytes: 200 }] },
  })

  test("is never more than the total without what our own workers hold, whatever is reported", () => {
    expect(availableMemory(reading, { headroomBytes: 0 }, [holder(false)])).toEqual({
      systemBytes: 700,
      gpus: [{ name: "GPU0", freeBytes: 300 }],
    })
  })

  test("leaves head-room, and what those that load will take", () => {
    expect(availableMemory(reading, { headroomBytes: 50 }, [holder(true)])).toEqual({
      systemBytes: 550,
      gpus: [{ name: "GPU0", freeBytes: 250 }],
    })
  })

  test("has what those that go give back", () => {
    const full = { ...reading, system: { totalBytes: 1000, availableBytes: 100 } }
    expect(availableMemory(full, { headroomBytes: 0 }, [], [holder(false)]).systemBytes).toBe(400)
  })

  test("ends at the limits", () => {
    const limits = { headroomBytes: 0, limitBytes: 400, gpuLimitBytes: 150 }
    expect(availableMemory(reading, limits, [holder(false)])).toEqual({
      systemBytes: 100,
      gpus: [{ name: "GPU0", freeBytes: -50 }],
    })
  })
})

describe("a context that is larger than all memory", () => {
  /** Two layers of 64 keys and values: 512 bytes of cache for a token. */
  function longer(contextLength: number | null, more: Partial<EvictionInput["candidate"]["settings"]> = {}) {
    const situation = input({ residents: [resident("a", 1)], availableMiB: 8000 })
    const { candidate } = situation
    const details = detailsOf("new", {})
    return decide({
      ...situation,
      reading: { ...situation.reading, system: { totalBytes: 9000 * MIB, availableBytes: 8000 * MIB } },
      candidate: {
        ...candidate,
        details: {
          ...details,
          kind: "text",
          architecture: "llama",
          layers: 2,
          heads: 1,
          embeddingLength: 64,
          metadata: { "llama.attention.head_count_kv": 1 },
        } as typeof details,
        settings: { ...candidate.settings, contextLength, slots: 1, ...more },
      },
    })
  }

  test("is refused with both sizes, and nobody goes for it", () => {
    const verdict = longer(100_000_000)
    expect(verdict).toMatchObject({
      type: "never",
      error: { code: "not_enough_memory", status: 507, details: { available_bytes: 9000 * MIB } },
    })
    if (verdict.type === "never")
      expect(verdict.error.message).toMatch(
        /its KV cache of 100000000 tokens takes 47\.7 GiB, and the mask .* 190\.7 GiB; use a smaller --ctx/,
      )
  })

  test("is refused with a size that is larger than what there is, also where computing over it takes the most", () => {
    const verdict = longer(5_000_000)
    expect(verdict).toMatchObject({ type: "never", error: { details: { available_bytes: 9000 * MIB } } })
    if (verdict.type !== "never") return
    expect(verdict.error.details?.["needed_bytes"]).toBeGreaterThan(9000 * MIB)
    expect(verdict.error.message).toEndWith(
      "its KV cache of 5000192 tokens takes 2.4 GiB, and the mask for computing over them 9.5 GiB; " +
        "use a smaller --ctx (at most 3646976 now)",
    )
  })

  test("is refused where its cells were asked for", () => {
    expect(longer(null, { kvCells: 100_000_000, kvLayout: "unified" })).toMatchObject({ type: "never" })
  })

  test("may be as long as what the weights leave, whatever is loaded that can go", () => {
    const { candidate, ...others } = input({ residents: [resident("idle", 1)], availableMiB: 8000 })
    const details = { ...candidate.details, sizeBytes: 4000 * MIB } as typeof candidate.details
    const { settings } = candidate
    const shape = { layers: 2, heads: 1, embeddingLength: 512, contextLength: 10_000_000 }
    const text = { kind: "text", architecture: "llama", ...shape } as const
    const plan = (sizeBytes: number) =>
      fitNow({
        ...others,
        candidate: { ...candidate, details: { ...details, ...text, sizeBytes } as typeof details, settings },
      })?.need.kv
    // Of 9,000 MiB: 96 for the process, 14 for computing, and 4 + 2 KiB a token, with 2 for the copy when it grows.
    expect(plan(4000 * MIB)).toMatchObject({ contextLength: 4890 * 128, contextLimitedBy: "memory" })
    expect(plan(0)).toMatchObject({ contextLength: 8890 * 128, contextLimitedBy: "memory" })
  })

  test("is tried where its size is not exact, and where it fits once others have gone", () => {
    expect(longer(2_000_000)).toMatchObject({ type: "load" })
    expect(longer(8192)).toMatchObject({ type: "load" })
  })
})
