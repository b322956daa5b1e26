import { constants } from "node:fs"
import { copyFile, link } from "node:fs/promises"
import { basename, join } from "node:path"
import type { AsrPlan, FileContents, FileSource } from "../../formats/speech/asr-model"
import { derive } from "../derived"

/** Increment when this file, or the output of formats/speech, changes. */
const RECIPE_VERSION = 2

/** Paths of an ASR model's files by configuration field of its family, and of the token table. */
export interface AsrFiles {
  readonly fields: Readonly<Record<string, string>>
  readonly tokens: string
}

/**
 * The files of an ASR model in the form that the engine needs. Missing ones are made in `folder`; weights
 * that a graph there refers to are hard-linked beside it, because ONNX Runtime reads none from elsewhere, or
 * copied if the file system has no hard links. `inBytes`: the form that computes with bytes, if there is one.
 */
export async function deriveAsrFiles(plan: AsrPlan, folder: string, inBytes: boolean): Promise<AsrFiles> {
  const { files, beside } = (inBytes ? plan.int8 : undefined) ?? { files: plan.files, beside: [] }
  const sources = [...Object.values(files), ...beside, plan.tokens]
  const names = sources.flatMap((source) => ("make" in source ? [source.name] : []))
  if (names.length > 0) {
    const recipe = JSON.stringify([RECIPE_VERSION, plan.family, names, plan.linked])
    await derive(folder, recipe, (target) => build(plan, sources, target))
  }
  const pathOf = (source: FileSource): string => ("make" in source ? join(folder, source.name) : source.path)
  return {
    fields: Object.fromEntries(Object.entries(files).map(([field, source]) => [field, pathOf(source)])),
    tokens: pathOf(plan.tokens),
  }
}

async function build(plan: AsrPlan, sources: readonly FileSource[], target: string): Promise<void> {
  for (const source of sources) if ("make" in source) await write(join(target, source.name), source.make())
  for (const path of plan.linked) await linkOrCopy(path, join(target, basename(path)))
}

async function write(path: string, contents: FileContents): Promise<void> {
  if (contents instanceof Promise) {
    await Bun.write(path, await contents)
    return
  }
  const file = Bun.file(path).writer()
  for await (const part of contents) {
    file.write(part)
    await file.flush()
  }
  await file.end()
}

async function linkOrCopy(path: string, target: string): Promise<void> {
  try {
    await link(path, target)
  } catch {
    // Another file system, or one without hard links.
    await copyFile(path, target, constants.COPYFILE_FICLONE)
  }
}
