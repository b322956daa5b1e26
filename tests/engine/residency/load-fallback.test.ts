import { expect, test } from "bun:test"
import { type FailedLoad, nextLoad } from "../../../src/engine/residency/load-fallback"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ModelLoadFailed } from "../../../src/errors/model"
import { SETTINGS } from "../../support/test-engine"

const OUT_OF_MEMORY = new ModelLoadFailed("m", "no room", undefined, { outOfMemory: true })
const CRASHED = new ModelLoadFailed("m", "crashed", new WorkerCrashed("m", "was terminated by SIGABRT", []))

function failed(layers: number | null, more: Partial<FailedLoad> = {}): FailedLoad {
  const wanted = { ...SETTINGS, gpuLayers: null, kvCells: 777 }
  const settings = { ...wanted, gpuLayers: layers, kvCells: 16_384 }
  return { error: OUT_OF_MEMORY, settings, wanted, contextLength: 4096, ...more }
}

test("half of the layers on GPUs, again and again, down to none", () => {
  const layers: (number | null | undefined)[] = []
  for (
    let next = nextLoad(failed(33));
    next?.settings.gpuLayers;
    next = nextLoad(failed(next.settings.gpuLayers))
  ) {
    layers.push(next.settings.gpuLayers)
    expect(next.contextLength).toBe(4096)
  }
  expect(layers).toEqual([16, 8, 4, 2, 1])
  expect(nextLoad(failed(1))).toMatchObject({
    settings: { gpuLayers: 0 },
    note: "0 instead of 1 layers are on GPUs, because GPU memory ran out",
  })
})

test("then half of a context that was chosen automatically, down to 512 tokens", () => {
  const next = nextLoad(failed(0))
  expect(next).toMatchObject({
    settings: { contextLength: 2048, kvCells: 777 },
    contextLength: 2048,
    note: "the context was reduced to 2048 tokens, because memory ran out",
  })
  expect(nextLoad(failed(0, { contextLength: 1024 }))?.contextLength).toBe(512)
  expect(nextLoad(failed(0, { contextLength: 1000 }))).toBeUndefined()
})

test("a context that the user set stays", () => {
  const wanted = { ...SETTINGS, contextLength: 4096 }
  expect(nextLoad(failed(0, { wanted }))).toBeUndefined()
  expect(nextLoad(failed(8, { wanted }))?.settings.gpuLayers).toBe(4)
})

test("after a crash with layers on GPUs the CPU is tried, without any nothing is", () => {
  expect(nextLoad(failed(33, { error: CRASHED }))).toMatchObject({ settings: { gpuLayers: 0 } })
  const settings = { ...failed(33).settings, devices: ["CUDA0"], tensorSplit: [1] }
  expect(nextLoad(failed(33, { error: CRASHED, settings }))).toMatchObject({
    settings: { gpuLayers: 0, devices: null, tensorSplit: null },
  })
  expect(nextLoad(failed(0, { error: CRASHED }))).toBeUndefined()
  expect(nextLoad(failed(null, { error: CRASHED }))).toBeUndefined()
})

test("a load that failed for another reason is not repeated", () => {
  expect(nextLoad(failed(33, { error: new ModelLoadFailed("m", "not a GGUF") }))).toBeUndefined()
})
