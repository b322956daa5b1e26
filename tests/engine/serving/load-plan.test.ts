import { describe, expect, test } from "bun:test"
import type { LoadedMediaInfo } from "../../../src/domain/loaded-model"
import type { ImageModelDetails } from "../../../src/domain/model"
import type { ModelSettings } from "../../../src/domain/settings"
import { planCache } from "../../../src/engine/residency/estimate"
import { afterFailure, footprintOf, type LoadPlan, noteOn } from "../../../src/engine/serving/load-plan"
import { NotEnoughMemory } from "../../../src/errors/engine"
import { ModelLoadFailed } from "../../../src/errors/model"
import { detailsOf, SETTINGS } from "../../support/test-engine"

const PAINTER: ImageModelDetails = {
  name: "m",
  path: "/m",
  id: "1",
  modifiedAt: new Date(0),
  license: undefined,
  capabilities: [],
  files: [],
  kind: "image",
  sizeBytes: 100,
  architecture: "sd1",
  parameterCount: 1e9,
  quantization: "F16",
  components: [],
}

/** A painter on a GPU, where it takes 500 bytes while it draws. */
const LOAD: LoadPlan = {
  wanted: { ...SETTINGS, gpuLayers: null },
  settings: { ...SETTINGS, gpuLayers: 1 },
  kv: null,
  details: PAINTER,
  memory: { gpuBytes: 0, systemBytes: 0 },
  plan: { devices: [{ name: "G0", layers: 1 }], explanation: "the whole model on G0" },
  working: { ramBytes: 0, devices: [{ name: "G0", bytes: 500 }] },
}

function loaded(devices: readonly string[], footprint: LoadedMediaInfo["footprint"]): LoadedMediaInfo {
  return { kind: "image", family: "sd1", slots: 1, threads: 1, modelBytes: 100, devices, footprint }
}

test("what is measured and what is taken while there is work count together, device by device", () => {
  const info = loaded(["G0"], { ramBytes: 10, devices: [{ name: "G0", bytes: 100 }] })
  expect(footprintOf(LOAD, info)).toEqual({ ramBytes: 10, devices: [{ name: "G0", bytes: 600 }] })
})

test("a worker that says nothing of its GPU has what it takes there while it works", () => {
  const info = loaded(["G0"], { ramBytes: 10, devices: [] })
  expect(footprintOf(LOAD, info)).toEqual({ ramBytes: 10, devices: [{ name: "G0", bytes: 500 }] })
})

test("a worker that went on without its GPU takes system memory", () => {
  const info = loaded(["CPU"], { ramBytes: 10, devices: [] })
  expect(footprintOf(LOAD, info)).toEqual({ ramBytes: 510, devices: [] })
})

test("memory that is taken after the load is what was planned for work, and more where that is exceeded", () => {
  const working = { ramBytes: 100, devices: [] }
  const load = { ...LOAD, working }
  const info = loaded(["CPU"], { ramBytes: 1000, devices: [] })
  const after = (ramBytes: number) => footprintOf(load, info, { ramBytes, devices: [] }).ramBytes
  expect([1000, 1060, 1100, 1500].map(after)).toEqual([1100, 1100, 1100, 1500])
  expect(after(700)).toBe(800)
})

test("on GPUs as well", () => {
  const info = loaded(["G0"], { ramBytes: 10, devices: [{ name: "G0", bytes: 100 }] })
  const after = (bytes: number) => footprintOf(LOAD, info, { ramBytes: 12, devices: [{ name: "G0", bytes }] })
  expect(after(300)).toEqual({ ramBytes: 12, devices: [{ name: "G0", bytes: 600 }] })
  expect(after(700)).toEqual({ ramBytes: 12, devices: [{ name: "G0", bytes: 700 }] })
})

test("simulated GPUs hold what was planned", () => {
  const simulatedDevices = [{ name: "G0", bytes: 7 }]
  const info = loaded(["CPU"], { ramBytes: 10, devices: [] })
  expect(footprintOf({ ...LOAD, simulatedDevices }, info)).toEqual({
    ramBytes: 10,
    devices: simulatedDevices,
  })
})

test("after a load that failed on a GPU all of it is in system memory", () => {
  const error = new ModelLoadFailed("m", "no room", undefined, { outOfMemory: true })
  expect(afterFailure(LOAD, error)).toMatchObject({
    load: {
      settings: { gpuLayers: 0 },
      working: { ramBytes: 500, devices: [] },
      plan: { devices: [{ name: "CPU", layers: 1 }] },
    },
    note: "0 instead of 1 layers are on GPUs, because GPU memory ran out",
  })
  expect(afterFailure(LOAD, new ModelLoadFailed("m", "damaged"))).toBeUndefined()
})

describe("a text model that failed to load for want of memory", () => {
  /** 512 bytes a token. */
  const details = { ...detailsOf("m", {}), embeddingLength: 64, layers: 2, heads: 1, contextLength: 8192 }
  const error = new NotEnoughMemory("m", "system memory", 2, 1, "", { outOfMemory: true })
  const memory = { gpuBytes: 0, systemBytes: 1024 ** 3 }

  function load(wanted: ModelSettings): LoadPlan {
    return {
      ...LOAD,
      wanted,
      settings: wanted,
      details,
      memory,
      kv: planCache(details, wanted, { freeBytes: memory.systemBytes }),
    }
  }

  test("gets a cache that is planned anew, for half of the context that was made", () => {
    const next = afterFailure(load({ ...SETTINGS, slots: 4 }), error)
    expect(next?.load.kv).toMatchObject({
      layout: "split",
      cells: 4 * 1024,
      contextLength: 2048,
      bytes: 4 * 1024 * 512,
      certainBytes: 4 * 1024 * 512,
    })
    expect(next?.note).toBe("the context was reduced to 2048 tokens, because memory ran out")
  })

  test("is not tried again with a cache that the user chose, nor with fewer layers on GPUs", () => {
    expect(afterFailure(load({ ...SETTINGS, contextLength: 8192 }), error)).toBeUndefined()
    expect(afterFailure(load({ ...SETTINGS, kvCells: 8192 }), error)).toBeUndefined()
    expect(afterFailure(load({ ...SETTINGS, gpuLayers: 3, kvCells: 8192 }), error)).toBeUndefined()
  })
})

describe("a context that is longer than the model was trained for", () => {
  const details = { ...detailsOf("m", {}), embeddingLength: 64, layers: 2, heads: 1, contextLength: 8192 }
  const space = { freeBytes: 1024 ** 3 }
  const note = (change: Partial<ModelSettings>) => {
    const wanted = { ...SETTINGS, ...change }
    return noteOn({ ...LOAD, wanted, details, kv: planCache(details, wanted, space) })
  }

  test("is noted, with what makes it usable", () => {
    expect(note({ contextLength: 16_384 })).toBe(
      "the context of 16384 tokens is longer than the 8192 that the model was trained for, beyond which answers get worse: " +
        "--rope-scaling yarn and --rope-freq-scale stretch it",
    )
  })

  test("is as wanted where the model is stretched, or the context no longer", () => {
    expect(note({ contextLength: 16_384, ropeScaling: "yarn", ropeFreqScale: 0.5 })).toBeUndefined()
    expect(note({ contextLength: 16_384, ropeFreqBase: 1_000_000 })).toBeUndefined()
    expect(note({ contextLength: 8192 })).toBeUndefined()
  })
})
