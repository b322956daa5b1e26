import { basename } from "node:path"
import { readModelFolder } from "../../formats/model-folder"
import type { Blob } from "../contract"
import type { Manifest, ManifestFile } from "../managed/manifest"
import type { LocalModel } from "./local-models"

/**
 * The manifest that a local model would have if it were installed.
 * @param digestOf returns the digest and size of one of its files
 */
export async function manifestOfLocal(
  { found, summary }: LocalModel,
  digestOf: (path: string) => Promise<Blob>,
): Promise<Manifest> {
  const role = found.form === "gguf" ? "model" : "file"
  const parts =
    found.form === "gguf"
      ? found.paths.map((path) => ({ name: basename(path), path }))
      : (await readModelFolder(found.path)).files
  const files: ManifestFile[] = []
  for (const { name, path } of parts) files.push({ name, role, ...(await digestOf(path)) })
  for (const part of summary.parts ?? [])
    files.push({ name: part.name, role: part.role, ...(await digestOf(part.path)) })
  return {
    version: 1,
    kind: summary.kind === "embedding" ? "text" : summary.kind,
    createdAt: new Date().toISOString(),
    source: { type: "file", reference: found.path },
    files,
    parameters: {},
  }
}
