import { ModelExists } from "../errors/model"
import type { InstallOptions, Occupant, Store } from "./contract"
import { type Manifest, manifestId } from "./managed/manifest"
import { formatModelName, type ModelName } from "./names"

/** Options for installing with or without replacing a model of the same name. */
export function replacing(isAllowed: boolean): InstallOptions {
  return isAllowed ? {} : { mayReplace: () => false }
}

/**
 * An early check to save work; {@link Store.install} checks again. @throws ModelExists for a different model of
 * that name
 */
export async function refuseOther(
  store: Pick<Store, "installedAs">,
  name: ModelName,
  manifest: Manifest,
): Promise<void> {
  const occupant = await store.installedAs(name)
  if (occupant === undefined || isSame(occupant, manifest)) return
  throw taken(name)
}

/** The same check by size in bytes, where nothing else is known yet. */
export async function refuseOtherSize(
  store: Pick<Store, "installedAs">,
  name: ModelName,
  sizeBytes: number,
): Promise<void> {
  const occupant = await store.installedAs(name)
  if (occupant === undefined || sizeOf(occupant) === sizeBytes) return
  throw taken(name)
}

function isSame(occupant: Occupant, manifest: Manifest): boolean {
  return occupant !== "unreadable" && manifestId(occupant) === manifestId(manifest)
}

function sizeOf(occupant: Occupant): number | undefined {
  if (occupant === "unreadable") return undefined
  return occupant.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

function taken(name: ModelName): ModelExists {
  return new ModelExists(formatModelName(name), "choose another with --name, or replace it with --force")
}
