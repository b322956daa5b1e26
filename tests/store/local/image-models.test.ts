import { describe, expect, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { writeGguf } from "../../support/files/gguf-writer"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeSafetensors } from "../../support/files/safetensors-writer"
import { writeTinyImageModel, writeTinyImageModelLora } from "../../support/files/tiny-image-model"
import { writeTinyModel } from "../../support/files/tiny-model"

/** A FLUX.1 schnell that is hardly there, and its VAE and encoders. */
const FLUX = { "double_blocks.0.img_attn.qkv.weight": [8, 4], "img_in.weight": [4, 64] }
const PARTS: readonly Readonly<Record<string, readonly number[]>>[] = [
  { "decoder.conv_in.weight": [512, 16, 3, 3] },
  { "text_model.embeddings.token_embedding.weight": [49408, 768] },
  {
    "shared.weight": [32128, 4096],
    "encoder.block.0.layer.0.SelfAttention.q.weight": [4096, 4096],
  },
]

function writeFluxGguf(path: string): void {
  writeGguf(
    path,
    [["general.architecture", "string", "flux"]],
    Object.entries(FLUX).map(([name, shape]) => ({
      name,
      shape: shape.toReversed(),
      type: "f32",
      values: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    })),
  )
}

describe("a painter that was dropped in", () => {
  test("is a model in one file, beside text models", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path, { recursive: true })
    writeTinyImageModel(join(models.path, "dreams.safetensors"), { license: "mit" })
    await writeTinyModel(join(models.path, "text.gguf"), { layers: 1 })
    const list = await models.store.list()
    expect(list.map(({ name, kind }) => [name, kind]).sort()).toEqual([
      ["dreams", "image"],
      ["text", "text"],
    ])
    expect(await models.store.describe("dreams")).toMatchObject({
      kind: "image",
      architecture: "sd1",
      quantization: "F16",
      parameterCount: 1_066_235_307,
      components: ["diffusion", "vae", "clip_l"],
      license: "mit",
      capabilities: ["image"],
    })
  })

  test("is a model in a folder of several files, a GGUF among them", async () => {
    using models = new ModelsFolder()
    const folder = join(models.path, "flux")
    mkdirSync(folder, { recursive: true })
    writeFluxGguf(join(folder, "model.gguf"))
    for (const [index, shapes] of PARTS.entries())
      writeSafetensors(
        join(folder, `part-${index}.safetensors`),
        Object.entries(shapes).map(([name, shape]) => ({ name, shape })),
      )
    expect((await models.store.list()).map(({ name, kind, path }) => ({ name, kind, path }))).toEqual([
      { name: "flux", kind: "image", path: folder },
    ])
    expect(await models.store.describe("flux")).toMatchObject({
      architecture: "flux-schnell",
      components: ["diffusion", "vae", "clip_l", "t5xxl"],
      files: [{ name: "model.gguf" }, {}, {}, {}],
    })
  })

  test("says what is missing where it is a GGUF alone", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path, { recursive: true })
    writeFluxGguf(join(models.path, "flux.gguf"))
    expect(await models.store.list()).toEqual([])
    expect(models.store.resolve("flux")).rejects.toThrow(/a VAE .*CLIP-L.*T5-XXL/)
  })

  test("is not what a LoRA is", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path, { recursive: true })
    writeTinyImageModelLora(join(models.path, "style.safetensors"))
    expect(await models.store.list()).toEqual([])
  })
})
