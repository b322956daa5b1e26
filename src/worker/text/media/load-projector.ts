import type { AttachedPart } from "../../../domain/attached-parts"
import type { Device } from "../../../domain/device"
import type { LoadedProjectorInfo } from "../../../domain/loaded-model"
import type { TextModelSettings } from "../../../domain/settings"
import { describeProjector, projectorMisfit } from "../../../formats/gguf/projector"
import { readGgufHeader } from "../../../formats/gguf/read"
import type { Library } from "../../../llama/library"
import type { Model } from "../../../llama/model"
import { Mtmd } from "../../../llama/mtmd"
import { PICTURES } from "../../../limits"
import type { LlamaFiles } from "../../../native/llama-files"
import { describePart, partRefused } from "../../attached-parts"
import { MtmdProjector } from "./mtmd-projector"
import type { Projector } from "./projector"

/** Kinds whose pictures must begin at certain places in the prompt, which a layout by size alone does not know. */
const UNSUPPORTED = new Set(["deepseek4v"])

/** Of the free memory of a GPU, left for what is allocated later. */
const SPARE_SHARE = 0.1

export interface ProjectorLoad {
  readonly files: LlamaFiles
  readonly library: Library
  readonly model: Model
  readonly name: string
  readonly parts: readonly AttachedPart[]
  /** Those that may be used; the first one is. */
  readonly gpus: readonly Device[]
  readonly threads: number
  readonly flashAttention: TextModelSettings["flashAttention"]
  /** The most of a picture, for models that take pictures of any size; absent: as usual. */
  readonly pictureTokens?: number
  readonly warn: (text: string) => void
}

export interface LoadedProjector {
  readonly projector: Projector
  readonly info: LoadedProjectorInfo
  /** Of its file. */
  readonly weightBytes: number
  readonly hostBytes: number
  readonly deviceBytes: number
}

/**
 * Loads the projector among a model's parts; undefined where there is none.
 * @throws ModelLoadFailed, InvalidModelFile
 */
export function loadProjector(load: ProjectorLoad): LoadedProjector | undefined {
  const part = load.parts.find(({ role }) => role === "projector")
  if (part === undefined) return undefined
  const { files, name, gpus } = load
  if (files.mtmd === undefined) {
    load.warn(
      `'${name}' reads text only: ${describePart(part)} needs libmtmd, which this build does not have`,
    )
    return undefined
  }
  refuseMisfit(load, part)
  const [gpu] = gpus
  const reasons: string[] = []
  if (gpu !== undefined) {
    const onGpu = tryOn(load, part, files.mtmd, gpu)
    if (typeof onGpu !== "string") return describe(onGpu, part, gpu.name, undefined)
    reasons.push(onGpu)
  }
  const onCpu = tryOn(load, part, files.mtmd, undefined)
  if (typeof onCpu !== "string") return describe(onCpu, part, "CPU", reasons[0])
  throw partRefused(name, part, onCpu)
}

/** What llama.cpp would end the process for, or accept to answer nonsense. */
function refuseMisfit({ name, model }: ProjectorLoad, part: AttachedPart): void {
  const facts = describeProjector(part.path, readGgufHeader(part.path))
  const architecture = model.metadata("general.architecture") ?? ""
  const { embeddingLength } = model
  const misfit = projectorMisfit(facts, { architecture, embeddingLength }, `'${name}'`)
  if (misfit !== undefined) throw partRefused(name, part, misfit)
  const kind = facts.families.find((family) => UNSUPPORTED.has(family))
  if (kind !== undefined) throw partRefused(name, part, `is of the kind '${kind}', which is not supported`)
}

/** @returns why it cannot be used there, as what follows its name */
function tryOn(
  { files, library, model, threads, flashAttention, pictureTokens = PICTURES.tokens.usual }: ProjectorLoad,
  part: AttachedPart,
  libraryPath: string,
  gpu: Device | undefined,
): { readonly mtmd: Mtmd; readonly projector: MtmdProjector } | string {
  if (gpu !== undefined && part.sizeBytes > gpu.freeBytes * (1 - SPARE_SHARE))
    return `needs ${megabytes(part.sizeBytes)}, and ${gpu.name} has ${megabytes(gpu.freeBytes)} left`
  const mtmd = Mtmd.load(library, libraryPath, model, part.path, {
    device: gpu?.name,
    threads,
    flashAttention,
    mostTokens: pictureTokens,
  })
  if (mtmd === undefined) return library.lastError() || "was refused by llama.cpp"
  const projector = new MtmdProjector({
    mtmd,
    files,
    library: libraryPath,
    mostTokens: pictureTokens,
    threads: { alone: threads, beside: Math.max(1, threads - 1) },
  })
  const fault = faultOf(projector, gpu !== undefined)
  if (fault === undefined) return { mtmd, projector }
  mtmd[Symbol.dispose]()
  return fault
}

/** @param isTried whether to compute something: a driver may fail only then */
function faultOf(projector: MtmdProjector, isTried: boolean): string | undefined {
  if (projector.mostCells === 0) return "encodes nothing"
  if (!projector.reserve()) return "has not enough memory for the buffers in which pictures are encoded"
  return isTried && !projector.test() ? "failed at a first picture" : undefined
}

function describe(
  { mtmd, projector }: { readonly mtmd: Mtmd; readonly projector: MtmdProjector },
  { sizeBytes }: AttachedPart,
  device: string,
  fallback: string | undefined,
): LoadedProjector {
  const { sees, hears, bytes, mostCells } = projector
  return {
    projector,
    weightBytes: sizeBytes,
    ...mtmd.memory(),
    info: { sees, hears, device, bytes, mostCells, ...(fallback !== undefined && { gpuFallback: fallback }) },
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`
}
