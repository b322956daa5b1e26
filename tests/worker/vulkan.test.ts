import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { locateLlama } from "../../src/native/llama-files"
import { hasRealModel, REAL_MODEL_PATH, USUAL_SETTINGS } from "../support/real/real-model"
import { RealWorker } from "../support/real/real-worker"
import { greedy } from "../support/requests"

// A GPU that is computed by the CPU is slow.
setDefaultTimeout(300_000)

/** Mesa's software device (Debian: mesa-vulkan-drivers). */
function findSoftwareDriver(): string | undefined {
  const glob = new Bun.Glob("lvp_icd*.json")
  const folder = "/usr/share/vulkan/icd.d"
  try {
    const [name] = glob.scanSync({ cwd: folder })
    if (name !== undefined) return `${folder}/${name}`
  } catch {
    // The folder is not there either.
  }
  console.warn("skipped: there is no software Vulkan device; install mesa-vulkan-drivers and libvulkan1")
  return undefined
}

const hasModel = hasRealModel()
const driver = hasModel ? findSoftwareDriver() : undefined

/** As the program does where nobody says anything: all layers that fit. */
const SETTINGS = { ...USUAL_SETTINGS, slots: 2, gpuLayers: null }

const REQUEST = greedy("The capital of Germany is", { maxTokens: 2 })

describe.skipIf(driver === undefined)("with a Vulkan device", () => {
  // The backend takes a software device only where it is named.
  const environment = { VK_DRIVER_FILES: driver ?? "", GGML_VK_VISIBLE_DEVICES: "0" }

  test("all layers are computed there, and the answer is right", async () => {
    await using worker = await RealWorker.start(REAL_MODEL_PATH, { settings: SETTINGS, environment })
    expect(worker.info).toMatchObject({ gpuLayers: 31, totalLayers: 31, devices: ["Vulkan0"] })
    expect(worker.info.gpuFallback).toBeUndefined()
    expect((await worker.run(REQUEST)).text()).toContain("Berlin")
  })

  test("none are where none are wanted", async () => {
    const settings = { ...SETTINGS, gpuLayers: 0 }
    await using worker = await RealWorker.start(REAL_MODEL_PATH, { settings, environment })
    expect(worker.info).toMatchObject({ gpuLayers: 0, devices: ["CPU"] })
    expect(worker.info.gpuFallback).toBeUndefined()
  })
})

const { vulkan } = await locateLlama("/nonexistent")

describe.skipIf(!hasModel || vulkan === undefined)("without a Vulkan driver", () => {
  test("the CPU does the work, and it is said why", async () => {
    await using worker = await RealWorker.start(REAL_MODEL_PATH, {
      settings: SETTINGS,
      environment: { VK_DRIVER_FILES: "/nonexistent.json" },
    })
    expect(worker.info).toMatchObject({ gpuLayers: 0, devices: ["CPU"] })
    expect(worker.info.gpuFallback).toContain("could not be loaded")
    expect((await worker.run(REQUEST)).text()).toContain("Berlin")
  })
})
