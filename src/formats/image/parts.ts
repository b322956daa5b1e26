import type { ArchitectureName, Latents } from "./architectures"
import type { Checkpoint, Tensor } from "./checkpoint"

type Tensors = Checkpoint["tensors"]

/** A diffusion model, by what of it is there. */
export type Diffusion =
  | {
      readonly architecture: ArchitectureName
      /** Its tensors stand under `model.diffusion_model.`, as in checkpoints that hold everything. */
      readonly isPrefixed: boolean
      /** The width of the language model that its prompts come from. */
      readonly textWidth?: number
    }
  /** One that cannot be used from here, and why. */
  | { readonly unusable: string }

/** What a file has of a painter. */
export interface Parts {
  readonly diffusion?: Diffusion
  readonly vae?: Latents
  readonly encoders: ReadonlySet<"clip_l" | "clip_g" | "clip_h" | "t5xxl">
  /** The width of a language model. */
  readonly llm?: number
  readonly isLora: boolean
}

const PREFIX = "model.diffusion_model."

/**
 * What the tensors are of. The names and shapes that tell are those by which stable-diffusion.cpp's model loader
 * (`ModelLoader::get_sd_version`) tells its versions apart, and those of the encoders' and the VAEs' authors.
 */
export function identifyParts(tensors: Tensors): Parts {
  if (isLora(tensors)) return { encoders: new Set(), isLora: true }
  const diffusion = identifyDiffusion(tensors)
  const vae = identifyVae(tensors)
  const llm = diffusion === undefined ? languageModelWidth(tensors) : undefined
  return {
    ...(diffusion !== undefined && { diffusion }),
    ...(vae !== undefined && { vae }),
    encoders: identifyEncoders(tensors),
    ...(llm !== undefined && { llm }),
    isLora: false,
  }
}

function isLora(tensors: Tensors): boolean {
  return some(tensors, (name) => /[._]lora[._](up|down|a|b)\b|\.lora_(A|B|up|down)\./i.test(name))
}

function identifyDiffusion(tensors: Tensors): Diffusion | undefined {
  const isPrefixed = some(tensors, (name) => name.startsWith(PREFIX))
  const own = isPrefixed
    ? new Map(
        [...tensors]
          .filter(([name]) => name.startsWith(PREFIX))
          .map(([name, it]) => [name.slice(PREFIX.length), it]),
      )
    : tensors
  const foreign = FOREIGN.find(([sign]) => own.has(sign))
  if (foreign !== undefined) return { unusable: foreign[1] }
  const found = identifyUnet(own) ?? identifyTransformer(own)
  return found === undefined || "unusable" in found ? found : { ...found, isPrefixed }
}

type Found =
  { readonly architecture: ArchitectureName; readonly textWidth?: number } | { readonly unusable: string }

const VIDEO = "it generates videos, not images"
const MASKED = "it is an inpainting model, and masks are not supported"
const GUIDED = "it needs a control image, which is not supported"

/** Models that the engine knows, or almost, and that cannot be used from here; by a tensor that only they have. */
const FOREIGN: readonly (readonly [tensor: string, why: string])[] = [
  ["input_blocks.8.0.time_mixer.mix_factor", VIDEO],
  ["blocks.0.cross_attn.norm_k.weight", VIDEO],
  ["adaln_single.emb.timestep_embedder.linear_1.bias", VIDEO],
  ["txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.weight", VIDEO],
  ["nerf_final_layer_conv.conv.weight", "it is a Chroma Radiance, which is not supported"],
  ["double_blocks.0.img_mlp.gate_proj.weight", "it is an Ovis-Image, which is not supported"],
  ["time_text_embed.addition_t_embedding.weight", "it is a Qwen-Image Layered, which is not supported"],
]

/** The UNets of Stable Diffusion 1, 2 and XL, which differ in the width of the text that they listen to. */
function identifyUnet(own: Tensors): Found | undefined {
  const input = own.get("input_blocks.0.0.weight")
  if (input === undefined) return undefined
  if (input.shape[1] === 9) return { unusable: MASKED }
  if (input.shape[1] === 8) return { unusable: GUIDED }
  const isWhole = some(own, (name) => name.startsWith("middle_block.1."))
  const textWidth = [...own].find(([name]) => name.endsWith(".attn2.to_k.weight"))?.[1].shape[1]
  switch (textWidth) {
    case 768:
      if (isWhole) return { architecture: "sd1" }
      return some(own, (name) => name.startsWith("output_blocks.7.1."))
        ? { architecture: "sd1-tiny" }
        : { unusable: "it is an SDXS, which is not supported" }
    case 1024:
      return isWhole
        ? { architecture: "sd2" }
        : { unusable: "it is a small Stable Diffusion 2, which is not supported" }
    case 2048:
      return { architecture: isWhole ? "sdxl" : "sdxl-small" }
    default:
      return {
        unusable: `its UNet has a text input of ${textWidth ?? "unknown"} channels, which is not supported`,
      }
  }
}

function identifyTransformer(own: Tensors): Found | undefined {
  if (own.has("joint_blocks.0.x_block.attn.qkv.weight")) return { architecture: "sd3" }
  if (some(own, (name) => name.startsWith("double_blocks.") || name.startsWith("single_transformer_blocks.")))
    return identifyFlux(own)
  const captions = own.get("cap_embedder.0.weight")
  if (captions !== undefined) return { architecture: "z-image", ...widthOf(captions.shape[0]) }
  if (own.has("transformer_blocks.0.img_mod.1.weight"))
    return { architecture: "qwen-image", ...widthOf(own.get("txt_in.weight")?.shape[1]) }
  return undefined
}

/** A FLUX takes pictures of 16 channels in squares of 2 by 2; variants take the picture to work on beside it. */
const FLUX_INPUTS = 64
/** FLUX.2 listens to this many layers of its language model, side by side. */
const FLUX2_TEXT_LAYERS = 3

function identifyFlux(own: Tensors): Found {
  const text = own.get("txt_in.weight")?.shape[1]
  if (own.has("double_stream_modulation_img.lin.weight")) {
    const architecture = own.has("single_blocks.47.linear1.weight") ? "flux2" : "flux2-klein"
    return { architecture, ...widthOf(text === undefined ? undefined : text / FLUX2_TEXT_LAYERS) }
  }
  if (some(own, (name) => name.startsWith("distilled_guidance_layer."))) return { architecture: "chroma" }
  switch (own.get("img_in.weight")?.shape[1] ?? FLUX_INPUTS) {
    case FLUX_INPUTS:
      break
    case 384:
      return { unusable: MASKED }
    default:
      return { unusable: GUIDED }
  }
  if (text === 3584) return { unusable: "it is a LongCat-Image, which is not supported" }
  return { architecture: some(own, (name) => name.startsWith("guidance_in.")) ? "flux" : "flux-schnell" }
}

function widthOf(width: number | undefined): { readonly textWidth?: number } {
  return width === undefined ? {} : { textWidth: width }
}

function identifyVae(tensors: Tensors): Latents | undefined {
  for (const prefix of ["first_stage_model.", "vae.", ""]) {
    const video = tensors.get(`${prefix}decoder.conv1.weight`)
    if (video?.shape.length === 5) return "video"
    const channels = tensors.get(`${prefix}decoder.conv_in.weight`)?.shape[1]
    if (channels === 4 || channels === 16 || channels === 32) return channels
  }
  return undefined
}

/** The width of CLIP's tokens tells which one it is. */
const CLIP_WIDTHS = new Map([
  [768, "clip_l"],
  [1024, "clip_h"],
  [1280, "clip_g"],
] as const)

/** T5-XXL's, and so not the one of many languages that films are described with. */
const T5_VOCABULARY = 32_128
const T5_WIDTH = 4096

function identifyEncoders(tensors: Tensors): Parts["encoders"] {
  const found = new Set<"clip_l" | "clip_g" | "clip_h" | "t5xxl">()
  for (const [name, { shape }] of tensors) {
    const [rows = 0, width = 0] = shape
    if (name.endsWith("token_embedding.weight")) {
      const clip = [...CLIP_WIDTHS].find(([clipWidth]) => clipWidth === width)?.[1]
      if (clip !== undefined) found.add(clip)
    }
    // Whatever else has an embedding of that name has no such attention.
    const isT5Text =
      /(^|\.)(shared|token_embd)\.weight$/.test(name) && rows === T5_VOCABULARY && width === T5_WIDTH
    if (isT5Text && some(tensors, isT5Attention)) found.add("t5xxl")
  }
  return found
}

function isT5Attention(name: string): boolean {
  return name.endsWith("encoder.block.0.layer.0.SelfAttention.q.weight") || name === "enc.blk.0.attn_q.weight"
}

/** Names of a language model's words and of its first attention: as Hugging Face has them, and as GGUF has. */
const LANGUAGE_MODELS: readonly (readonly [words: string, attention: string])[] = [
  ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"],
  ["model.language_model.embed_tokens.weight", "model.language_model.layers.0.self_attn.q_proj.weight"],
  ["token_embd.weight", "blk.0.attn_q.weight"],
]

function languageModelWidth(tensors: Tensors): number | undefined {
  const names = LANGUAGE_MODELS.find(([words, attention]) => tensors.has(words) && tensors.has(attention))
  return names && tensors.get(names[0])?.shape[1]
}

function some(tensors: Tensors, test: (name: string, tensor: Tensor) => boolean): boolean {
  for (const [name, tensor] of tensors) if (test(name, tensor)) return true
  return false
}
