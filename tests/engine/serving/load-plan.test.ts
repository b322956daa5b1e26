import { expect, test } from "bun:test"
import type { LoadedMediaInfo } from "../../../src/domain/loaded-model"
import { afterFailure, footprintOf, type LoadPlan } from "../../../src/engine/serving/load-plan"
import { ModelLoadFailed } from "../../../src/errors/model"
import { SETTINGS } from "../../support/test-engine"

/** A painter on a GPU, where it takes 500 bytes while it draws. */
const LOAD: LoadPlan = {
  wanted: { ...SETTINGS, gpuLayers: null },
  settings: { ...SETTINGS, gpuLayers: 1 },
  contextLength: 0,
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
