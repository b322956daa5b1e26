import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { capabilitiesOfProjector, type ProjectorFacts } from "../../../src/domain/projector"
import { describeProjector, encoderBytes, projectorMisfit } from "../../../src/formats/gguf/projector"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { tempFolder } from "../../support/temp-folder"
import { BROKEN_PROJECTORS } from "../../support/vision/broken-projectors"
import { type TinyProjectorType, writeTinyProjector } from "../../support/vision/tiny-projectors"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

function factsOf(path: string): ProjectorFacts {
  return describeProjector(path, readGgufHeader(path))
}

function written(type: TinyProjectorType, projection = 64): ProjectorFacts {
  const path = join(folder.path, `${type}-${projection}.gguf`)
  writeTinyProjector(path, type, { projection })
  return factsOf(path)
}

describe("the facts about a projector", () => {
  test("say what it is, and how many cells a picture has where all have the same", () => {
    expect(written("gemma3", 96)).toEqual({
      families: ["gemma3"],
      sees: true,
      hears: false,
      parameterCount: 127_360,
      embeddingLength: 64,
      dimensions: 96,
      encoder: { feedForwardLength: 128, heads: 2, patchesPerCell: 16, cells: 16 },
    })
  })

  test("leave the cells open where the picture's size decides", () => {
    expect(written("qwen2vl_merger").encoder).toEqual({ feedForwardLength: 128, heads: 2, patchesPerCell: 4 })
    expect(written("qwen3vl_merger", 32).dimensions).toBe(32)
  })

  test("say which sense it has", () => {
    expect(capabilitiesOfProjector(written("idefics3"))).toEqual(["vision"])
    expect(capabilitiesOfProjector(written("ultravox"))).toEqual(["audio"])
  })
})

describe("a broken projector", () => {
  for (const { name, write, fault } of BROKEN_PROJECTORS) {
    const path = join(folder.path, "broken.gguf")
    if (fault === undefined)
      test(`is left to llama.cpp where its header is in order: ${name}`, () => {
        write(path)
        expect(factsOf(path).sees).toBe(true)
      })
    else
      test(`is found by its header: ${name}`, () => {
        write(path)
        expect(() => factsOf(path)).toThrow(fault)
      })
  }
})

describe("a projector fits", () => {
  const misfit = (type: TinyProjectorType, architecture: string, embeddingLength = 64) =>
    projectorMisfit(written(type), { architecture, embeddingLength }, "'m'")

  test("the models of its family", () => {
    expect(misfit("gemma3", "gemma3")).toBeUndefined()
    expect(misfit("qwen2vl_merger", "qwen2vl")).toBeUndefined()
    expect(misfit("qwen3vl_merger", "qwen3vlmoe")).toBeUndefined()
    expect(misfit("idefics3", "llama")).toBeUndefined()
    expect(misfit("ultravox", "gemma3")).toBeUndefined()
  })

  test("no model of another family, even one of the same width", () => {
    expect(misfit("gemma3", "qwen2vl")).toBe(
      "is of the kind 'gemma3', which is not for models of the architecture 'qwen2vl'",
    )
    expect(misfit("qwen2vl_merger", "gemma3")).toContain("qwen2vl_merger")
    expect(misfit("idefics3", "qwen3vl")).toContain("idefics3")
  })

  test("no model of another width", () => {
    expect(misfit("gemma3", "gemma3", 128)).toBe("makes embeddings of 64 numbers, and those of 'm' have 128")
  })
})

test("the buffers of an encoder grow with the square of its patches only without flash attention", () => {
  const tower = {
    sees: true,
    embeddingLength: 768,
    encoder: { feedForwardLength: 3072, heads: 12, patchesPerCell: 1, cells: 1024 },
  }
  const bytes = (flashAttention: boolean) => encoderBytes(tower, { mostCells: 64, flashAttention })
  // Measured: 41 and 89 MB.
  expect(Math.round(bytes(true) / 1e6)).toBe(41)
  expect(Math.round(bytes(false) / 1e6)).toBe(91)
})
