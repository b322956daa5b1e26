import { writeSync } from "node:fs"
import type { Device } from "../../domain/device"
import type { TextModelSettings } from "../../domain/settings"
import { ModelLoadFailed } from "../../errors/model"
import { Unsupported } from "../../errors/request"
import { Adapter, applyAdapters } from "../../llama/adapter"
import { Context } from "../../llama/context"
import { Library } from "../../llama/library"
import { Model } from "../../llama/model"
import type { LlamaFiles } from "../../native/llama-files"
import type { LoadedForMeasuring, MeasuredContext } from "../../measure/work"
import { FRAME_START, LOAD_MARK, type WorkerModel } from "../../protocol/messages"
import { loadedParts } from "../attached-parts"
import { gpusForLoad, loadWeights } from "../text/load"

/** The shim writes log and progress frames here. */
const STDERR = 2

/** A model whose speed or answers are measured. */
export interface MeasuredModel {
  readonly name: string
  readonly model: Model
  readonly settings: TextModelSettings
  readonly adapters: readonly { readonly adapter: Adapter; readonly scale: number }[]
  readonly facts: LoadedForMeasuring
}

export function openLibrary(files: LlamaFiles, useGpu: boolean): Library {
  const library = Library.open(files, { useGpu, logDescriptor: STDERR, logLevel: 3 })
  writeSync(STDERR, `${FRAME_START}${LOAD_MARK}\n`)
  return library
}

/** @throws ModelLoadFailed, Unsupported (a model that generates no text) */
export function loadMeasured(
  library: Library,
  source: WorkerModel,
  settings: TextModelSettings,
  gpus: readonly Device[],
): MeasuredModel {
  const { name, path } = source
  const { model, gpuLayers } = loadWeights(library, name, path, settings, gpus)
  if (!model.generatesText) throw new Unsupported(`model '${name}' does not generate text by itself`, "model")
  const adapters = loadedParts(source)
    .filter(({ role }) => role === "adapter")
    .map((part) => {
      const adapter = Adapter.load(model, part.path)
      if (adapter === undefined)
        throw new ModelLoadFailed(name, `llama.cpp refused its adapter '${part.name}'`)
      return { adapter, scale: part.scale ?? 1 }
    })
  return {
    name,
    model,
    settings,
    adapters,
    facts: {
      gpuLayers,
      totalLayers: model.layers + 1,
      devices: gpuLayers > 0 ? gpusForLoad(library, settings).map((gpu) => gpu.name) : ["CPU"],
      vocabularySize: model.vocabulary.size,
      weightBytes: model.sizeBytes,
      trainedContextLength: model.trainedContextLength,
    },
  }
}

/**
 * A context of one sequence for measuring.
 * @param outputs the most tokens per decode with logits
 * @throws ModelLoadFailed where llama.cpp refuses it, usually for lack of memory
 */
export function openContext(
  { name, model, settings, adapters }: MeasuredModel,
  cells: number,
  outputs: number,
  { threads, ...wanted }: MeasuredContext,
): Context {
  const context = Context.create(model, {
    ...settings,
    ...wanted,
    cells,
    outputs,
    layout: "unified",
    sequences: 1,
    decodeThreads: threads,
    prefillThreads: threads,
  })
  if (context === undefined)
    throw new ModelLoadFailed(name, `not enough memory for a context of ${cells} tokens`)
  applyAdapters(context, model, adapters)
  context.createThreads(threads)
  return context
}
