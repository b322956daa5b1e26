import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "../temp-folder"
import { TINY_FOLDERS, writeTinyFolder } from "./tiny-folders"

/** The files of a folder of {@link TINY_FOLDERS}, as a repository has them. */
export function tinyRepository(name: string): Record<string, Uint8Array> {
  const make = TINY_FOLDERS[name]
  if (make === undefined) throw new Error(`no folder '${name}'`)
  using temp = tempFolder()
  const folder = writeTinyFolder(join(temp.path, name), make())
  const paths = readdirSync(folder, { recursive: true }).map(String)
  const files = paths.filter((path) => statSync(join(folder, path)).isFile())
  return Object.fromEntries(files.map((path) => [path, new Uint8Array(readFileSync(join(folder, path)))]))
}
