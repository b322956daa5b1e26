import { resolve } from "node:path"
import type { Settings } from "../../config/resolve"
import { UsageError } from "../../errors/cli"
import { isPath } from "../args/model-path"
import { openStore } from "../models/open-store"
import type { Io } from "../terminal/io"
import { formatBytes, printable, toJson } from "../terminal/output"

export interface AdapterTask {
  /** Its folder, and what messages call it. */
  readonly source: { readonly path: string; readonly shown: string }
  /** The model that it is for, by name or path. */
  readonly base: string | undefined
  readonly out: string | undefined
  readonly dryRun: boolean
  readonly mayReplace: boolean
  readonly wantsJson: boolean
  readonly settings: Settings
  readonly io: Io
  readonly signal: AbortSignal
}

/** Turns a folder with a LoRA adapter into a GGUF. @throws UsageError without its base */
export async function convertAdapter(task: AdapterTask): Promise<void> {
  const { source, base, io, signal, settings } = task
  if (base === undefined)
    throw new UsageError(`'${source.shown}' is a LoRA adapter; name the model that it is for with --base`)
  const [{ adapterBase, planAdapter }, { HfFolder }, { convertToGguf }] = await Promise.all([
    import("../../convert/lora"),
    import("../../convert/source/folder"),
    import("../../convert/convert"),
  ])
  const model = isPath(base) ? resolve(base) : (await (await openStore(settings)).resolve(base)).path
  const folder = await HfFolder.open(source.path, source.shown)
  await using plan = await planAdapter(folder, adapterBase(model))
  const out = resolve(task.out ?? `${folder.name}.gguf`)
  const { architecture, bytes, tensors } = plan
  const facts = { architecture, tensors: tensors.length, bytes }
  if (task.dryRun)
    return io.write(
      task.wantsJson
        ? toJson({ ...facts, out })
        : `adapter for ${architecture}: would write ${printable(out)}, ${formatBytes(bytes)}\n`,
    )
  const paths = await convertToGguf({ plan, out, mayReplace: task.mayReplace, signal })
  if (task.wantsJson) return io.write(toJson({ ...facts, paths }))
  for (const path of paths) io.write(`wrote ${printable(path)}\n`)
}
