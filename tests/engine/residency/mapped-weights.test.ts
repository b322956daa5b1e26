import { expect, test } from "bun:test"
import type { LoadedMediaInfo, LoadedTextInfo } from "../../../src/domain/loaded-model"
import { mappedWeights } from "../../../src/engine/residency/mapped-weights"

const MAPPED = { memoryMap: true, memoryLock: false }

const TEXT: LoadedTextInfo = {
  kind: "text",
  footprint: { ramBytes: 1, devices: [] },
  slots: 1,
  modelBytes: 0,
  devices: ["CPU"],
  contextLength: 512,
  trainedContextLength: 512,
  kvLayout: "split",
  kvCells: 512,
  kvBytes: 1,
  kvMostCells: 512,
  kvMostBytes: 1,
  gpuLayers: 0,
  totalLayers: 4,
  decodeThreads: 1,
  prefillThreads: 1,
  vocabularySize: 2,
  chatTemplate: "model",
  fillInTheMiddle: false,
  speculation: { isOn: true, explanation: "from earlier text, where it is faster" },
}

function text(path: string, modelBytes: number, gpuLayers = 0) {
  return { path, info: { ...TEXT, modelBytes, gpuLayers }, settings: MAPPED }
}

function media(kind: "tts" | "image", modelBytes: number, devices: readonly string[] = []) {
  const footprint = { ramBytes: 1, devices: devices.map((name) => ({ name, bytes: modelBytes })) }
  const info: LoadedMediaInfo = { kind, family: "f", footprint, slots: 1, modelBytes, devices, threads: 1 }
  return { path: kind, info, settings: MAPPED }
}

test("weights of loaded models count once for each file", () => {
  expect(mappedWeights([])).toBe(0)
  expect(mappedWeights([text("a", 1000), text("b", 500), text("a", 1000)])).toBe(1500)
})

test("layers on GPUs are not in system memory", () => {
  expect(mappedWeights([text("a", 1000, 3)])).toBe(250)
  expect(mappedWeights([media("image", 700), media("tts", 60)])).toBe(700)
  expect(mappedWeights([media("image", 700, ["Vulkan0"])])).toBe(0)
})

test("adapters and projectors are read into memory", () => {
  const part = { name: "a.gguf", path: "/a.gguf", sizeBytes: 100 }
  const parts = [
    { ...part, role: "adapter" },
    { ...part, role: "projector" },
  ] as const
  expect(mappedWeights([{ ...text("a", 1200), parts }])).toBe(1000)
})

test("what is read into memory, or locked there, is no cache", () => {
  const settings = [
    { memoryMap: false, memoryLock: false },
    { memoryMap: true, memoryLock: true },
  ]
  for (const each of settings) expect(mappedWeights([{ ...text("a", 1000), settings: each }])).toBe(0)
})
