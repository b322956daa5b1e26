/** A part of a painter that may be in a file of its own. */
export type ModelComponent = "diffusion" | "vae" | "clip_l" | "clip_g" | "clip_h" | "t5xxl" | "llm" | "lora"

/** How a VAE's latent pictures look: their channels, or `video` for the one that was made for films (Wan's). */
export type Latents = 4 | 16 | 32 | "video"

/** A design of diffusion models that stable-diffusion.cpp can run from here. */
export interface Architecture {
  readonly title: string
  /** Besides the diffusion model itself. */
  readonly needs: readonly Exclude<ModelComponent, "diffusion" | "lora">[]
  readonly latents: Latents
  /** Width and height are multiples of this many pixels; the engine would round them up. */
  readonly alignment: 16 | 64
}

const SD: Pick<Architecture, "latents" | "alignment"> = { latents: 4, alignment: 64 }

/** By the names under which they are shown. */
export const ARCHITECTURES = {
  sd1: { title: "Stable Diffusion 1.x", needs: ["vae", "clip_l"], ...SD },
  "sd1-tiny": { title: "Stable Diffusion 1.x with a small UNet", needs: ["vae", "clip_l"], ...SD },
  sd2: { title: "Stable Diffusion 2.x", needs: ["vae", "clip_h"], ...SD },
  sdxl: { title: "Stable Diffusion XL", needs: ["vae", "clip_l", "clip_g"], ...SD },
  "sdxl-small": { title: "a smaller Stable Diffusion XL", needs: ["vae", "clip_l", "clip_g"], ...SD },
  // T5 is a third encoder that may be left out, as its authors say.
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

/** What a part is called where it is missing. */
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
