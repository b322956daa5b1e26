import { statSync } from "node:fs"
import { type AttachedPart, isLoaded, PART_ROLES } from "../domain/attached-parts"
import { placeAndReason } from "../errors/base"
import { ModelLoadFailed } from "../errors/model"
import type { WorkerModel } from "../protocol/messages"

/**
 * The parts to load with a model. Their files are looked at first: a native library says of a missing or damaged one
 * only that it refused it.
 * @throws ModelLoadFailed where one is missing or was changed
 */
export function loadedParts({
  name,
  parts = [],
}: Pick<WorkerModel, "name" | "parts">): readonly AttachedPart[] {
  const wanted = parts.filter(isLoaded)
  for (const part of wanted) {
    const sizeBytes = sizeOf(name, part)
    if (sizeBytes !== part.sizeBytes)
      throw new ModelLoadFailed(
        name,
        `${describePart(part)} was changed: ${part.path} has ${sizeBytes} bytes, not ${part.sizeBytes}`,
      )
  }
  return wanted
}

/** The error for a part that a model cannot be loaded with. */
export function partRefused(
  model: string,
  part: Pick<AttachedPart, "role" | "name">,
  why: string,
): ModelLoadFailed {
  const named = describePart(part)
  return new ModelLoadFailed(model, `${named} ${why}`, undefined, { outOfMemory: false, part: named })
}

/** `its adapter 'style.gguf'`. */
export function describePart({ role, name }: Pick<AttachedPart, "role" | "name">): string {
  return `its ${PART_ROLES[role].label} '${name}'`
}

function sizeOf(model: string, part: AttachedPart): number {
  try {
    return statSync(part.path).size
  } catch (error) {
    throw new ModelLoadFailed(model, `${describePart(part)} cannot be read: ${placeAndReason(error)}`, error)
  }
}
