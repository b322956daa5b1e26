import { join } from "node:path"

/** The fields used of a package.json. */
interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/**
 * Ensures that a package is installed in the release that package.json pins for it, or for `like`, which is released
 * together with it. Packages that `npm ci` skips (CUDA's for its size, those of other platforms) are downloaded now,
 * without recording them.
 * @throws Error if it cannot be downloaded; npm's output is on stderr by then
 */
export async function installPackage(name: string, root: string, like = name): Promise<void> {
  const project = await readManifest(root)
  const release = project?.optionalDependencies?.[like] ?? project?.dependencies?.[like]
  if (release === undefined) throw new Error(`package.json does not pin ${like}`)
  const installed = await readManifest(join(root, "node_modules", name))
  if (installed?.version !== release) await fetchPackage(`${name}@${release}`, root)
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = Bun.file(join(folder, "package.json"))
  return (await file.exists()) ? ((await file.json()) as Manifest) : undefined // its shape is npm's to guarantee
}

async function fetchPackage(specifier: string, root: string): Promise<void> {
  const command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", specifier]
  console.log(command.join(" "))
  const child = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if ((await child.exited) === 0) return
  throw new Error(
    `${specifier} is not installed and cannot be fetched; run 'npm ci' where npm's registry can be reached`,
  )
}
