/** A component of an image model that may be in a separate file. */
export type ModelComponent = "diffusion" | "vae" | "clip_l" | "clip_g" | "clip_h" | "t5xxl" | "llm" | "lora"

/** The latent space of a VAE: its number of channels, or `video` for Wan's video VAE. */
export type Latents = 4 | 16 | 32 | "video"

/** An image architecture that is supported with stable-diffusion.cpp. */
export interface Architecture {
  readonly title: string
  /** Required components besides the diffusion model. */
  readonly needs: readonly Exclude<ModelComponent, "diffusion" | "lora">[]
  readonly latents: Latents
  /** Width and height must be multiples of this many pixels; the engine would round them up. */
  readonly alignment: 16 | 64
}

const SD: Pick<Architecture, "latents" | "alignment"> = { latents: 4, alignment: 64 }

/** By architecture name, as displayed. */
export const ARCHITECTURES = {
  sd1: { title: "Stable Diffusion 1.x", needs: ["vae", "clip_l"], ...SD },
  "sd1-tiny": { title: "Stable Diffusion 1.x with a small UNet", needs: ["vae", "clip_l"], ...SD },
  sd2: { title: "Stable Diffusion 2.x", needs: ["vae", "clip_h"], ...SD },
  sdxl: { title: "Stable Diffusion XL", needs: ["vae", "clip_l", "clip_g"], ...SD },
  "sdxl-small": { title: "a smaller Stable Diffusion XL", needs: ["vae", "clip_l", "clip_g"], ...SD },
  // T5 is an optional third encoder, according to its authors.
  sd3: { title: "Stable Diffusion 3", needs: ["vae", "clip_l", "clip_g"], latents: 16, alignment: 16 },
  flux: { title: "FLUX.1", needs: ["vae", "clip_l", "t5xxl"], latents: 16, alignment: 16 },
  "flux-schnell": { title: "FLUX.1 schnell", needs: ["vae", "clip_l", "t5xxl"], latents: 16, alignment: 16 },
  chroma: { title: "Chroma", needs: ["vae", "t5xxl"], latents: 16, alignment: 16 },
  flux2: { title: "FLUX.2", needs: ["vae", "llm"], latents: 32, alignment: 16 },
  "flux2-klein": { title: "FLUX.2 klein", needs: ["vae", "llm"], latents: 32, alignment: 16 },
  "z-image": { title: "Z-Image", needs: ["vae", "llm"], latents: 16, alignment: 16 },
  "qwen-image": { title: "Qwen-Image", needs: ["vae", "llm"], latents: "video", alignment: 16 },
} as const satisfies Readonly<Record<string, Architecture>>

export type ArchitectureName = keyof typeof ARCHITECTURES

/** Names of components for error messages. */
export const COMPONENT_TITLES: Readonly<Record<ModelComponent, string>> = {
  diffusion: "a diffusion model",
  vae: "a VAE",
  clip_l: "the text encoder CLIP-L",
  clip_g: "the text encoder CLIP-G",
  clip_h: "the text encoder CLIP-H",
  t5xxl: "the text encoder T5-XXL",
  llm: "a language model as text encoder",
  lora: "a LoRA",
}
