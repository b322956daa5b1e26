import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

/** The npm package whose data espeak-ng reads: the only one that has it as plain files, see {@link readEspeakPackage}. */
export const ESPEAK_PACKAGE = "@echogarden/espeak-ng-emscripten"

/** A dictionary that is larger than this many bytes is left out: Russian, Chinese and Faroese take two thirds of all. */
const LARGEST_DICTIONARY = 1_000_000

export interface DataFile {
  /** Relative to the data's folder, divided by `/`. */
  readonly name: string
  readonly content: Uint8Array
}

/** The folder of the installed package, or `undefined`. */
export function espeakPackageFolder(): string | undefined {
  try {
    return dirname(Bun.resolveSync(ESPEAK_PACKAGE, import.meta.dir))
  } catch {
    return undefined
  }
}

/**
 * The data of espeak-ng that is used: phonemes, rules of languages, and dictionaries up to a size. The package holds
 * all of it in one file, as Emscripten's file packager writes it; the table of contents is in its JavaScript.
 * @throws Error where the package is not what it was
 */
export async function readEspeakPackage(folder: string): Promise<DataFile[]> {
  const paths = { script: join(folder, "espeak-ng.js"), data: join(folder, "espeak-ng.data") }
  if (!existsSync(paths.script) || !existsSync(paths.data))
    throw new Error(`${folder} does not hold espeak-ng's data; install ${ESPEAK_PACKAGE} again`)
  const [script, data] = await Promise.all([Bun.file(paths.script).text(), Bun.file(paths.data).bytes()])
  const files = readEspeakTable(script).filter(isUsed)
  if (!files.some(({ name }) => name === "phontab"))
    throw new Error(`${paths.script} has no table of espeak-ng's data`)
  return files.map(({ name, start, end }) => ({ name, content: data.subarray(start, end) }))
}

interface Entry {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** The table of contents in a script by Emscripten's file packager, without the folder that all share. */
export function readEspeakTable(script: string): Entry[] {
  const pattern = /filename:"[^"]*?\/espeak-ng-data\/([^"]+)",start:(\d+),end:(\d+)/g
  return [...script.matchAll(pattern)].map(([, name = "", start, end]) => ({
    name,
    start: Number(start),
    end: Number(end),
  }))
}

/** Everything but variants of espeak's own voice, which are not used here, and large dictionaries. */
function isUsed({ name, start, end }: Entry): boolean {
  if (name.startsWith("voices/")) return false
  return !name.endsWith("_dict") || end - start <= LARGEST_DICTIONARY
}
