import type { ModelSummary } from "../../domain/model"
import type { GgufDescription } from "../../formats/gguf/metadata"
import { jinjaCapabilities } from "../../formats/template-capabilities"
import type { MediaDescription } from "../local/media-file"
import type { Manifest } from "./manifest"

/** The order in which capabilities are listed. */
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

/** What comes along with a model's files. */
interface Extras {
  /** Absent: the model is not installed. */
  readonly manifest: Manifest | undefined
  /** Whether an image projector comes with it. */
  readonly hasProjector: boolean
}

/** Combines the description from a model's files with what comes along: its licence, template and projector. */
export function mergeDetails<D extends GgufDescription | MediaDescription>(
  description: D,
  { defaults }: Pick<ModelSummary, "defaults">,
  { manifest, hasProjector }: Extras,
): D {
  const license = manifest?.licenses?.join("\n\n").trim()
  const capabilities = new Set([...description.capabilities, ...(manifest?.capabilities ?? [])])
  if (defaults?.template !== undefined && capabilities.has("completion")) {
    // It replaces the file's own template.
    for (const one of ["tools", "thinking"]) capabilities.delete(one)
    for (const one of ["chat", ...jinjaCapabilities(defaults.template)]) capabilities.add(one)
  }
  if (hasProjector || manifest?.files.some(({ role }) => role === "projector")) capabilities.add("vision")
  return {
    ...description,
    ...(license && { license }),
    capabilities: [...capabilities].sort((a, b) => rank(a) - rank(b)),
  }
}

/** Unknown capabilities come last. */
function rank(capability: string): number {
  const index = CAPABILITIES.indexOf(capability)
  return index === -1 ? CAPABILITIES.length : index
}
