import type { ArchitectureName, Latents } from "./architectures"
import type { Checkpoint, Tensor } from "./checkpoint"

type Tensors = Checkpoint["tensors"]

/** The parts of a diffusion model in a file. */
export type Diffusion =
  | {
      readonly architecture: ArchitectureName
      /** Its tensors are prefixed with `model.diffusion_model.`, as in full checkpoints. */
      readonly isPrefixed: boolean
      /** The width of its text encoder, a language model. */
      readonly textWidth?: number
    }
  /** Not supported, with the reason. */
  | { readonly unusable: string }

/** The components of an image model in a file. */
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
 * Identifies components by their tensors. Names and shapes are those by which stable-diffusion.cpp's model
 * loader (`ModelLoader::get_sd_version`) distinguishes versions, and those of the encoders' and VAEs'
 * authors.
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

/** Unsupported models that resemble supported ones, by a tensor that only they have. */
const FOREIGN: readonly (readonly [tensor: string, why: string])[] = [
  ["input_blocks.8.0.time_mixer.mix_factor", VIDEO],
  ["blocks.0.cross_attn.norm_k.weight", VIDEO],
  ["adaln_single.emb.timestep_embedder.linear_1.bias", VIDEO],
  ["txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.weight", VIDEO],
  ["nerf_final_layer_conv.conv.weight", "it is a Chroma Radiance, which is not supported"],
  ["double_blocks.0.img_mlp.gate_proj.weight", "it is an Ovis-Image, which is not supported"],
  ["time_text_embed.addition_t_embedding.weight", "it is a Qwen-Image Layered, which is not supported"],
]

/** The UNets of Stable Diffusion 1, 2 and XL, which differ in the width of their text conditioning. */
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

/**
 * FLUX takes 16 latent channels in patches of 2 by 2; editing variants take the source image as further
 * channels.
 */
const FLUX_INPUTS = 64
/** FLUX.2 concatenates the outputs of this many layers of its language model. */
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

/** The width of CLIP's token embeddings identifies the variant. */
const CLIP_WIDTHS = new Map([
  [768, "clip_l"],
  [1024, "clip_h"],
  [1280, "clip_g"],
] as const)

/** That of T5-XXL, not of the multilingual variant for video models. */
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
    // Other models with an embedding of that name have no such attention.
    const isT5Text =
      /(^|\.)(shared|token_embd)\.weight$/.test(name) && rows === T5_VOCABULARY && width === T5_WIDTH
    if (isT5Text && some(tensors, isT5Attention)) found.add("t5xxl")
  }
  return found
}

function isT5Attention(name: string): boolean {
  return name.endsWith("encoder.block.0.layer.0.SelfAttention.q.weight") || name === "enc.blk.0.attn_q.weight"
}

/**
 * Names of a language model's token embedding and first attention, in Hugging Face's and in GGUF's naming.
 */
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
