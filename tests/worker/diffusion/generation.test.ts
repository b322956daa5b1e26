import { describe, expect, test } from "bun:test"
import type { ImageRequest } from "../../../src/domain/media/image"
import type { ArchitectureName } from "../../../src/formats/image/architectures"
import { type ImageGeneration, planGeneration } from "../../../src/worker/diffusion/generation"

const RANDOM = 4242
const REQUEST: ImageRequest = { kind: "image", prompt: "a fox", n: 1, format: "png", preview: false }

function plan(
  changes: Partial<ImageRequest> = {},
  {
    architecture = "sd1",
    source,
  }: { architecture?: ArchitectureName; source?: { width: number; height: number } } = {},
): ImageGeneration {
  return planGeneration({
    request: { ...REQUEST, ...changes },
    architecture,
    adapter: undefined,
    source,
    randomSeed: RANDOM,
  })
}

function from(strength: number): Partial<ImageRequest> {
  return { source: { imagePath: "/x", strength } }
}

describe("what a request does not say", () => {
  test.each([
    ["sd1", 512, 20, 7],
    ["sdxl", 1024, 25, 7],
    ["flux-schnell", 1024, 4, 1],
  ] as const)("comes from what %s was made for", (architecture, size, steps, cfg) => {
    const { size: planned, parameters } = plan({}, { architecture })
    expect(planned).toEqual({ width: size, height: size })
    expect(parameters).toMatchObject({
      steps,
      cfg_scale: cfg,
      width: size,
      height: size,
      negative_prompt: "",
    })
    expect("sampling_method" in parameters).toBe(false)
    expect("strength" in parameters).toBe(false)
  })

  test("guides a distilled model with its own knob", () => {
    expect(plan({}, { architecture: "flux" }).parameters).toMatchObject({ cfg_scale: 1, guidance: 3.5 })
  })

  test("is a random seed", () => {
    expect(plan().seed).toBe(RANDOM)
  })
})

test("what a request says is done", () => {
  const { seed, steps, parameters } = plan({
    negativePrompt: "blurry",
    width: 640,
    height: 384,
    steps: 7,
    cfgScale: 3.5,
    seed: 0,
    sampler: "dpm++2m",
    scheduler: "karras",
  })
  expect(seed).toBe(0)
  expect(steps).toBe(7)
  expect(parameters).toEqual({
    prompt: "a fox",
    negative_prompt: "blurry",
    width: 640,
    height: 384,
    steps: 7,
    cfg_scale: 3.5,
    sampling_method: "dpm++2m",
    scheduler: "karras",
    vae_tiling: false,
  })
})

test("a large picture is decoded in tiles", () => {
  expect(plan({ width: 1024, height: 1024 }).parameters.vae_tiling).toBe(false)
  expect(plan({ width: 2048, height: 1024 }).parameters.vae_tiling).toBe(true)
})

test("texts that C cannot hold are made whole", () => {
  expect(plan({ prompt: "a\0b \ud800", negativePrompt: "\udc00" }).parameters).toMatchObject({
    prompt: "a b \ufffd",
    negative_prompt: "\ufffd",
  })
})

describe("an image to start from", () => {
  test("gives the size, to the nearest that the model can", () => {
    expect(plan(from(0.5), { source: { width: 500, height: 300 } }).size).toEqual({ width: 512, height: 320 })
    expect(plan(from(0.5), { source: { width: 1, height: 70 } }).size).toEqual({ width: 64, height: 64 })
    expect(plan({ ...from(0.5), width: 128 }, { source: { width: 500, height: 300 } }).size.width).toBe(128)
  })

  test.each([
    [4, 0.5, 3],
    [3, 0.75, 3],
    [2, 1, 2],
    [2, 0, 1],
  ])("of %i steps at strength %f takes %i", (steps, strength, taken) => {
    const planned = plan({ ...from(strength), steps }, { source: { width: 64, height: 64 } })
    expect(planned.steps).toBe(taken)
    expect(planned.parameters).toMatchObject({ steps, strength })
  })
})

test("a variation has no prompt but its picture", () => {
  const planned = plan({ ...from(0.5), prompt: "" }, { source: { width: 64, height: 64 } })
  expect(planned.parameters.prompt).toBe(" ")
})

describe("a request that breaks a rule is refused", () => {
  test.each([
    ["an empty prompt", { prompt: " \n" }, "prompt", "must not be empty"],
    ["a width between the multiples", { width: 65 }, "size", "multiple of 64"],
    ["a height of nothing", { height: 0 }, "size", "between 64 and 4096"],
    ["a side beyond all", { width: 8192 }, "size", "got 8192"],
    ["too many pixels", { width: 4096, height: 2048 }, "size", "4096x2048"],
    ["no steps", { steps: 0 }, "steps", "between 1 and 150"],
    ["more steps than anybody needs", { steps: 151 }, "steps", "got 151"],
    ["too much guidance", { cfgScale: 50.5 }, "cfg_scale", "between 0 and 50"],
    ["half a step", { steps: 1.5 }, "steps", "got 1.5"],
    ["guidance of no number", { cfgScale: Number.NaN }, "cfg_scale", "got NaN"],
    ["a negative seed", { seed: -1 }, "seed", "got -1"],
    ["a seed beyond the engine's", { seed: 2 ** 32 }, "seed", "between 0 and 4294967295"],
    ["an unknown sampler", { sampler: "magic" }, "sampler", "euler, euler_a, heun"],
    ["an unknown scheduler", { scheduler: "ltx2" }, "scheduler", "discrete, karras"],
    ["more than all of the strength", from(1.1), "strength", "between 0 and 1"],
  ] as const)("%s", (_, changes, param, words) => {
    const planning = () => plan(changes)
    expect(planning).toThrow(words)
    expect(planning).toThrow(expect.objectContaining({ status: 400, param }))
  })

  test("a size that only others can", () => {
    expect(plan({ width: 528, height: 528 }, { architecture: "flux" }).size.width).toBe(528)
    expect(() => plan({ width: 520 }, { architecture: "flux" })).toThrow("multiple of 16")
  })

  test("a mask, as something that is not supported", () => {
    const planning = () => plan({ source: { imagePath: "/x", maskPath: "/y", strength: 0.5 } })
    expect(planning).toThrow(expect.objectContaining({ code: "unsupported", param: "mask" }))
  })
})
