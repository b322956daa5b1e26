import { existsSync } from "node:fs"
import { join } from "node:path"
import type { TextModelSettings } from "../../../src/domain/settings"

/** Real models lie beside the repository, where there are any. */
export const REAL_MODELS_FOLDER = join(import.meta.dir, "../../../../shared/models")

/** A small instruct model, as the models folder names it. */
export const REAL_MODEL = "SmolLM2-135M-Instruct.Q4_1"

export const REAL_MODEL_PATH = join(REAL_MODELS_FOLDER, `${REAL_MODEL}.gguf`)

/** Is it there? Says so where it is not: tests with it are skipped then. */
export function hasRealModel(): boolean {
  const found = existsSync(REAL_MODEL_PATH)
  if (!found) console.warn(`skipped: there is no real model at ${REAL_MODEL_PATH}`)
  return found
}

/** What the program uses where nobody says anything else, but for a short context, which is loaded sooner. */
export const USUAL_SETTINGS: Partial<TextModelSettings> = {
  contextLength: 1024,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
  decodeThreads: null,
  prefillThreads: null,
}
