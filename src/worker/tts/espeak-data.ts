import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import { ModelLoadFailed } from "../../errors/model"
import type { EspeakNeeds } from "../../formats/speech/tts-model"
import { locateEspeakData } from "../../native/espeak-files"

/** Files without which espeak-ng aborts the process. */
const NEEDED_FILES = ["phontab", "phonindex", "phondata", "intonations"]

/** Listed language names that espeak-ng accepts only by their file name. */
const RENAMED: Readonly<Record<string, string>> = { "en-gb": "en-gb-x-rp", "fr-fr": "fr", "pt-pt": "pt" }

/** Where Debian's package espeak-ng-data and others install their data. */
const SYSTEM_FOLDERS = ["/usr/lib", "/usr/share", "/usr/local/share", "/opt/homebrew/share"]

/** espeak-ng's data folder. A process can only ever use one. */
export interface EspeakData {
  readonly folder: string
  /** The name of a language in this data; `undefined` if missing. */
  nameOf(language: string): string | undefined
}

/**
 * The folder with the data that a voice needs: its own, this program's or the system's.
 * @throws ModelLoadFailed if none contains its language
 */
export async function findEspeakData(
  model: string,
  { language, ownData }: EspeakNeeds,
  runtimeFolder: string,
): Promise<EspeakData> {
  const candidates = [
    () => ownData,
    () => locateEspeakData(runtimeFolder),
    ...systemFolders().map((folder) => () => folder),
  ]
  for (const candidate of candidates) {
    const folder = await candidate()
    const data = folder === undefined ? undefined : await readEspeakData(folder)
    if (data?.nameOf(language) !== undefined) return data
  }
  throw new ModelLoadFailed(
    model,
    `it speaks '${language}', for which there is no espeak-ng data here; ` +
      "install it (on Debian and Ubuntu: apt install espeak-ng-data), or put a folder espeak-ng-data beside the model",
  )
}

/** The contents of a folder; `undefined` if it is not an espeak-ng data folder. */
export async function readEspeakData(folder: string): Promise<EspeakData | undefined> {
  if (!NEEDED_FILES.every((name) => existsSync(join(folder, name)))) return undefined
  const entries = await readdir(join(folder, "lang"), { recursive: true, withFileTypes: true }).catch(
    () => [],
  )
  const files = entries.filter((entry) => entry.isFile())
  const languages = new Map<string, string>()
  for (const entry of files) {
    const dictionary = await dictionaryOf(join(entry.parentPath, entry.name))
    if (existsSync(join(folder, `${dictionary}_dict`))) languages.set(entry.name.toLowerCase(), entry.name)
  }
  return {
    folder,
    nameOf(language) {
      const wanted = language.toLowerCase()
      const known = (name: string | undefined) =>
        name !== undefined && languages.has(name) ? name : undefined
      return known(RENAMED[wanted]) ?? known(wanted)
    },
  }
}

/** The dictionary of a language, which its file names if it differs from the language. */
async function dictionaryOf(path: string): Promise<string> {
  const text = await Bun.file(path).text()
  const named = /^\s*dictionary\s+(\S+)/m.exec(text)?.[1]
  return (
    named ?? /^\s*language\s+([a-z]+)/m.exec(text)?.[1] ?? basename(path).toLowerCase().split("-")[0] ?? ""
  )
}

function systemFolders(): string[] {
  const libraries = "/usr/lib"
  const multiarch = existsSync(libraries)
    ? [...new Bun.Glob("*/espeak-ng-data").scanSync({ cwd: libraries, onlyFiles: false })]
    : []
  return [
    ...multiarch.map((name) => join(libraries, name)),
    ...SYSTEM_FOLDERS.map((folder) => join(folder, "espeak-ng-data")),
  ]
}
