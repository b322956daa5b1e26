import { existsSync } from "node:fs"
import { mkdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { espeakPackageFolder, readEspeakPackage } from "./espeak-package"
import { extractEmbedded } from "./extract-embedded"

/**
 * A folder with espeak-ng's data, extracted below `runtimeFolder` on first use, in development from node_modules;
 * `undefined` where there is none. A few languages with large dictionaries are not in it.
 * @throws NativeLibraryError where the folder cannot be written
 */
export async function locateEspeakData(runtimeFolder: string): Promise<string | undefined> {
  if (Bun.isStandaloneExecutable) return await extractEmbedded("espeak", runtimeFolder)
  const installed = espeakPackageFolder()
  return installed === undefined ? undefined : await unpackInstalled(installed, runtimeFolder)
}

/** Development only: the folder carries the package's version, and is complete or not there. */
async function unpackInstalled(installed: string, runtimeFolder: string): Promise<string> {
  const { version } = (await Bun.file(join(installed, "package.json")).json()) as { version: string } // npm's shape
  const folder = join(runtimeFolder, `espeak-${version}`)
  if (existsSync(folder)) return folder
  const temporary = `${folder}.${process.pid}.${crypto.randomUUID()}.tmp`
  try {
    await mkdir(temporary, { recursive: true })
    for (const { name, content } of await readEspeakPackage(installed))
      await Bun.write(join(temporary, name), content)
    await rename(temporary, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error // otherwise another process was faster
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return folder
}
