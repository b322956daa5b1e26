import { basename, dirname, join } from "node:path"
import type { AttachedPart } from "../../domain/attached-parts"
import type { ModelSummary } from "../../domain/model"
import type { ProjectorFacts } from "../../domain/projector"
import { reasonOf } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { describeProjector, type ProjectorBase, projectorMisfit } from "../../formats/gguf/projector"
import { readGgufHeader } from "../../formats/gguf/read"
import type { CacheTable, MetadataCache } from "../metadata-cache"
import { stateOf } from "./file-version"

/** What a projector's file says, or why it cannot be used. */
export type ProjectorFile =
  | { readonly facts: ProjectorFacts; readonly fault?: undefined }
  | { readonly facts?: undefined; readonly fault: string }

/** As programs that convert models name projectors. */
const PROJECTOR_NAME = /mmproj.*\.gguf$/i
/** Half precision first: a projector is small, and suffers more from quantisation. */
const FORMATS: readonly RegExp[] = [/(?<!b)f16/i, /bf16/i, /q8_0/i, /f32/i]

/** Reads projectors, each version of a file once, and finds those of models that are used in place. */
export class ProjectorFiles {
  readonly #facts: CacheTable<ProjectorFile>

  constructor(cache: MetadataCache) {
    this.#facts = cache.table("projectors")
  }

  /** A missing file is one with a fault. */
  async inspect(path: string): Promise<ProjectorFile> {
    const { stamp, sizeBytes } = await stateOf([path])
    const known = this.#facts.get(path, stamp)
    if (known !== undefined) return known
    const record = readProjectorFile(path)
    if (sizeBytes > 0) this.#facts.set(path, stamp, record)
    return record
  }

  /**
   * A text model with what its projector says. One that does not fit is not loaded, and a note says why: the model still
   * generates texts.
   * @param baseOf reads what the projector must fit: only called where there is one
   */
  async check<M extends ModelSummary>(
    model: M,
    baseOf: () => Promise<ProjectorBase | undefined>,
  ): Promise<{ readonly model: M; readonly projector?: ProjectorFacts }> {
    const { parts = [], defaults } = model
    const part = parts.find(({ role }) => role === "projector")
    const base = part && (await baseOf())
    if (part === undefined || base === undefined) return { model }
    const { facts, fault: damage } = await this.inspect(part.path)
    const misfit = facts && projectorMisfit(facts, base, "the model")
    const fault = damage ?? (misfit && `it ${misfit}`)
    if (fault === undefined) return { model, ...(facts !== undefined && { projector: facts }) }
    const note = `Its projector ${part.name} cannot be used: ${fault}.`
    return {
      model: {
        ...model,
        parts: parts.map((other) => (other === part ? { ...part, fault } : other)),
        defaults: { ...defaults, notes: [...(defaults?.notes ?? []), note] },
      },
    }
  }

  /**
   * The projector beside a model, with its size; undefined: there is none. In a folder of its own a model has
   * any that fits it; where many models lie, the file's name has to contain the model's.
   * @param names the files in the model's folder
   * @param baseOf reads what it must fit: only asked for where there is something to compare
   */
  async besideModel(
    path: string,
    names: readonly string[],
    { isShared }: { readonly isShared: boolean },
    baseOf: () => Promise<ProjectorBase | undefined>,
  ): Promise<AttachedPart | undefined> {
    const candidates = names
      .filter((name) => PROJECTOR_NAME.test(name) && (!isShared || isNamedAfter(name, basename(path))))
      .sort((a, b) => rank(a, path) - rank(b, path) || a.localeCompare(b))
    if (candidates.length === 0) return undefined
    const base = await baseOf()
    if (base === undefined) return undefined
    for (const name of candidates) {
      const { facts } = await this.inspect(join(dirname(path), name))
      if (facts !== undefined && projectorMisfit(facts, base, "the model") === undefined)
        return await projectorPart(dirname(path), name)
    }
    // One that can only be meant for it is its own all the same, with the reason why it cannot be used.
    const models = new Set(
      names
        .filter((name) => /\.gguf$/i.test(name) && !PROJECTOR_NAME.test(name))
        .map((name) => wordsOf(name).join(" ")),
    )
    const meant = candidates.find((name) => models.size === 1 || isNamedAfter(name, basename(path)))
    return meant === undefined ? undefined : await projectorPart(dirname(path), meant)
  }
}

async function projectorPart(folder: string, name: string): Promise<AttachedPart> {
  const path = join(folder, name)
  const { sizeBytes, stamp } = await stateOf([path])
  return { role: "projector", name, path, sizeBytes, digest: stamp }
}

function rank(name: string, path: string): number {
  return (isNamedAfter(name, basename(path)) ? 0 : 100) + projectorRank(name)
}

/** Among the formats of one projector, by its file's name; the best first. */
export function projectorRank(name: string): number {
  const format = FORMATS.findIndex((pattern) => pattern.test(name))
  return format === -1 ? FORMATS.length : format
}

/** Is `mmproj-NAME-F16.gguf` or `NAME.mmproj.gguf` a name for the projector of `NAME-Q4_K_M.gguf`? */
function isNamedAfter(projector: string, model: string): boolean {
  const words = wordsOf(projector)
  const wanted = wordsOf(model)
  return wanted.length > 0 && words.join(" ") === wanted.join(" ")
}

/** What a file's name consists of, except its extension and how its numbers are written. */
function wordsOf(name: string): readonly string[] {
  const plain = name
    .toLowerCase()
    .replace(/\.gguf$/, "")
    .replace(/-\d{5}-of-\d{5}$/, "")
    .replace(/(^|[-_.])(i?q\d(_[a-z0-9]+)*|bf16|f16|f32|mxfp4|ud)(?=$|[-_.])/g, "$1")
  return plain.split(/[-_.\s]+/).filter((word) => word !== "" && !["mmproj", "model"].includes(word))
}

function readProjectorFile(path: string): ProjectorFile {
  try {
    return { facts: describeProjector(path, readGgufHeader(path)) }
  } catch (error) {
    return { fault: error instanceof InvalidModelFile ? error.reason : reasonOf(error) }
  }
}
