import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import { ModelLoadFailed } from "../../errors/model"
import type { EspeakNeeds } from "../../formats/speech/tts-model"
import { locateEspeakData } from "../../native/espeak-files"

/** Files without which espeak-ng ends the process. */
const NEEDED_FILES = ["phontab", "phonindex", "phondata", "intonations"]

/** Names that espeak-ng lists, but takes only by the name of their file. */
const RENAMED: Readonly<Record<string, string>> = { "en-gb": "en-gb-x-rp", "fr-fr": "fr", "pt-pt": "pt" }

/** Where Debian's package espeak-ng-data puts its data, and where others do. */
const SYSTEM_FOLDERS = ["/usr/lib", "/usr/share", "/usr/local/share", "/opt/homebrew/share"]

/** espeak-ng's data for one process, which can only ever read one folder. */
export interface EspeakData {
  readonly folder: string
  /** What a language is to be called here; `undefined` where the folder does not have it. */
  nameOf(language: string): string | undefined
}

/**
 * A folder that has what a voice needs: its own, this program's, or the system's.
 * @throws ModelLoadFailed where none has its language
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

/** What a folder holds; `undefined` where it is no data of espeak-ng. */
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

/** A language's file names its dictionary where it is not that of the language itself. */
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
