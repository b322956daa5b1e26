import type { Digest, FileRole } from "../../managed/manifest"

/** A file of a repository, as its listing describes it. */
export interface RepositoryFile {
  /** With `/` between folders. */
  readonly path: string
  readonly sizeBytes: number
  /** Of large files. */
  readonly digest: Digest | undefined
  /** What git calls the content, hex. */
  readonly gitOid: string | undefined
}

/** A file that a model consists of. */
export interface ChosenFile {
  readonly file: RepositoryFile
  /** What it is called in the model. */
  readonly name: string
  readonly role: FileRole
  readonly isDocument: boolean
}

/** Which files of a repository are the model that was asked for. */
export interface FileChoice {
  readonly files: readonly ChosenFile[]
  /** Why these, where somebody may have expected others; a sentence. */
  readonly note?: string
}

/** What a repository has was asked for ambiguously, or not found in it. */
export class NoChoice extends Error {
  /** What may be written behind the colon. */
  readonly tags: readonly string[]

  constructor(reason: string, tags: readonly string[]) {
    super(reason)
    this.tags = tags
  }
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1)
}

/** `""` for what is not in a folder. */
export function folderName(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")))
}

/** Licences and model cards: they go with the model, whatever it consists of. */
export function isDocument(path: string): boolean {
  return /^(licen[cs]e|notice|copying|model[_-]?card)([._-].*)?$/i.test(fileName(path))
}

/** Parts of painters that are published as files of their own, by what publishers call them. */
const COMPONENTS: readonly (readonly [component: string, pattern: RegExp])[] = [
  ["vae", /^(ae|.*[._-]?vae([._-].*)?)\.(safetensors|gguf|sft)$/i],
  ["clip_l", /^clip[_-]?l([._-].*)?\.(safetensors|gguf)$/i],
  ["clip_g", /^clip[_-]?g([._-].*)?\.(safetensors|gguf)$/i],
  ["clip_vision", /^clip[_-]?vision([._-].*)?\.(safetensors|gguf)$/i],
  ["t5xxl", /^(u?mt5|t5)[_-]?xxl([._-].*)?\.(safetensors|gguf)$/i],
]

/** Which part of a painter a file is; `undefined` for what is no such part. */
export function componentOf(path: string): string | undefined {
  return COMPONENTS.find(([, pattern]) => pattern.test(fileName(path)))?.[0]
}

/** One file for each part of a painter: the smallest, because they are read whole into memory. */
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
