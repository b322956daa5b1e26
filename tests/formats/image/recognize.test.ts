import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { InvalidModelFile } from "../../../src/errors/model"
import { type ImageModel, recognizeImageModel } from "../../../src/formats/image/recognize"
import { readModelFolder } from "../../../src/formats/model-folder"
import { writeGguf } from "../../support/files/gguf-writer"
import { type SparseTensor, writeSafetensors } from "../../support/files/safetensors-writer"
import { writeTinyImageModel, writeTinyImageModelLora } from "../../support/files/tiny-image-model"
import { tempFolder } from "../../support/temp-folder"

type Shapes = Readonly<Record<string, readonly number[]>>

/** The few tensors by which each part is told; the real ones have hundreds more. */
const PREFIX = "model.diffusion_model."
const UNET = (text: number, inputs = 4): Shapes => ({
  "input_blocks.0.0.weight": [320, inputs, 3, 3],
  "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": [640, text],
  "middle_block.1.norm.weight": [1280],
})
const FLUX: Shapes = {
  "double_blocks.0.img_attn.qkv.weight": [9216, 3072],
  "img_in.weight": [3072, 64],
  "txt_in.weight": [3072, 4096],
}
const DIFFUSION = {
  sd1: UNET(768),
  sd2: UNET(1024),
  sdxl: UNET(2048),
  sd3: { "joint_blocks.0.x_block.attn.qkv.weight": [4608, 1536] },
  flux: { ...FLUX, "guidance_in.in_layer.weight": [3072, 256] },
  "flux-schnell": FLUX,
  chroma: { ...FLUX, "distilled_guidance_layer.in_proj.weight": [5120, 64] },
  flux2: {
    "double_blocks.0.img_attn.qkv.weight": [18432, 6144],
    "double_stream_modulation_img.lin.weight": [36864, 6144],
    "single_blocks.47.linear1.weight": [36864, 6144],
    "txt_in.weight": [6144, 15360],
  },
  "flux2-klein": {
    "double_blocks.0.img_attn.qkv.weight": [9216, 3072],
    "double_stream_modulation_img.lin.weight": [18432, 3072],
    "txt_in.weight": [3072, 7680],
  },
  "z-image": { "cap_embedder.0.weight": [2560] },
  "qwen-image": { "transformer_blocks.0.img_mod.1.weight": [18432, 3072], "txt_in.weight": [3072, 3584] },
} satisfies Readonly<Record<string, Shapes>>

const VAE = (latents: number): Shapes => ({ "decoder.conv_in.weight": [512, latents, 3, 3] })
const VIDEO_VAE: Shapes = { "decoder.conv1.weight": [384, 16, 3, 3, 3] }
const CLIP = (width: number): Shapes => ({ "text_model.embeddings.token_embedding.weight": [49408, width] })
const CLIP_L = CLIP(768)
const CLIP_G = CLIP(1280)
const T5: Shapes = {
  "shared.weight": [32128, 4096],
  "encoder.block.0.layer.0.SelfAttention.q.weight": [4096, 4096],
}
const LLM = (width: number): Shapes => ({
  "model.embed_tokens.weight": [151936, width],
  "model.layers.0.self_attn.q_proj.weight": [4096, width],
})

function prefixed(prefix: string, shapes: Shapes): Shapes {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, shape]))
}

/** What one checkpoint of everything has under which names. */
const WHOLE = {
  sd1: {
    ...prefixed(PREFIX, DIFFUSION.sd1),
    ...prefixed("first_stage_model.", VAE(4)),
    ...prefixed("cond_stage_model.transformer.", CLIP_L),
  },
  sd2: {
    ...prefixed(PREFIX, DIFFUSION.sd2),
    ...prefixed("first_stage_model.", VAE(4)),
    "cond_stage_model.model.token_embedding.weight": [49408, 1024],
  },
  sdxl: {
    ...prefixed(PREFIX, DIFFUSION.sdxl),
    ...prefixed("first_stage_model.", VAE(4)),
    ...prefixed("conditioner.embedders.0.transformer.", CLIP_L),
    "conditioner.embedders.1.model.token_embedding.weight": [49408, 1280],
  },
  sd3: {
    ...prefixed(PREFIX, DIFFUSION.sd3),
    ...prefixed("first_stage_model.", VAE(16)),
    ...prefixed("text_encoders.clip_l.transformer.", CLIP_L),
    ...prefixed("text_encoders.clip_g.transformer.", CLIP_G),
  },
} satisfies Readonly<Record<string, Shapes>>

function toTensors(shapes: Shapes): SparseTensor[] {
  return Object.entries(shapes).map(([name, shape]) => ({ name, shape }))
}

/** The painter in a folder with those files, whose names say nothing. */
async function find(...files: readonly Shapes[]): Promise<ImageModel | undefined> {
  using folder = tempFolder()
  for (const [index, shapes] of files.entries())
    writeSafetensors(join(folder.path, `part-${index}.bin`), toTensors(shapes))
  const painter = await recognizeImageModel(await readModelFolder(folder.path))
  return painter && (JSON.parse(JSON.stringify(painter).replaceAll(`${folder.path}/`, "")) as ImageModel)
}

async function refusal(...files: readonly Shapes[]): Promise<string> {
  const error: unknown = await find(...files).catch((reason: unknown) => reason)
  if (error instanceof InvalidModelFile) return error.reason
  throw new Error(`it was not refused, but gave ${JSON.stringify(error)}`)
}

describe("a checkpoint of everything", () => {
  test.each([
    ["sd1", ["diffusion", "vae", "clip_l"]],
    ["sd2", ["diffusion", "vae", "clip_h"]],
    ["sdxl", ["diffusion", "vae", "clip_l", "clip_g"]],
    ["sd3", ["diffusion", "vae", "clip_l", "clip_g"]],
  ] as const)("of %s is known by its tensors", async (architecture, components) => {
    const painter = await find(WHOLE[architecture])
    expect(painter).toMatchObject({
      architecture,
      isPrefixed: true,
      files: { diffusion: "part-0.bin" },
      loras: [],
    })
    expect(painter?.description).toMatchObject({
      kind: "image",
      architecture,
      components,
      capabilities: ["image"],
    })
  })

  test("counts the parameters, and names the type that most of them have", async () => {
    using folder = tempFolder()
    const tensors = toTensors(WHOLE.sd1)
    const path = join(folder.path, "painter.safetensors")
    const eights = tensors.map(
      (tensor, index) => ({ ...tensor, dtype: index === 0 ? "F32" : "F8_E4M3" }) as const,
    )
    writeSafetensors(path, eights, { "modelspec.license": "CreativeML Open RAIL-M" })
    const { description } = (await recognizeImageModel(await readModelFolder(path))) ?? {}
    const elements = Object.values(WHOLE.sd1).map((shape) => shape.reduce((a, b) => a * b, 1))
    expect(description).toMatchObject({
      parameterCount: elements.reduce((a, b) => a + b, 0),
      quantization: "F8_E4M3",
      license: "CreativeML Open RAIL-M",
      files: [{ name: "painter.safetensors", sizeBytes: Bun.file(path).size }],
    })
  })

  test("is recognised as the generated one too, with all its tensors", async () => {
    using folder = tempFolder()
    writeTinyImageModel(join(folder.path, "a"))
    writeTinyImageModelLora(join(folder.path, "b"))
    const painter = await recognizeImageModel(await readModelFolder(folder.path))
    expect(painter?.architecture).toBe("sd1")
    expect(painter?.loras).toEqual([join(folder.path, "b")])
    expect(painter?.description.components).toEqual(["diffusion", "vae", "clip_l", "lora"])
    expect(painter?.description.parameterCount).toBe(1_066_235_307)
  })

  test("works with another VAE beside it, which wins", async () => {
    const painter = await find(WHOLE.sdxl, VAE(4))
    expect(painter?.files).toEqual({ diffusion: "part-0.bin", vae: "part-1.bin" })
  })
})

describe("a painter in several files", () => {
  test.each([
    ["sd3", [VAE(16), CLIP_L, CLIP_G, T5], ["vae", "clip_l", "clip_g", "t5xxl"]],
    ["flux", [VAE(16), CLIP_L, T5], ["vae", "clip_l", "t5xxl"]],
    ["flux-schnell", [T5, VAE(16), CLIP_L], ["t5xxl", "vae", "clip_l"]],
    ["chroma", [VAE(16), T5], ["vae", "t5xxl"]],
    ["flux2", [VAE(32), LLM(5120)], ["vae", "llm"]],
    ["flux2-klein", [LLM(2560), VAE(32)], ["llm", "vae"]],
    ["z-image", [VAE(16), LLM(2560)], ["vae", "llm"]],
    ["qwen-image", [VIDEO_VAE, LLM(3584)], ["vae", "llm"]],
  ] as const)("of %s finds every part", async (architecture, files, roles) => {
    const painter = await find(DIFFUSION[architecture], ...files)
    expect(painter?.architecture).toBe(architecture)
    expect(painter?.isPrefixed).toBe(false)
    const paths = Object.fromEntries(roles.map((role, index) => [role, `part-${index + 1}.bin`]))
    expect(painter?.files).toEqual({ ...paths, diffusion: "part-0.bin" })
  })

  test("may be GGUF files, whose shapes are the other way round", async () => {
    using folder = tempFolder()
    const gguf = (name: string, shapes: Shapes, architecture: string): void =>
      writeGguf(
        join(folder.path, name),
        [["general.architecture", "string", architecture]],
        Object.entries(shapes).map(([tensor, shape]) => {
          // Only what tells them apart has to be real here.
          const small = shape.toReversed()
          return {
            name: tensor,
            shape: small,
            type: "f32",
            values: new Float32Array(small.reduce((a, b) => a * b, 1)),
          }
        }),
      )
    gguf("a.gguf", { "joint_blocks.0.x_block.attn.qkv.weight": [8, 4] }, "sd3")
    gguf("b.gguf", { "decoder.conv_in.weight": [8, 16, 3, 3] }, "pig")
    writeSafetensors(join(folder.path, "c"), toTensors(CLIP_L))
    writeSafetensors(join(folder.path, "d"), toTensors(CLIP_G))
    const painter = await recognizeImageModel(await readModelFolder(folder.path))
    expect(painter?.architecture).toBe("sd3")
    expect(painter?.files.vae).toBe(join(folder.path, "b.gguf"))
  })
})

describe("what is missing is named", () => {
  test.each([
    ["a FLUX alone", [DIFFUSION.flux], ["a VAE (of 16 latent channels)", "CLIP-L", "T5-XXL"]],
    ["a FLUX without its T5", [DIFFUSION.flux, VAE(16), CLIP_L], ["T5-XXL"]],
    [
      "a FLUX.2 without its language model",
      [DIFFUSION.flux2, VAE(32)],
      ["a language model", "5120 channels"],
    ],
    [
      "the VAE of another",
      [DIFFUSION.flux, VAE(4), CLIP_L, T5],
      ["16 latent channels", "part-1.bin is another one"],
    ],
    ["the language model of another", [DIFFUSION["flux2-klein"], VAE(32), LLM(4096)], ["2560", "part-2.bin"]],
    [
      "a UNet without anything",
      [prefixed(PREFIX, DIFFUSION.sd1)],
      ["a VAE (of 4 latent channels)", "CLIP-L"],
    ],
    ["parts without a diffusion model", [VAE(16), T5], ["a diffusion model is missing"]],
  ])("%s", async (_, files, words) => {
    const reason = await refusal(...files)
    for (const word of words) expect(reason).toContain(word)
  })
})

describe("what cannot be used is refused with the reason", () => {
  test.each([
    [
      "an inpainting model",
      [{ ...WHOLE.sd1, [`${PREFIX}input_blocks.0.0.weight`]: [320, 9, 3, 3] }],
      "masks are not supported",
    ],
    ["FLUX.1 Fill", [{ ...DIFFUSION.flux, "img_in.weight": [3072, 384] }], "masks are not supported"],
    ["FLUX.1 Depth", [{ ...DIFFUSION.flux, "img_in.weight": [3072, 128] }], "a control image"],
    ["a film maker", [{ "blocks.0.cross_attn.norm_k.weight": [1536] }], "generates videos"],
    ["an unknown UNet", [UNET(512)], "512 channels"],
    ["two diffusion models", [WHOLE.sd1, WHOLE.sdxl], "2 diffusion models (part-0.bin, part-1.bin)"],
    [
      "two VAEs",
      [DIFFUSION.flux, VAE(16), VAE(16), CLIP_L, T5],
      "2 files with a VAE (part-1.bin, part-2.bin)",
    ],
  ])("%s", async (_, files, words) => {
    expect(await refusal(...files)).toContain(words)
  })

  test("a damaged file", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "x.safetensors")
    writeSafetensors(path, toTensors(WHOLE.sd1))
    const bytes = await Bun.file(path).slice(0, 4096).bytes()
    await Bun.write(path, bytes)
    expect(readModelFolder(path).then(recognizeImageModel)).rejects.toThrow("cut short")
  })
})

describe("something else is no painter", () => {
  test.each([
    ["nothing", []],
    ["a language model", [LLM(4096)]],
    ["a text encoder", [T5]],
    ["a VAE alone", [VAE(4)]],
    ["a LoRA of a language model", [{ "model.layers.0.self_attn.q_proj.lora_A.weight": [8, 4096] }]],
  ])("%s", async (_, files) => {
    expect(await find(...files)).toBeUndefined()
  })

  test("a folder with other files", async () => {
    using folder = tempFolder()
    await Bun.write(join(folder.path, "README.md"), "# hello")
    await Bun.write(join(folder.path, "empty"), "")
    expect(await recognizeImageModel(await readModelFolder(folder.path))).toBeUndefined()
  })
})
