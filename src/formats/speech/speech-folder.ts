import { dirname } from "node:path"
import { reasonOf } from "../../errors/base"
import { InvalidModelFile } from "../../errors/model"
import { findExcess } from "../../lib/json-shape"
import { formatSize } from "../../lib/text/bytes"
import { MODEL_JSON_SHAPE } from "../../limits"
import type { ModelFolder, ModelFolderFile } from "../model-folder"
import { type OnnxModel, readOnnx } from "../onnx/read"

/** Token tables and tokenizers are far smaller. */
const MOST_TEXT_BYTES = 32 * 1024 ** 2

/** The files of a model for the recognition rules; each ONNX file is read once. */
export class SpeechFolder {
  readonly files: readonly ModelFolderFile[]
  readonly #graphs = new Map<string, Promise<OnnxModel>>()

  constructor({ files }: ModelFolder) {
    this.files = files
  }

  /** The file with that name, relative to the model. */
  named(name: string): ModelFolderFile | undefined {
    return this.files.find((file) => file.name === name)
  }

  /** Files whose base name matches, those nearest to the top first. */
  matching(pattern: RegExp): ModelFolderFile[] {
    const depth = ({ name }: ModelFolderFile) => name.split("/").length
    return this.files
      .filter(({ name }) => pattern.test(baseName(name)))
      .toSorted((left, right) => depth(left) - depth(right))
  }

  /** espeak-ng's data in the model folder, if any. */
  get espeakData(): { readonly ownData?: string } {
    const [phontab] = this.matching(/^phontab$/)
    return phontab === undefined ? {} : { ownData: dirname(phontab.path) }
  }

  get graphs(): ModelFolderFile[] {
    return this.matching(/\.onnx$/i)
  }

  /** @throws InvalidModelFile if it is not an ONNX file */
  graph({ path }: ModelFolderFile): Promise<OnnxModel> {
    const known = this.#graphs.get(path) ?? readOnnx(path)
    this.#graphs.set(path, known)
    return known
  }

  /** @throws InvalidModelFile if it is too large */
  async text({ path, sizeBytes }: ModelFolderFile): Promise<string> {
    if (sizeBytes > MOST_TEXT_BYTES)
      throw new InvalidModelFile(
        path,
        `it is ${formatSize(sizeBytes)} long, more than ${formatSize(MOST_TEXT_BYTES)}`,
      )
    return await Bun.file(path).text()
  }

  /** Text to parse as JSON. @throws InvalidModelFile if parsing would take too long */
  async jsonText(file: ModelFolderFile): Promise<string> {
    const text = await this.text(file)
    const excess = await findExcess(new TextEncoder().encode(text), MODEL_JSON_SHAPE)
    if (excess === undefined) return text
    throw new InvalidModelFile(file.path, `it has more than ${MODEL_JSON_SHAPE[excess]} ${excess}`)
  }

  /** @throws InvalidModelFile if it is not JSON */
  async json(file: ModelFolderFile): Promise<unknown> {
    const text = await this.jsonText(file)
    try {
      return JSON.parse(text)
    } catch (error) {
      const words = reasonOf(error)
      throw new InvalidModelFile(file.path, `it is not JSON: ${words}`)
    }
  }

  get parts(): { readonly name: string; readonly sizeBytes: number }[] {
    return this.files.map(({ name, sizeBytes }) => ({ name, sizeBytes }))
  }
}

/** A file name without folders. */
export function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1)
}

/** The folder of a file, with a trailing `/`; empty at the top. */
export function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1)
}

/** The field of an object; `undefined` if it is not an object. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name] // an object, as checked above
    : undefined
}
