import type { ModelSummary } from "../../domain/model"
import type { GgufDescription } from "../../formats/gguf/metadata"
import { jinjaCapabilities } from "../../formats/template-capabilities"
import type { MediaDescription } from "../local/media-file"
import type { Manifest } from "./manifest"

/** The order in which capabilities are told. */
const CAPABILITIES: readonly string[] = [
  "completion",
  "chat",
  "tools",
  "thinking",
  "insert",
  "embedding",
  "rerank",
  "vision",
  "speech",
  "transcription",
  "image",
]

/** What is there beside a model's files. */
interface Along {
  /** Absent: it was not installed. */
  readonly manifest: Manifest | undefined
  /** Whether a projector of images lies beside it. */
  readonly sees: boolean
}

/** What a model's files say of it, and beside it what came along: its licence, its template, its projector. */
export function mergeDetails<D extends GgufDescription | MediaDescription>(
  description: D,
  { defaults }: Pick<ModelSummary, "defaults">,
  { manifest, sees }: Along,
): D {
  const license = manifest?.licenses?.join("\n\n").trim()
  const capabilities = new Set([...description.capabilities, ...(manifest?.capabilities ?? [])])
  if (defaults?.template !== undefined && capabilities.has("completion")) {
    // It counts in place of the file's own.
    for (const one of ["tools", "thinking"]) capabilities.delete(one)
    for (const one of ["chat", ...jinjaCapabilities(defaults.template)]) capabilities.add(one)
  }
  if (sees || manifest?.files.some(({ role }) => role === "projector")) capabilities.add("vision")
  return {
    ...description,
    ...(license && { license }),
    capabilities: [...capabilities].sort((a, b) => rank(a) - rank(b)),
  }
}

/** What is not known here comes last. */
function rank(capability: string): number {
  const index = CAPABILITIES.indexOf(capability)
  return index === -1 ? CAPABILITIES.length : index
}
