import { copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { parseSplitName, splitFileName } from "../../formats/gguf/split"
import { blobPath, type StoreLayout } from "../layout"
import { openWorkspace } from "../workspace"
import type { Manifest, ManifestFile } from "./manifest"

const ID_DIGITS = 24
const VIEW_ID = new RegExp(`^[0-9a-f]{${ID_DIGITS}}$`)

/** How an installed model is loaded. */
export interface ModelPlace {
  /** The folder in which its blobs are assembled; `undefined`: its one file is loaded in place. */
  readonly view: View | undefined
  /** What a worker loads. */
  readonly path: string
  /** Its files, in order; for a text model the parts of its weights. */
  readonly paths: readonly string[]
}

/** A folder of blobs under their original file names. */
export interface View {
  /** The same for all models of these files. */
  readonly id: string
  readonly folder: string
  readonly files: readonly ManifestFile[]
}

/**
 * The paths from which a worker loads a model. A text model's weights in one file need no name; all others are
 * detected by their file names, or find their parts by them.
 */
export function placeOf(manifest: Manifest, layout: StoreLayout): ModelPlace {
  const files = mainFiles(manifest)
  const [first] = files
  if (first === undefined) throw new Error("a manifest has at least one file")
  if (manifest.kind === "text" && files.length === 1) {
    const path = blobPath(layout, first.digest)
    return { view: undefined, path, paths: [path] }
  }
  const named = manifest.kind === "text" ? asParts(files) : files
  const id = viewId(named)
  const view = { id, folder: join(layout.views, id), files: named }
  const paths = named.map(({ name }) => join(view.folder, name))
  const isOneFile = manifest.kind === "text" || files.length === 1
  return { view, path: isOneFile ? (paths[0] ?? view.folder) : view.folder, paths }
}

/** The files that are loaded together, in order; for a text model without those applied to its weights. */
export function mainFiles({ kind, files }: Manifest): readonly ManifestFile[] {
  if (kind !== "text") return files
  return files.filter(({ role }) => role === "model").sort((a, b) => partNumber(a) - partNumber(b))
}

/** llama.cpp finds the parts of a split model only by its own naming scheme, in lower case. */
function asParts(files: readonly ManifestFile[]): readonly ManifestFile[] {
  const stem = parseSplitName(files[0]?.name ?? "")?.stem ?? "model"
  return files.map((file, index) => ({
    ...file,
    name: splitFileName({ stem, parts: files.length }, index + 1),
  }))
}

function partNumber({ name }: ManifestFile): number {
  return parseSplitName(name)?.part ?? 0
}

function viewId(files: readonly ManifestFile[]): string {
  const hash = new Bun.CryptoHasher("sha256")
  for (const line of files.map(({ name, digest }) => `${digest} ${name}\n`).sort()) hash.update(line)
  return hash.digest("hex").slice(0, ID_DIGITS)
}

/**
 * Assembles a view that is missing or incomplete. It appears complete or not at all.
 * @throws the file system's error where a blob is missing
 */
export async function ensureView(view: View, layout: StoreLayout): Promise<void> {
  if (await isWhole(view, layout)) return
  await using workspace = await openWorkspace(layout.temporary)
  const fresh = join(workspace.path, "view")
  for (const { name, digest } of view.files) {
    const path = join(fresh, name)
    await mkdir(dirname(path), { recursive: true })
    await linkOrCopy(blobPath(layout, digest), path)
  }
  await mkdir(layout.views, { recursive: true })
  // Moved out of the way rather than overwritten: a running worker may have its files mapped.
  await rename(view.folder, join(workspace.path, "damaged")).catch(() => undefined)
  try {
    await rename(fresh, view.folder)
  } catch (error) {
    // Another process was faster.
    if (!(await isWhole(view, layout))) throw error
  }
}

async function isWhole({ folder, files }: View, layout: StoreLayout): Promise<boolean> {
  const checks = files.map(async ({ name, sizeBytes, digest }) => {
    const stats = await stat(join(folder, name)).catch(() => undefined)
    if (stats?.isFile() !== true || stats.size !== sizeBytes) return false
    // A blob younger than its copy in the view has been repaired.
    const blob = await stat(blobPath(layout, digest)).catch(() => undefined)
    return blob === undefined || blob.ino === stats.ino || blob.mtimeMs <= stats.mtimeMs
  })
  return (await Promise.all(checks)).every((isThere) => isThere)
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") throw error
    await copyFile(from, to)
  }
}

/** Removes every view that is not in `used`, and nothing else. */
export async function pruneViews(layout: StoreLayout, used: ReadonlySet<string>): Promise<void> {
  const ids = await readdir(layout.views).catch(() => [])
  const unused = ids.filter((id) => VIEW_ID.test(id) && !used.has(id))
  await Promise.all(unused.map((id) => rm(join(layout.views, id), { recursive: true, force: true })))
}
