import { describe, expect, test } from "bun:test"
import type { ModelNeed } from "../../../src/engine/residency/estimate"
import { type Gpu, place, type PlacementInput } from "../../../src/engine/residency/placement"

const GIB = 1024 ** 3

/** 33 parts of 0.25 GiB with their cache, 1 GiB of buffers on each device: 9.25 GiB on one. */
const NEED: ModelNeed = {
  backends: null,
  layers: 33,
  layerBytes: 0.2 * GIB,
  cacheBytes: 33 * 0.05 * GIB,
  computeBytes: GIB,
  transientBytes: 0,
  processBytes: 0.1 * GIB,
  leastContextBytes: 0,
  kv: null,
}

const AUTOMATIC = { gpuLayers: null, splitMode: "layer", tensorSplit: null, devices: null } as const

function gpus(...free: number[]): Gpu[] {
  return free.map((gibibytes, index) => ({ name: `GPU${index}`, freeBytes: gibibytes * GIB }))
}

interface Case {
  readonly name: string
  readonly free: readonly number[]
  readonly settings?: Partial<PlacementInput["settings"]>
  /** Layers of each device, by name. */
  readonly layers: Readonly<Record<string, number>>
  readonly says: string
}

const CASES: readonly Case[] = [
  { name: "no GPU", free: [], layers: { CPU: 33 }, says: "there is no GPU to use" },
  {
    name: "one GPU with room",
    free: [10],
    layers: { GPU0: 33 },
    says: "all 33 layers on GPU0 (10.0 GiB free)",
  },
  {
    name: "one GPU with too little room",
    free: [5],
    layers: { GPU0: 16, CPU: 17 },
    says: "16 of 33 layers on GPU0 (5.0 GiB free): as many as fit, the rest on the CPU",
  },
  { name: "one GPU without room for a layer", free: [1.2], layers: { CPU: 33 }, says: "no room for a layer" },
  {
    name: "two GPUs that both have room: the one with more",
    free: [10, 20],
    layers: { GPU1: 33 },
    says: "GPU1 (20.0 GiB free), the GPU with the most free memory",
  },
  {
    name: "two equal GPUs that have room together",
    free: [6, 6],
    layers: { GPU0: 17, GPU1: 16 },
    says: "all 33 layers over GPU0 (6.0 GiB free) and GPU1 (6.0 GiB free): in proportion",
  },
  {
    name: "two unequal GPUs, in proportion to what they have free for layers",
    free: [7, 4],
    layers: { GPU0: 23, GPU1: 10 },
    says: "all 33 layers over",
  },
  {
    name: "two GPUs that have too little room together",
    free: [3, 3],
    layers: { GPU0: 8, GPU1: 8, CPU: 17 },
    says: "16 of 33 layers over",
  },
  {
    name: "two GPUs of which one is full",
    free: [0.5, 6],
    layers: { GPU1: 20, CPU: 13 },
    says: "20 of 33 layers over GPU1",
  },
  {
    name: "eight equal GPUs",
    free: [2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5],
    layers: { GPU0: 5, GPU1: 4, GPU2: 4, GPU3: 4, GPU4: 4, GPU5: 4, GPU6: 4, GPU7: 4 },
    says: "all 33 layers over",
  },
  {
    name: "eight GPUs, one of them large enough for all",
    free: [2, 2, 2, 2, 24, 2, 2, 2],
    layers: { GPU4: 33 },
    says: "all 33 layers on GPU4",
  },
  {
    name: "no layers asked for",
    free: [24],
    settings: { gpuLayers: 0 },
    layers: { CPU: 33 },
    says: "the settings put no layers on GPUs",
  },
  {
    name: "fewer layers asked for than fit",
    free: [24],
    settings: { gpuLayers: 10 },
    layers: { GPU0: 10, CPU: 23 },
    says: "10 of 33 layers on GPU0",
  },
  {
    name: "more layers asked for than there are",
    free: [24],
    settings: { gpuLayers: 99 },
    layers: { GPU0: 33 },
    says: "all 33 layers",
  },
  {
    name: "more layers asked for than fit: kept, for the user may know better",
    free: [5],
    settings: { gpuLayers: 20 },
    layers: { GPU0: 20, CPU: 13 },
    says: "as many as the settings say",
  },
  {
    name: "devices asked for",
    free: [10, 20],
    settings: { devices: ["GPU0"] },
    layers: { GPU0: 33 },
    says: "GPU0 (10.0 GiB free), the only GPU",
  },
  {
    name: "a device asked for that is not there",
    free: [10],
    settings: { devices: ["GPU7"] },
    layers: { CPU: 33 },
    says: "there is no GPU to use",
  },
  {
    name: "a split asked for, although one GPU would do",
    free: [24, 24],
    settings: { tensorSplit: [3, 1] },
    layers: { GPU0: 25, GPU1: 8 },
    says: "split as set",
  },
  {
    name: "a split asked for that does not fit whole",
    free: [24, 3],
    settings: { tensorSplit: [1, 1] },
    layers: { GPU0: 9, GPU1: 8, CPU: 16 },
    says: "split as set",
  },
  {
    name: "a split over devices in an order of their own",
    free: [24, 24],
    settings: { tensorSplit: [3, 1], devices: ["GPU1", "GPU0"] },
    layers: { GPU1: 25, GPU0: 8 },
    says: "over GPU1 (24.0 GiB free) and GPU0 (24.0 GiB free), split as set",
  },
  {
    name: "no split wanted",
    free: [4, 5],
    settings: { splitMode: "none" },
    layers: { GPU1: 16, CPU: 17 },
    says: "16 of 33 layers on GPU1",
  },
]

for (const { name, free, settings, layers, says } of CASES) {
  test(`layers with ${name}`, () => {
    const devices = gpus(...free)
    const result = place({ need: NEED, gpus: devices, settings: { ...AUTOMATIC, ...settings } })
    expect(Object.fromEntries(result.plan.devices.map((each) => [each.name, each.layers]))).toEqual(layers)
    expect(result.plan.explanation).toContain(says)
    expect(result.gpuLayers).toBe(33 - (layers["CPU"] ?? 0))
  })
}

test("what is chosen automatically fits every device", () => {
  for (const free of [[5], [3, 3], [7, 4], [2, 1.5, 6], [2.5, 2.5, 2.5, 9]]) {
    const devices = gpus(...free)
    const { footprint } = place({ need: NEED, gpus: devices, settings: AUTOMATIC })
    for (const { name, bytes } of footprint.devices) {
      expect(bytes).toBeLessThanOrEqual(devices.find((gpu) => gpu.name === name)?.freeBytes ?? 0)
    }
  }
})

test("the worker is told of the devices and their shares, and of no shares where there is one device", () => {
  const both = place({ need: NEED, gpus: gpus(7, 4), settings: AUTOMATIC })
  expect(both).toMatchObject({ devices: ["GPU0", "GPU1"], tensorSplit: [0.667, 0.333] })
  const one = place({ need: NEED, gpus: gpus(10), settings: AUTOMATIC })
  expect(one).toMatchObject({ devices: ["GPU0"], tensorSplit: null })
  const none = place({ need: NEED, gpus: [], settings: AUTOMATIC })
  expect(none).toMatchObject({ devices: null, tensorSplit: null, gpuLayers: 0 })
})

test("memory is counted where the layers are", () => {
  const { footprint } = place({ need: NEED, gpus: gpus(5), settings: AUTOMATIC })
  expect(footprint.devices).toEqual([{ name: "GPU0", bytes: expect.closeTo(5 * GIB, 0) }])
  expect(footprint.ramBytes).toBeCloseTo((0.1 + 17 * 0.25 + 1) * GIB, 0)
  const all = place({ need: NEED, gpus: gpus(10), settings: AUTOMATIC })
  expect(all.footprint.ramBytes).toBeCloseTo(0.1 * GIB, 0)
})

describe("a card that two backends can use", () => {
  const twins: Gpu[] = [
    { name: "CUDA0", freeBytes: 6 * GIB },
    { name: "Vulkan0", freeBytes: 6 * GIB, isTwin: true },
  ]

  test("has its memory once", () => {
    const { devices, gpuLayers } = place({ need: NEED, gpus: twins, settings: AUTOMATIC })
    expect(devices).toEqual(["CUDA0"])
    expect(gpuLayers).toBeLessThan(33)
  })

  test("is used through the backend that the settings name", () => {
    const settings = { ...AUTOMATIC, devices: ["Vulkan0"] }
    expect(place({ need: NEED, gpus: twins, settings }).devices).toEqual(["Vulkan0"])
  })
})

test("what cannot be on a GPU is on the CPU, whatever the settings say", () => {
  const need = { ...NEED, backends: [], layers: 1 }
  const placement = place({ need, gpus: gpus(100), settings: { ...AUTOMATIC, gpuLayers: 1 } })
  expect(placement).toMatchObject({ gpuLayers: 0, plan: { devices: [{ name: "CPU", layers: 1 }] } })
  expect(placement.plan.explanation).toBe("the whole model on the CPU: its engine computes nowhere else")
})

test("an engine that cannot use a card through one backend uses it through another, or the CPU", () => {
  const cuda: Gpu = { name: "CUDA0", backend: "CUDA", freeBytes: 20 * GIB }
  const vulkan: Gpu = { name: "Vulkan0", backend: "Vulkan", freeBytes: 20 * GIB, isTwin: true }
  const need = { ...NEED, backends: ["Vulkan"], layers: 1 }
  expect(place({ need, gpus: [cuda, vulkan], settings: AUTOMATIC }).devices).toEqual(["Vulkan0"])
  expect(place({ need, gpus: [cuda], settings: AUTOMATIC })).toMatchObject({ devices: null, gpuLayers: 0 })
  const named = { ...AUTOMATIC, devices: ["CUDA0"] }
  expect(place({ need, gpus: [cuda, vulkan], settings: named })).toMatchObject({
    devices: null,
    gpuLayers: 0,
  })
})
