import type { Digest, FileRole } from "../../managed/manifest"

/** A file of a repository, as listed. */
export interface RepositoryFile {
  /** With `/` between folders. */
  readonly path: string
  readonly sizeBytes: number
  /** Of large files. */
  readonly digest: Digest | undefined
  /** Git's object id of the content, hex. */
  readonly gitOid: string | undefined
}

/** A file of the chosen model. */
export interface ChosenFile {
  readonly file: RepositoryFile
  /** Its name in the model. */
  readonly name: string
  readonly role: FileRole
  readonly isDocument: boolean
}

/** The files of a repository that form the requested model. */
export interface FileChoice {
  readonly files: readonly ChosenFile[]
  /** Why these, where others might be expected; a sentence. */
  readonly note?: string
}

/** The requested model is ambiguous or missing in the repository. */
export class NoChoice extends Error {
  /** The valid tags. */
  readonly tags: readonly string[]

  constructor(reason: string, tags: readonly string[]) {
    super(reason)
    this.tags = tags
  }
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1)
}

/** `""` for a file that is not in a folder. */
export function folderName(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")))
}

/** Licences and model cards, which are kept with any model. */
export function isDocument(path: string): boolean {
  return /^(licen[cs]e|notice|copying|model[_-]?card)([._-].*)?$/i.test(fileName(path))
}

/** Parts of image models published as separate files, by publishers' names for them. */
const COMPONENTS: readonly (readonly [component: string, pattern: RegExp])[] = [
  ["vae", /^(ae|.*[._-]?vae([._-].*)?)\.(safetensors|gguf|sft)$/i],
  ["clip_l", /^clip[_-]?l([._-].*)?\.(safetensors|gguf)$/i],
  ["clip_g", /^clip[_-]?g([._-].*)?\.(safetensors|gguf)$/i],
  ["clip_vision", /^clip[_-]?vision([._-].*)?\.(safetensors|gguf)$/i],
  ["t5xxl", /^(u?mt5|t5)[_-]?xxl([._-].*)?\.(safetensors|gguf)$/i],
]

/** The part of an image model that a file is; `undefined` for any other file. */
export function componentOf(path: string): string | undefined {
  return COMPONENTS.find(([, pattern]) => pattern.test(fileName(path)))?.[0]
}

/** One file for each part of an image model: the smallest, because they are read into memory whole. */
export function chooseComponents(files: readonly RepositoryFile[]): readonly ChosenFile[] {
  return COMPONENTS.flatMap(([component]) => {
    const [smallest] = files
      .filter(({ path }) => componentOf(path) === component)
      .sort((a, b) => a.sizeBytes - b.sizeBytes)
    return smallest === undefined ? [] : [chosen(smallest, "file")]
  })
}

export function chosen(file: RepositoryFile, role: FileRole, name = fileName(file.path)): ChosenFile {
  return { file, name, role, isDocument: isDocument(file.path) }
}
