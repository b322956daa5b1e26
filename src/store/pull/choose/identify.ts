import type { ModelKind } from "../../../domain/model"
import { InvalidModelFile } from "../../../errors/model"
import { Unsupported } from "../../../errors/request"
import { readGgufHeader } from "../../../formats/gguf/read"
import type { GgufHeader } from "../../../formats/gguf/types"
import { recognizeImageModel } from "../../../formats/image/recognize"
import type { ModelFolder } from "../../../formats/model-folder"
import { recognizeSpeech } from "../../../formats/speech/recognize"
import type { FileRole } from "../../managed/manifest"
import { llamaObstacle } from "./stock-llama"

/** A file that is there, under the name that it has in the model. */
export interface FetchedFile {
  readonly name: string
  readonly role: FileRole
  readonly path: string
  readonly sizeBytes: number
}

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
  const folder: ModelFolder = { files: [...files].sort((a, b) => (a.name < b.name ? -1 : 1)) }
  const model = files.find(({ role }) => role === "model")
  const speech = model === undefined ? await recognizeSpeech(folder) : undefined
  if (speech !== undefined) return speech.kind
  if ((await recognizeImageModel(folder)) !== undefined) return "image"
  if (model !== undefined) return identifyText(model, label, hint)
  throw new InvalidModelFile(label, `none of its ${files.length} files is a supported model`)
}

/**
 * Looks at a text model's file of which only the start is there.
 * @throws Unsupported as soon as it is certain that llama.cpp as it is cannot load it
 */
export function inspectStart(
  {
    path,
    sizeBytes,
    prefixBytes,
  }: { readonly path: string; readonly sizeBytes: number; readonly prefixBytes: number },
  label: string,
  hint: string | undefined,
): void {
  let header: GgufHeader
  try {
    header = readGgufHeader(path, { finalBytes: sizeBytes })
  } catch (error) {
    // Its header is longer than what is there, or damaged, which its checksum will tell.
    if (error instanceof InvalidModelFile) return
    throw error
  }
  if (header.dataOffset <= prefixBytes) checkLoadable(header, label, hint)
}

function checkLoadable(header: GgufHeader, label: string, hint: string | undefined): void {
  const obstacle = llamaObstacle(header)
  if (obstacle === undefined) return
  throw new Unsupported(`${label} cannot be loaded: ${obstacle}${hint === undefined ? "" : `; ${hint}`}`)
}

function identifyText({ path }: FetchedFile, label: string, hint: string | undefined): ModelKind {
  // Parts of a split model name their tensors each for themselves; the rest of what is checked is in the first.
  checkLoadable(readHeader(path, label), label, hint)
  return "text"
}

function readHeader(path: string, label: string): GgufHeader {
  try {
    return readGgufHeader(path)
  } catch (error) {
    if (error instanceof InvalidModelFile) throw new InvalidModelFile(label, error.reason)
    throw error
  }
}
