import type { ModelSummary } from "../../domain/model"
import { capabilitiesOfProjector, type ProjectorFacts } from "../../domain/projector"
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
  "audio",
  "speech",
  "transcription",
  "image",
]

/** What comes along with a model's files. */
interface Extras {
  /** Absent: the model is not installed. */
  readonly manifest: Manifest | undefined
  /** What a projector that comes with it says; absent: there is none that can be used. */
  readonly projector: ProjectorFacts | undefined
}

/** Combines the description from a model's files with what comes along: its licence, template and projector. */
export function mergeDetails<D extends GgufDescription | MediaDescription>(
  description: D,
  { defaults }: Pick<ModelSummary, "defaults">,
  { manifest, projector }: Extras,
): D {
  const license = manifest?.licenses?.join("\n\n").trim()
  const capabilities = new Set([...description.capabilities, ...(manifest?.capabilities ?? [])])
  if (defaults?.template !== undefined && capabilities.has("completion")) {
    // It replaces the file's own template.
    for (const one of ["tools", "thinking"]) capabilities.delete(one)
    for (const one of ["chat", ...jinjaCapabilities(defaults.template)]) capabilities.add(one)
  }
  // A registry may mean an encoder within the weights, which only Ollama can use.
  for (const one of ["vision", "audio"]) capabilities.delete(one)
  if (projector !== undefined) for (const one of capabilitiesOfProjector(projector)) capabilities.add(one)
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
