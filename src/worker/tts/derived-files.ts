import { constants } from "node:fs"
import { appendFile, copyFile } from "node:fs/promises"
import { join } from "node:path"
import { inflateRawSync } from "node:zlib"
import { encodeMetadata } from "../../formats/onnx/metadata"
import type { FilePart, TtsPlan } from "../../formats/speech/tts-model"
import { derive } from "../derived"

/** Increment when this file changes. */
const RECIPE_VERSION = 1

const MODEL = "model.onnx"
const TOKENS = "tokens.txt"
const VOICES = "voices.bin"

/** Files that the engine loads: the model's own or derived ones. */
export interface TtsFiles {
  readonly model: string
  readonly tokens: string
  readonly voices?: string
}

/**
 * The files of a voice in the form that the engine needs. Missing ones are made in `folder`: a copy of the
 * graph with metadata appended (sharing blocks if the file system supports it), the token table and the table
 * of speakers.
 */
export async function deriveTtsFiles(plan: TtsPlan, folder: string): Promise<TtsFiles> {
  const { model, tokens, voices } = plan
  const own: TtsFiles = {
    model,
    tokens: "path" in tokens ? tokens.path : join(folder, TOKENS),
    ...(voices !== undefined && { voices: "path" in voices ? voices.path : join(folder, VOICES) }),
  }
  if (plan.addedMetadata === undefined && "path" in tokens && (voices === undefined || "path" in voices))
    return own
  await derive(folder, recipeOf(plan), (target) => build(plan, target))
  return plan.addedMetadata === undefined ? own : { ...own, model: join(folder, MODEL) }
}

function recipeOf({ addedMetadata, tokens, voices }: TtsPlan): string {
  const content = JSON.stringify([RECIPE_VERSION, addedMetadata, tokens, voices])
  return Bun.hash.xxHash3(content).toString(16)
}

async function build({ model, addedMetadata, tokens, voices }: TtsPlan, folder: string): Promise<void> {
  if (addedMetadata !== undefined) {
    const copy = join(folder, MODEL)
    await copyFile(model, copy, constants.COPYFILE_FICLONE)
    await appendFile(copy, encodeMetadata(addedMetadata))
  }
  if ("content" in tokens) await Bun.write(join(folder, TOKENS), tokens.content)
  if (voices !== undefined && "parts" in voices)
    for (const part of voices.parts) await appendFile(join(folder, VOICES), await readPart(part))
}

async function readPart({ path, start, size, inflatedBytes, skip }: FilePart): Promise<Uint8Array> {
  const bytes = await Bun.file(path)
    .slice(start, start + size)
    .bytes()
  const content =
    inflatedBytes === undefined ? bytes : inflateRawSync(bytes, { maxOutputLength: inflatedBytes })
  return content.subarray(skip)
}
