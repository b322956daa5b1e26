/** What is said between the worker and the process that draws, see `sidecar.cjs`. */

/** Paths, as the package's `SdInterface` takes them; empty where there is no such file. */
export interface EngineFiles {
  /** A checkpoint whose tensors have the prefixes of one that holds everything. */
  readonly path: string
  /** A diffusion model whose tensors have no prefix. */
  readonly diffusionModelPath: string
  readonly clipLPath: string
  readonly clipGPath: string
  readonly t5XxlPath: string
  readonly llmPath: string
  readonly vaePath: string
}

/** One picture, in the package's words. */
export interface GenerationParameters {
  readonly prompt: string
  readonly negative_prompt: string
  readonly width: number
  readonly height: number
  readonly steps: number
  readonly cfg_scale: number
  /** What models that were distilled from guided ones take in its place. */
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
  /** With the picture to start from behind it, as PNG, or no bytes. */
  | { readonly type: "draw"; readonly parameters: GenerationParameters }
  /** Ends the picture at its next step. */
  | { readonly type: "cancel" }

export type FromSidecar =
  /** `level`: 0 error, 1 warning, 2 information, 3 debugging. */
  | { readonly type: "log"; readonly level: number; readonly text: string }
  | { readonly type: "loaded"; readonly residentBytes: number }
  | { readonly type: "load-failed"; readonly reason: string }
  /** Of a sampler, of the adapters' tensors, of the tiles that a large picture is decoded in: one after another. */
  | { readonly type: "progress"; readonly step: number; readonly total: number }
  /** With a PNG behind it. */
  | { readonly type: "image" }
  /** The picture is over; one of these two ends it. */
  | { readonly type: "done" }
  | { readonly type: "failed"; readonly reason: string }
