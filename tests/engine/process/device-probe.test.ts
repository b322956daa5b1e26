import { expect, test } from "bun:test"
import { NativeLibraryError } from "../../../src/errors/engine"
import { Client, testEngine } from "../../support/test-engine"

test("the backends are asked once, in a process of their own", async () => {
  const { engine } = testEngine()
  const [first, second] = await Promise.all([engine.system(), engine.system()])
  expect(first).toMatchObject({
    devices: [{ name: "CPU", kind: "cpu" }],
    llamaVersion: "b1",
    gpuFallback: undefined,
  })
  expect(second).toBe(first)
  expect(await engine.system()).toBe(first)
  expect(first.devices[0]?.description).not.toBe(`probe ${process.pid}`)
})

test("status does not wait for the devices, but has them found", async () => {
  const { engine } = testEngine()
  expect(engine.status().devices).toBeNull()
  const { devices } = await engine.system()
  expect(engine.status().devices).toBe(devices)
})

test("a probe that crashes says its last words, and is tried again by the next who asks", async () => {
  const { engine, logged } = testEngine({ probe: "crash" })
  await expect(engine.system()).rejects.toThrow("ended with exit code 3; last output: vulkan: no driver")
  await expect(engine.system()).rejects.toBeInstanceOf(NativeLibraryError)
  expect(logged.filter((entry) => entry.event === "device detection failed")).toHaveLength(2)
  expect(engine.status().devices).toBeNull()
})

test("a probe that never answers is given up, and the error names the limit", async () => {
  const { engine } = testEngine({ probe: "hang", limits: { probeMs: 300 } })
  await expect(engine.system()).rejects.toThrow("limit of 0.3 s")
})

test("close ends a probe that is still asking", async () => {
  const { engine } = testEngine({ probe: "hang" })
  const asking = engine.system().catch(String)
  await engine.close()
  expect(await asking).toContain("the server is stopping")
})

test("a model that may use GPUs is planned for those that the backends report", async () => {
  const models = { m: { ramMiB: 1100, settings: { gpuLayers: null } } }
  const { engine } = testEngine({ probe: "gpus", models })
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
  expect(engine.loaded()[0]?.plan).toMatchObject({ devices: [{ name: "GPU0", layers: 4 }] })
  expect(engine.status().memory.gpus).toMatchObject([{ name: "GPU0", totalBytes: 8 * 1024 ** 3 }])
})

test("where the backends cannot be asked the model runs on the CPU, and the server says so", async () => {
  const models = { m: { settings: { gpuLayers: null } } }
  const { engine, heard } = testEngine({ probe: "crash", models })
  expect((await new Client(engine, "say 1").rest()).at(-1)?.type).toBe("done")
  expect(engine.loaded()[0]?.plan).toMatchObject({ devices: [{ name: "CPU", layers: 4 }] })
  // What the process wrote is in the log alone.
  expect(engine.status().problems).toEqual(["the device probe ended with exit code 3"])
  expect(await heard("device detection failed")).toMatchObject({
    error: expect.stringContaining("vulkan: no driver"),
  })
})
