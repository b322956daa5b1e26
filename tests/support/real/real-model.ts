import { existsSync } from "node:fs"
import { join } from "node:path"
import type { TextModelSettings } from "../../../src/domain/settings"

/** Real models, if available, are beside the repository. */
export const REAL_MODELS_FOLDER = join(import.meta.dir, "../../../../shared/models")

/** A small instruct model, under its name in the models folder. */
export const REAL_MODEL = "SmolLM2-135M-Instruct.Q4_1"

export const REAL_MODEL_PATH = join(REAL_MODELS_FOLDER, `${REAL_MODEL}.gguf`)

/** Is it available? Prints a note if not; tests that need it are skipped then. */
export function hasRealModel(): boolean {
  const found = existsSync(REAL_MODEL_PATH)
  if (!found) console.warn(`skipped: there is no real model at ${REAL_MODEL_PATH}`)
  return found
}

/** The program's defaults, except for a short context, which loads faster. */
export const USUAL_SETTINGS: Partial<TextModelSettings> = {
  contextLength: 1024,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
  decodeThreads: null,
  prefillThreads: null,
}
