import { symlink } from "node:fs/promises"
import { join, resolve } from "node:path"
import type { JobRunner } from "../../convert/output"
import { Unsupported } from "../../errors/request"
import { splitFileName } from "../../formats/gguf/split"
import type { Store } from "../contract"
import type { CreateEvent } from "./create"

export interface WeightMakerOptions {
  readonly store: Store
  /** Absent: nothing can be converted or quantized. */
  readonly runJob: JobRunner | undefined
  readonly signal: AbortSignal | undefined
  readonly report: (event: CreateEvent) => void
}

/** Makes weights for a model that is created, in files that are removed at the end of the scope. */
export class WeightMaker implements AsyncDisposable {
  readonly #options: WeightMakerOptions
  #workspace: (AsyncDisposable & { readonly path: string }) | undefined

  constructor(options: WeightMakerOptions) {
    this.#options = options
  }

  /** The GGUF of a folder from Hugging Face. @throws CannotConvert, InvalidModelFile, DiskFull, the signal's reason */
  async convert(path: string): Promise<string> {
    const { runJob, signal, report } = this.#options
    const [{ planGguf }, { HfFolder }, { convertToGguf }] = await Promise.all([
      import("../../convert/plan"),
      import("../../convert/source/folder"),
      import("../../convert/convert"),
    ])
    report({ type: "status", status: "converting model" })
    await using plan = await planGguf(await HfFolder.open(path))
    for (const message of plan.warnings) report({ type: "warning", message })
    const [made = ""] = await convertToGguf({
      plan,
      out: await this.#place("converted.gguf"),
      ...(runJob !== undefined && { runJob }),
      ...(signal !== undefined && { signal }),
      onProgress: ({ doneBytes, totalBytes, tensor }) =>
        report({ type: "progress", file: tensor, doneBytes, totalBytes }),
    })
    return made
  }

  /** The GGUF of an adapter that PEFT wrote, for a model. @throws CannotConvert, InvalidModelFile, DiskFull */
  async adapter(path: string, base: string): Promise<string> {
    const { signal, report } = this.#options
    const [{ adapterBase, planAdapter }, { HfFolder }, { convertToGguf }] = await Promise.all([
      import("../../convert/lora"),
      import("../../convert/source/folder"),
      import("../../convert/convert"),
    ])
    report({ type: "status", status: "converting adapter" })
    await using plan = await planAdapter(await HfFolder.open(path), adapterBase(base))
    const [made = ""] = await convertToGguf({
      plan,
      out: await this.#place("adapter.gguf"),
      ...(signal !== undefined && { signal }),
    })
    return made
  }

  /** A GGUF with smaller weights, of all files of a model. @throws CannotConvert, Unsupported, DiskFull, the signal's reason */
  async quantize(files: readonly string[], typeName: string): Promise<string> {
    const { runJob, signal, report } = this.#options
    if (runJob === undefined) throw new Unsupported("quantizing is not possible here", "quantize")
    const [{ quantizeGguf }, { findQuantizeType }] = await Promise.all([
      import("../../convert/quantize"),
      import("../../convert/quantize-types"),
    ])
    const type = findQuantizeType(typeName)
    report({ type: "status", status: `quantizing model to ${type.name}` })
    const { paths, fallbacks, tensors } = await quantizeGguf({
      source: await this.#named(files),
      shownAs: "the model",
      out: await this.#place(`${type.name}.gguf`),
      type,
      options: {},
      runJob,
      ...(signal !== undefined && { signal }),
      onProgress: ({ done, total, tensor }) =>
        report({ type: "progress", file: tensor, doneBytes: done, totalBytes: total }),
    })
    if (fallbacks > 0)
      report({
        type: "warning",
        message: `${fallbacks} of ${tensors} tensors have a larger type than ${type.name}, which does not fit them`,
      })
    return paths[0] ?? ""
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workspace?.[Symbol.asyncDispose]()
  }

  /** The first file of a model. Blobs of one in several files get names by which llama.cpp finds them. */
  async #named(files: readonly string[]): Promise<string> {
    const [first = ""] = files
    if (files.length < 2) return first
    const names = files.map((_, index) => splitFileName({ stem: "source", parts: files.length }, index + 1))
    for (const [index, file] of files.entries())
      await symlink(resolve(file), await this.#place(names[index] ?? ""))
    return await this.#place(names[0] ?? "")
  }

  async #place(name: string): Promise<string> {
    this.#workspace ??= await this.#options.store.blobs.openWorkspace()
    return join(this.#workspace.path, name)
  }
}
