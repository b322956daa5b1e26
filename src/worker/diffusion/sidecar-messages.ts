/** Messages between the worker and the sidecar, see `sidecar.cjs`. */

/** Paths for the package's `SdInterface`; empty if there is no such file. */
export interface EngineFiles {
  /** A full checkpoint, whose tensors have prefixes. */
  readonly path: string
  /** A diffusion model whose tensors have no prefix. */
  readonly diffusionModelPath: string
  readonly clipLPath: string
  readonly clipGPath: string
  readonly t5XxlPath: string
  readonly llmPath: string
  readonly vaePath: string
}

/** Parameters of one image, in the package's names. */
export interface GenerationParameters {
  readonly prompt: string
  readonly negative_prompt: string
  readonly width: number
  readonly height: number
  readonly steps: number
  readonly cfg_scale: number
  /** Replaces it for guidance-distilled models. */
  readonly guidance?: number
  readonly seed: number
  readonly sampling_method?: string
  readonly scheduler?: string
  readonly strength?: number
  readonly lora?: string
  readonly vae_tiling: boolean
}

export type ToSidecar =
  | {
      readonly type: "load"
      readonly files: EngineFiles
      readonly config: Readonly<Record<string, string | number | boolean>>
    }
  /** Followed by the source image as PNG, or by no bytes. */
  | { readonly type: "draw"; readonly parameters: GenerationParameters }
  /** Stops the image at its next step. */
  | { readonly type: "cancel" }

export type FromSidecar =
  /** `level`: 0 error, 1 warning, 2 information, 3 debug. */
  | { readonly type: "log"; readonly level: number; readonly text: string }
  | { readonly type: "loaded"; readonly residentBytes: number }
  | { readonly type: "load-failed"; readonly reason: string }
  /** Progress of a sampler, of the adapters' tensors, or of the tiles of a large image: one after another. */
  | { readonly type: "progress"; readonly step: number; readonly total: number }
  /** Followed by a PNG. */
  | { readonly type: "image" }
  /** The image is finished; either of these two ends it. `residentBytes`: the most that were seen so far. */
  | { readonly type: "done"; readonly residentBytes: number }
  | { readonly type: "failed"; readonly reason: string; readonly residentBytes: number }
