import type { ModelKind } from "../../domain"
import { InvalidModelFile, Unsupported } from "../../errors"
import { peekGgufKind, readGgufHeader } from "../../formats/gguf/read"
import type { ModelFolder } from "../../formats/model-folder"
import { recognizeSpeech } from "../../formats/speech/recognize"
import type { FileRole } from "../manifest"
import { llamaObstacle } from "./stock-llama"

/** A file that is there, under the name that it has in the model. */
export interface FetchedFile {
  readonly name: string
  readonly role: FileRole
  readonly path: string
  readonly sizeBytes: number
}

/** Far more than the two keys that writers put first. */
const HEAD_BYTES = 64 * 1024

/**
 * What kind of model the files are, from the files themselves.
 * @param hint what to do where it cannot be used
 * @throws InvalidModelFile for a file that is damaged, and for what is no model that is known; Unsupported for one
 * that llama.cpp as it is cannot load
 */
export async function identify(
  files: readonly FetchedFile[],
  label: string,
  hint: string | undefined,
): Promise<ModelKind> {
  const model = files.find(({ role }) => role === "model")
  if (model !== undefined) return await identifyGguf(model, label, hint)
  const folder: ModelFolder = { files: [...files].sort((a, b) => (a.name < b.name ? -1 : 1)) }
  const speech = await recognizeSpeech(folder)
  if (speech !== undefined) return speech.kind
  throw new InvalidModelFile(
    label,
    `none of its ${files.length} files is a model of a kind that is known here`,
  )
}

async function identifyGguf(
  { path }: FetchedFile,
  label: string,
  hint: string | undefined,
): Promise<ModelKind> {
  const kind = peekGgufKind(await Bun.file(path).slice(0, HEAD_BYTES).bytes())
  if (kind === undefined) throw new InvalidModelFile(label, "what was downloaded is not a GGUF file")
  // Parts of a split model name their tensors each for themselves; the rest of what is checked is in the first.
  const obstacle = llamaObstacle(readGgufHeader(path))
  if (obstacle !== undefined)
    throw new Unsupported(`${label} cannot be loaded: ${obstacle}${hint === undefined ? "" : `; ${hint}`}`)
  return "text"
}
