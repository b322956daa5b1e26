import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LoadedModel } from "../../../src/domain/loaded-model"
import type { TextModelSettings } from "../../../src/domain/settings"
import { createEngine } from "../../../src/engine"
import type { MemoryLimits } from "../../../src/engine/contract"
import { createLogger } from "../../../src/log/logger"
import { createStore } from "../../../src/store"
import { writeTinyModel } from "../../support/files/tiny-model"
import { EXACT_SETTINGS, realWorkerCommand } from "../../support/real/real-worker"
import { completion, SETTINGS } from "../../support/test-engine"

/** Mesa's driver that computes on the CPU (Debian: mesa-vulkan-drivers): a GPU for those that have none. */
const DRIVER = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"
const MIB = 1024 ** 2

let folder = ""
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "xllm-gpu-"))
  writeTinyModel(join(folder, "m.gguf"), { layers: 7 })
})
afterAll(() => rm(folder, { recursive: true }))

interface Run {
  readonly loaded: LoadedModel
  readonly text: string
}

/** Loads the model where the driver shows one GPU twice, and has it write something. */
async function run(
  settings: Partial<TextModelSettings>,
  memory: Partial<MemoryLimits> = {},
  driver = DRIVER,
): Promise<Run> {
  const variables = [`VK_DRIVER_FILES=${driver}`, "GGML_VK_VISIBLE_DEVICES=0,0"]
  const kept = { ...SETTINGS, ...EXACT_SETTINGS, slots: 1, contextLength: 256, gpuLayers: null }
  const engine = createEngine({
    store: createStore({ modelsFolder: folder }),
    settingsOf: () => ({ ...kept, ...settings }),
    memory: { headroomBytes: 0, ...memory },
    runtimeFolder: "/nonexistent",
    derivedFolder: "/nonexistent",
    workerCommand: (kind) => ["env", ...variables, ...realWorkerCommand(kind)],
    // This driver compiles for many seconds before its first step.
    limits: { stepMs: 100_000 },
    log: createLogger({ level: "off" }),
  })
  try {
    const request = {
      ...completion("hold"),
      prompt: "one two three",
      maxTokens: 6,
      sampling: { temperature: 0 },
    }
    const events = await Array.fromAsync(engine.complete(request, new AbortController().signal))
    const [loaded] = engine.loaded()
    if (loaded === undefined) throw new Error("nothing is loaded")
    return { loaded, text: events.map((event) => (event.type === "delta" ? event.text : "")).join("") }
  } finally {
    await engine.close()
  }
}

test("a driver that is missing leaves the model on the CPU", async () => {
  const { loaded, text } = await run({}, {}, "/nonexistent/driver.json")
  expect(loaded).toMatchObject({
    info: { gpuLayers: 0, devices: ["CPU"] },
    plan: { devices: [{ name: "CPU" }] },
  })
  expect(text).not.toBe("")
}, 120_000)

describe.skipIf(!existsSync(DRIVER))(
  `GPUs of Mesa's software driver (skipped where ${DRIVER} is missing)`,
  () => {
    test("a model that fits on one goes on one whole, and writes what it writes on the CPU", async () => {
      const { loaded, text } = await run({})
      expect(loaded.plan?.devices).toEqual([{ name: "Vulkan0", layers: 8 }])
      expect(loaded.info).toMatchObject({ gpuLayers: 8, totalLayers: 8, devices: ["Vulkan0"] })
      expect(loaded.footprint?.devices).toEqual([{ name: "Vulkan0", bytes: expect.any(Number) }])
      expect(text).toBe((await run({ gpuLayers: 0 })).text)
    }, 120_000)

    test("a split of three to one is passed on as it is set", async () => {
      const { loaded, text } = await run({ tensorSplit: [3, 1] })
      expect(loaded.plan?.devices).toEqual([
        { name: "Vulkan0", layers: 6 },
        { name: "Vulkan1", layers: 2 },
      ])
      expect(loaded.info).toMatchObject({ gpuLayers: 8, devices: ["Vulkan0", "Vulkan1"] })
      expect(text).not.toBe("")
    }, 120_000)

    test("a limit puts what is over it on the CPU", async () => {
      const { loaded, text } = await run({}, { gpuLimitBytes: 5.5 * MIB })
      const gpuLayers = loaded.info?.kind === "text" ? loaded.info.gpuLayers : Number.NaN
      expect(gpuLayers).toBeGreaterThan(0)
      expect(gpuLayers).toBeLessThan(8)
      expect(loaded.plan?.devices.at(-1)).toEqual({ name: "CPU", layers: 8 - gpuLayers })
      expect(text).not.toBe("")
    }, 120_000)
  },
)
