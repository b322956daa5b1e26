import type { ArchitectureName } from "../../formats/image/architectures"

/** Defaults for the settings that a request leaves open. */
export interface GenerationDefaults {
  /** Width and height in pixels that the model was trained for. */
  readonly size: number
  readonly steps: number
  readonly cfgScale: number
  /** Additional guidance of guidance-distilled models. */
  readonly guidance?: number
}

const SD: GenerationDefaults = { size: 512, steps: 20, cfgScale: 7 }
const SDXL: GenerationDefaults = { size: 1024, steps: 25, cfgScale: 7 }

/**
 * Recommendations from the authors' model cards. Step-distilled models cannot all be detected: an SDXL
 * Turbo has the tensors of an SDXL, so users must set `steps` and `cfg_scale`.
 */
export const GENERATION_DEFAULTS: Readonly<Record<ArchitectureName, GenerationDefaults>> = {
  sd1: SD,
  "sd1-tiny": SD,
  sd2: { size: 768, steps: 25, cfgScale: 7.5 },
  sdxl: SDXL,
  "sdxl-small": SDXL,
  sd3: { size: 1024, steps: 28, cfgScale: 4.5 },
  flux: { size: 1024, steps: 28, cfgScale: 1, guidance: 3.5 },
  "flux-schnell": { size: 1024, steps: 4, cfgScale: 1 },
  chroma: { size: 1024, steps: 26, cfgScale: 4 },
  flux2: { size: 1024, steps: 28, cfgScale: 1, guidance: 4 },
  "flux2-klein": { size: 1024, steps: 4, cfgScale: 1 },
  "z-image": { size: 1024, steps: 9, cfgScale: 1 },
  "qwen-image": { size: 1024, steps: 30, cfgScale: 4 },
}
