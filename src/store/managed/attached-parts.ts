import { type AttachedPart, isPartRole } from "../../domain/attached-parts"
import { adapterScaleOf } from "./defaults"
import type { Digest, Manifest } from "./manifest"

/**
 * The files of an installed model that are attached to its weights, in the manifest's order.
 * @param pathOf the path of a blob
 */
export function attachedParts(
  manifest: Manifest,
  pathOf: (digest: Digest) => string,
): readonly AttachedPart[] {
  const adapterScale = adapterScaleOf(manifest)
  return manifest.files.flatMap(({ role, name, digest, sizeBytes, scale }) => {
    if (!isPartRole(role)) return []
    const part = { role, name, path: pathOf(digest), sizeBytes, digest }
    return role === "adapter" ? { ...part, scale: adapterScale ?? scale ?? 1 } : part
  })
}
