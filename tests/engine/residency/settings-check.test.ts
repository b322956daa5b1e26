import { describe, expect, test } from "bun:test"
import type { TextModelSettings } from "../../../src/domain/settings"
import { checkSettings, type KnownDevices } from "../../../src/engine/residency/settings-check"
import { InvalidSettings } from "../../../src/errors/engine"
import { detailsOf, SETTINGS } from "../../support/test-engine"

/** Heads of 64 numbers, three of them in the cache. */
const DETAILS = {
  ...detailsOf("m", {}),
  embeddingLength: 576,
  heads: 9,
  metadata: { "fake.attention.head_count_kv": 3 },
}

const GPU = { totalBytes: 100, freeBytes: 100 }
const TWO_GPUS: KnownDevices = {
  names: ["CUDA0", "CUDA1", "CPU"],
  gpus: [
    { ...GPU, name: "CUDA0", backend: "CUDA" },
    { ...GPU, name: "CUDA1", backend: "CUDA" },
  ],
}
const VULKAN: KnownDevices = {
  names: ["Vulkan0", "CPU"],
  gpus: [{ ...GPU, name: "Vulkan0", backend: "Vulkan" }],
}
const NO_GPU: KnownDevices = { names: ["CPU"], gpus: [] }

function faultOf(
  settings: Partial<TextModelSettings>,
  {
    devices = NO_GPU,
    details = DETAILS,
  }: { devices?: KnownDevices | undefined; details?: typeof DETAILS } = {},
): string | undefined {
  try {
    checkSettings(details, { ...SETTINGS, gpuLayers: null, ...settings }, devices)
    return undefined
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error
    return error.message.replace("model 'm' cannot be loaded: ", "")
  }
}

describe("scaled positions", () => {
  test("have a scale only where they are scaled", () => {
    expect(faultOf({ ropeScaling: "none", ropeFreqScale: 0.5 })).toBe(
      "rope_freq_scale 0.5 has no effect with rope_scaling none; " +
        "set --rope-scaling to linear or yarn, or leave out --rope-freq-scale",
    )
    expect(faultOf({ ropeScaling: "none", ropeFreqScale: 1 })).toBeUndefined()
    for (const ropeScaling of ["linear", "yarn", null] as const)
      expect(faultOf({ ropeScaling, ropeFreqScale: 0.5 })).toBeUndefined()
  })

  test("have an original context only with YaRN, which may be the file's own", () => {
    for (const ropeScaling of ["none", "linear"] as const)
      expect(faultOf({ ropeScaling, yarnOriginalContext: 4096 })).toBe(
        `yarn_orig_ctx has no effect with rope_scaling ${ropeScaling}; set --rope-scaling to yarn, or leave out --yarn-orig-ctx`,
      )
    for (const ropeScaling of ["yarn", null] as const)
      expect(faultOf({ ropeScaling, yarnOriginalContext: 4096 })).toBeUndefined()
  })
})

describe("flash attention and the types of the cache", () => {
  test("values in blocks need it", () => {
    expect(faultOf({ kvTypeV: "q4_0", flashAttention: "off" })).toBe(
      "cache_type_v q4_0 needs flash attention, which is off; set --flash-attn to auto or on, or --cache-type-v to f16",
    )
    for (const flashAttention of ["auto", "on"] as const)
      expect(faultOf({ kvTypeV: "q4_0", kvTypeK: "q8_0", flashAttention })).toBeUndefined()
    for (const kvTypeV of ["f32", "f16", "bf16"] as const)
      expect(faultOf({ kvTypeV, kvTypeK: "q4_0", flashAttention: "off" })).toBeUndefined()
  })

  test("blocks divide a head with it, and all heads together without", () => {
    const odd = { ...DETAILS, embeddingLength: 432 }
    expect(faultOf({ kvTypeK: "q8_0" }, { details: odd })).toBe(
      "cache_type_k q8_0 has blocks of 32 numbers, which do not divide this model's 48; set --cache-type-k to f16",
    )
    expect(faultOf({ kvTypeV: "q5_1" }, { details: odd })).toStartWith(
      "cache_type_v q5_1 has blocks of 32 numbers",
    )
    expect(faultOf({ kvTypeK: "q8_0", flashAttention: "off" }, { details: odd })).toContain(
      "this model's 144;",
    )
    const even = { ...odd, metadata: { "fake.attention.head_count_kv": 2 } }
    expect(faultOf({ kvTypeK: "q8_0", flashAttention: "off" }, { details: even })).toBeUndefined()
  })
})

describe("devices", () => {
  test("that are named are there", () => {
    expect(faultOf({ devices: ["CUDA9"] })).toBe("unknown device 'CUDA9' (--device); there is CPU")
    expect(faultOf({ devices: ["CUDA1", "cuda0"] }, { devices: TWO_GPUS })).toContain(
      "unknown device 'cuda0' (--device); there are CUDA0, CUDA1, CPU",
    )
    expect(faultOf({ devices: ["CUDA1", "CUDA0"] }, { devices: TWO_GPUS })).toBeUndefined()
    expect(faultOf({ devices: ["CPU"] }, { devices: TWO_GPUS })).toBeUndefined()
  })

  test("count for nothing where no GPU is wanted, or nobody could ask", () => {
    expect(faultOf({ devices: ["CUDA9"], gpuLayers: 0 })).toBeUndefined()
    expect(() => checkSettings(DETAILS, { ...SETTINGS, devices: ["CUDA9"] }, undefined)).not.toThrow()
  })

  test("that share a model are as many as a split has numbers, and get something", () => {
    const split = (...tensorSplit: readonly number[]) => faultOf({ tensorSplit }, { devices: TWO_GPUS })
    expect(split(3, 1)).toBeUndefined()
    expect(split(1)).toBeUndefined()
    expect(split(1, 1, 1)).toBe("tensor_split has 3 numbers (--tensor-split), but there are CUDA0, CUDA1")
    expect(split(0, 0)).toStartWith("tensor_split gives no GPU a share")
    expect(faultOf({ tensorSplit: [1, 1], devices: ["CUDA1"] }, { devices: TWO_GPUS })).toContain(
      "has 2 numbers (--tensor-split), but there is CUDA1",
    )
    // There is nothing to divide.
    expect(faultOf({ tensorSplit: [3, 1] })).toBeUndefined()
  })

  test("divide single tensors where their backend can", () => {
    for (const splitMode of ["row", "tensor"] as const) {
      expect(faultOf({ splitMode }, { devices: TWO_GPUS })).toBeUndefined()
      expect(faultOf({ splitMode })).toBeUndefined()
      expect(faultOf({ splitMode }, { devices: VULKAN })).toBe(
        `split_mode ${splitMode} is not supported by Vulkan; set --split-mode to layer`,
      )
    }
    const withoutFlash = { splitMode: "tensor", flashAttention: "off" } as const
    expect(faultOf(withoutFlash, { devices: TWO_GPUS })).toStartWith(
      "split_mode tensor needs flash attention",
    )
  })
})

test("what only text has does not count for others", () => {
  const { name, path, id, sizeBytes, modifiedAt, license, capabilities } = DETAILS
  const common = { name, path, id, sizeBytes, modifiedAt, license, capabilities, files: [] }
  const voice = { ...common, kind: "tts", family: "f", sampleRate: 1, speakers: [], languages: [] } as const
  const odd = {
    ...SETTINGS,
    kvTypeV: "q4_0",
    flashAttention: "off",
    devices: ["CUDA9"],
    gpuLayers: null,
  } as const
  expect(() => checkSettings(voice, odd, NO_GPU)).not.toThrow()
})
