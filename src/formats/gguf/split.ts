import { readdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { GgufHeader } from "./types"

/** A file name of a split model in llama.cpp's scheme: `name-00001-of-00003.gguf`. */
export interface SplitName {
  /** The model's name, without number and extension. */
  readonly stem: string
  /** Counted from 1. */
  readonly part: number
  readonly parts: number
}

/** More than any model has, and few enough to look for whenever a folder is listed. */
const MAX_PARTS = 1024

const FORM = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/i

/**
 * Parses the file name of a split model (with or without folders), in any letter case; `undefined` for other
 * names.
 */
export function parseSplitName(fileName: string): SplitName | undefined {
  const [, stem, ...numbers] = FORM.exec(fileName) ?? []
  const [part = 0, parts = 0] = numbers.map(Number)
  if (stem === undefined || part < 1 || part > parts || parts > MAX_PARTS) return undefined
  return { stem, part, parts }
}

/** The name of another file of the same model, in the same letter case as `fileName`. */
export function siblingName(fileName: string, part: number): string {
  return fileName.replace(/-\d{5}(-of-\d{5}\.gguf)$/i, (_, end: string) => `-${fiveDigits(part)}${end}`)
}

/** The name in llama.cpp's scheme, which it looks for beside the first file. */
export function splitFileName({ stem, parts }: Omit<SplitName, "part">, part: number): string {
  return `${stem}-${fiveDigits(part)}-of-${fiveDigits(parts)}.gguf`
}

/**
 * The paths of all files of a model, from the path of one: in the same folder, in any letter case. A missing
 * file is listed under its expected name.
 */
export function partPaths(path: string): readonly string[] {
  const fileName = basename(path)
  const { parts } = parseSplitName(fileName) ?? { parts: 1 }
  if (parts < 2) return [path]
  const names = namesIn(dirname(path))
  const exact = new Set(names)
  const inAnyCase = new Map(names.map((name) => [name.toLowerCase(), name]))
  return Array.from({ length: parts }, (_, index) => {
    const name = siblingName(fileName, index + 1)
    const found = exact.has(name) ? name : inAnyCase.get(name.toLowerCase())
    return join(dirname(path), found ?? name)
  })
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** A file with part of a model's weights. */
export interface WeightsFile {
  /** Its name in messages. */
  readonly name: string
  readonly header: Pick<GgufHeader, "metadata">
}

/**
 * Why the files are not the parts of one model in order, according to their metadata (`split.count`,
 * `split.no`); `undefined` if they are, or have no such metadata.
 */
export function splitProblem(files: readonly WeightsFile[]): string | undefined {
  const [first] = files
  const whole = first && placeOf(first.header)
  if (first === undefined || whole === undefined) return undefined
  if (whole.parts !== files.length) {
    const other = whole.part === 1 ? 2 : 1
    return (
      `it is part ${whole.part} of ${whole.parts} of a split model, and part ${other} is missing; the parts ` +
      `must be in one folder, named ${splitFileName({ stem: "NAME", parts: whole.parts }, 1)} and so on`
    )
  }
  const wrong = files.findIndex(({ header }, index) => {
    const place = placeOf(header)
    return place?.part !== index + 1 || place.parts !== files.length
  })
  const file = files[wrong]
  if (file === undefined) return undefined
  const place = placeOf(file.header)
  const is = place === undefined ? "not part of a split model" : `part ${place.part} of ${place.parts}`
  return `${file.name} is ${is}, where part ${wrong + 1} of ${files.length} should be`
}

/** A file's position among its parts; `undefined` if it has no such metadata. */
function placeOf({ metadata }: Pick<GgufHeader, "metadata">): Omit<SplitName, "stem"> | undefined {
  const [no, count] = [metadata.get("split.no"), metadata.get("split.count")]
  if (typeof count !== "number" || count < 2) return undefined
  return { part: (typeof no === "number" ? no : 0) + 1, parts: count }
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, "0")
}
