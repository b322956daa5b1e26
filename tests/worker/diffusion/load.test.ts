import { expect, test } from "bun:test"
import { gpuIn } from "../../../src/worker/diffusion/load"

test.each([
  ["a graphics card", "Vulkan0", "GPU"],
  ["one inside a processor", "Vulkan1", "IGPU"],
])("%s is known by the line that the engine writes on it", (_, name, type) => {
  const line = `GGML backend device[1]: name='${name}', desc='A card', type=${type}, reg='Vulkan', mem_free=1, mem_total=2`
  expect(gpuIn(line)).toBe(name)
})

test("a processor is no graphics card", () => {
  const line =
    "GGML backend device[0]: name='CPU', desc='AMD EPYC', type=CPU, reg='CPU', mem_free=1, mem_total=2"
  expect(gpuIn(line)).toBeUndefined()
})
