import type { Settings } from "../../config/resolve"
import type { ModelDetails } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import type { BenchModel } from "../../measure/report"
import type { Store } from "../../store/contract"
import { meantModel } from "../args/model-path"

/** A model that is measured. */
export interface BenchSubject {
  /** What the user called it: a name or a path. */
  readonly given: string
  /** In the tables. */
  readonly label: string
  readonly details: ModelDetails
  readonly settings: ModelSettings
}

/** @throws ModelNotFound, and what the store throws for an invalid file */
export async function findSubject(given: string, store: Store, settings: Settings): Promise<BenchSubject> {
  const { name } = await meantModel(given, store)
  const details = await store.describe(name)
  return { given, label: name, details, settings: settings.ofModel(details) }
}

/** The facts about it that results are kept with. */
export function toBenchModel({ label, details }: BenchSubject): BenchModel {
  return {
    name: label,
    kind: details.kind,
    digest: details.id,
    architecture: "architecture" in details ? details.architecture : details.family,
    file_type: "quantization" in details ? details.quantization : "",
    size: details.sizeBytes,
    parameters: "parameterCount" in details ? details.parameterCount : null,
  }
}
