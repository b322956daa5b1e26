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

/** A downloaded file, with its name in the model. */
export interface FetchedFile {
  readonly name: string
  readonly role: FileRole
  readonly path: string
  readonly sizeBytes: number
}

/**
 * Determines a model's kind from its files.
 * @param hint what to do where it cannot be used
 * @throws InvalidModelFile for a damaged file or an unknown kind of model; Unsupported for one that stock llama.cpp
 * cannot load
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
 * Inspects a text model's file while only its start is present.
 * @throws Unsupported as soon as it is certain that stock llama.cpp cannot load it
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
    // The header is longer than the part present, or damaged, which the checksum will show.
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
  // Each part of a split model lists its own tensors; everything else that is checked is in the first.
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
