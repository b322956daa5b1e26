import type { ImageModelDetails, ModelPart } from "../../domain/model"
import { InvalidModelFile } from "../../errors/model"
import type { ModelFolder } from "../model-folder"
import {
  type ArchitectureName,
  ARCHITECTURES,
  COMPONENT_TITLES,
  type Latents,
  type ModelComponent,
} from "./architectures"
import { type Checkpoint, readCheckpoint } from "./checkpoint"
import { type Diffusion, identifyParts, type Parts } from "./parts"

/** The description of an image model derived from its files. */
export type ImageDescription = Omit<
  ImageModelDetails,
  "name" | "path" | "id" | "sizeBytes" | "modifiedAt" | "defaults"
>

/** A complete image model. */
export interface ImageModel {
  readonly description: ImageDescription
  readonly architecture: ArchitectureName
  /** The tensors of its diffusion model are prefixed, as in full checkpoints. */
  readonly isPrefixed: boolean
  /** Paths by component. Components in the diffusion model's file are not listed again. */
  readonly files: Readonly<Partial<Record<Exclude<ModelComponent, "lora">, string>>> & {
    readonly diffusion: string
  }
  readonly loras: readonly string[]
}

/**
 * Recognizes an image model in a folder or single file, by its tensors alone. `undefined` for anything else.
 * @throws InvalidModelFile for an unusable image model: damaged, of an unknown architecture, or incomplete,
 * naming what is missing
 */
export async function recognizeImageModel(folder: ModelFolder): Promise<ImageModel | undefined> {
  const found: Identified[] = []
  for (const file of folder.files) {
    const checkpoint = await readCheckpoint(file)
    if (checkpoint !== undefined) found.push({ ...checkpoint, parts: identifyParts(checkpoint.tensors) })
  }
  const imageModels = found.filter(hasDiffusion)
  if (imageModels.length === 0) return refuseBrushless(found)
  const [main, ...others] = imageModels
  if (main === undefined) return undefined
  if (others.length > 0)
    throw fail(
      main,
      `there are ${imageModels.length} diffusion models (${namesOf(imageModels)}); keep one of them`,
    )
  return assemble(main, found, folder)
}

/** A file and its components. */
interface Identified extends Checkpoint {
  readonly parts: Parts
}

type WithDiffusion = Identified & { readonly parts: { readonly diffusion: Diffusion } }

function hasDiffusion(file: Identified): file is WithDiffusion {
  return file.parts.diffusion !== undefined
}

/**
 * Rejects a VAE without a diffusion model if there are several files. Encoders and language models alone are
 * not rejected: they may belong to something else.
 */
function refuseBrushless(found: readonly Identified[]): undefined {
  const vae = found.find(({ parts }) => parts.vae !== undefined)
  if (vae === undefined || found.length < 2) return undefined
  throw fail(vae, `${COMPONENT_TITLES.diffusion} is missing beside ${namesOf(found)}`)
}

function assemble(main: WithDiffusion, found: readonly Identified[], folder: ModelFolder): ImageModel {
  const { diffusion } = main.parts
  if ("unusable" in diffusion) throw fail(main, `the model cannot be used: ${diffusion.unusable}`)
  const { architecture, isPrefixed } = diffusion
  const { title, needs, latents } = ARCHITECTURES[architecture]
  const used = new Map<Identified, ModelComponent>([[main, "diffusion"]])
  const missing: string[] = []
  for (const need of [...needs, ...optionalOf(architecture)]) {
    const candidates = found.filter((file) => file !== main && has(file.parts, need))
    const fitting = candidates.filter(({ parts }) => fits(parts, need, latents, diffusion.textWidth))
    if (fitting.length > 1)
      throw fail(
        main,
        `there are ${fitting.length} files with ${COMPONENT_TITLES[need]} (${namesOf(fitting)}); keep one`,
      )
    const [file] = fitting
    if (file !== undefined) used.set(file, need)
    else if (isNeeded(architecture, need) && !isInside(main.parts, need, latents))
      missing.push(describeNeed(need, latents, diffusion.textWidth, candidates))
  }
  if (missing.length > 0)
    throw fail(main, `${title} also needs ${missing.join(", and ")}; put it beside the model`)
  const loras = found.filter(({ parts }) => parts.isLora)
  return {
    architecture,
    isPrefixed,
    files: {
      ...Object.fromEntries([...used].map(([{ file }, part]) => [part, file.path])),
      diffusion: main.file.path,
    },
    loras: loras.map(({ file }) => file.path),
    description: describe(architecture, main, used, loras, folder),
  }
}

/** Components that are used if present. */
function optionalOf(architecture: ArchitectureName): readonly ["t5xxl"] | readonly [] {
  return architecture === "sd3" ? ["t5xxl"] : []
}

type Need = Exclude<ModelComponent, "diffusion" | "lora">

function isNeeded(architecture: ArchitectureName, need: Need): boolean {
  const needs: readonly Need[] = ARCHITECTURES[architecture].needs
  return needs.includes(need)
}

function has(parts: Parts, need: Need): boolean {
  if (need === "vae") return parts.vae !== undefined
  return need === "llm" ? parts.llm !== undefined : parts.encoders.has(need)
}

/** Does the component fit? VAEs differ in their latent space, language models in their width. */
function fits(parts: Parts, need: Need, latents: Latents, textWidth: number | undefined): boolean {
  if (need === "vae") return parts.vae === latents
  return need !== "llm" || textWidth === undefined || parts.llm === textWidth
}

function isInside(parts: Parts, need: Need, latents: Latents): boolean {
  return has(parts, need) && fits(parts, need, latents, undefined)
}

function describeNeed(
  need: Need,
  latents: Latents,
  textWidth: number | undefined,
  wrong: readonly Identified[],
): string {
  const details: Partial<Record<Need, string>> = {
    vae: latents === "video" ? " (Wan's)" : ` (of ${latents} latent channels)`,
    llm: textWidth === undefined ? "" : ` (of ${textWidth} channels)`,
  }
  const others = wrong.length === 0 ? "" : `; ${namesOf(wrong)} is another one`
  return `${COMPONENT_TITLES[need]}${details[need] ?? ""}${others}`
}

function describe(
  architecture: ArchitectureName,
  main: WithDiffusion,
  used: ReadonlyMap<Identified, ModelComponent>,
  loras: readonly Identified[],
  folder: ModelFolder,
): ImageDescription {
  const tensors = [...used.keys()].flatMap((file) => [...file.tensors.values()])
  const { vae, encoders } = main.parts
  const components = new Set<ModelComponent>(used.values())
  if (vae !== undefined) components.add("vae")
  for (const encoder of encoders) components.add(encoder)
  if (loras.length > 0) components.add("lora")
  return {
    kind: "image",
    architecture,
    parameterCount: tensors.reduce((sum, { elements }) => sum + elements, 0),
    quantization: mostUsedType(tensors),
    components: [...components],
    files: folder.files.map(({ name, sizeBytes }): ModelPart => ({ name, sizeBytes })),
    license: main.license,
    capabilities: ["image"],
  }
}

/** The type of most of the parameters. */
function mostUsedType(tensors: readonly { readonly type: string; readonly elements: number }[]): string {
  const elements = new Map<string, number>()
  for (const { type, elements: count } of tensors) elements.set(type, (elements.get(type) ?? 0) + count)
  return [...elements].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "unknown"
}

function namesOf(files: readonly Identified[]): string {
  return files.map(({ file }) => file.name).join(", ")
}

function fail({ file }: Identified, reason: string): InvalidModelFile {
  return new InvalidModelFile(file.path, reason)
}
