import type { MeasuredContext, TimedWork } from "../../measure/work"
import { MeasureProcess } from "../../engine/process/measure-process"
import { kvCellBytes } from "../../engine/residency/estimate"
import { CannotMeasure } from "../../errors/cli"
import { systemMemory } from "../../lib/system/system-memory"
import { inGib } from "../../measure/columns"
import { turnsOf } from "../../measure/paired"
import type { LoadedWith } from "../../measure/report"
import { workerCommand } from "../serve/compose"
import type { RunProgress } from "./progress"
import type { Results } from "./results"
import type { BenchSubject } from "./subject"
import type { Variant } from "./variants"

/** One model, loaded into a process of its own. */
export interface LoadedSubject {
  readonly subject: BenchSubject
  readonly process: MeasureProcess
  /** A test has failed: the others are no longer tried. */
  isBroken: boolean
}

/** Something to time, with the name of its row. */
export interface DirectTest {
  readonly name: string
  readonly kind: "prompt" | "generate"
  readonly tokens: number
  readonly depth: number
}

export interface DirectRun {
  readonly results: Results
  readonly progress: RunProgress
  readonly runtimeFolder: string
  readonly signal: AbortSignal
}

/** Tests as llama-bench names them: `pp512`, `tg128`, `pp512 @ d4096`. */
export function directTests(
  prompts: readonly number[],
  generated: readonly number[],
  depths: readonly number[],
): readonly DirectTest[] {
  return depths.flatMap((depth) => {
    const at = depth === 0 ? "" : ` @ d${depth}`
    const row = (kind: DirectTest["kind"], letters: string) => (tokens: number) =>
      tokens === 0 ? [] : [{ name: `${letters}${tokens}${at}`, kind, tokens, depth }]
    return [...prompts.flatMap(row("prompt", "pp")), ...generated.flatMap(row("generate", "tg"))]
  })
}

/** About how long a test takes, in the unit of {@link RunProgress}. */
export function workOf({ kind, tokens, depth }: DirectTest, repetitions: number): number {
  return repetitions * (kind === "prompt" ? tokens / 4 : tokens) + depth / 4
}

/**
 * Loads the models with so many GPU layers. One that does not load is a failure of its own: the others are still
 * measured.
 */
export async function loadSubjects(
  subjects: readonly BenchSubject[],
  gpuLayers: number | null,
  { results, runtimeFolder, signal, progress }: DirectRun,
): Promise<{ readonly loaded: readonly LoadedSubject[] } & AsyncDisposable> {
  const loaded: LoadedSubject[] = []
  for (const subject of subjects) {
    progress.begin(`loading ${subject.label}`)
    try {
      const settings = { ...subject.settings, gpuLayers }
      const process = await MeasureProcess.load([{ summary: subject.details, settings }], {
        runtimeFolder,
        command: workerCommand("measure"),
        signal,
      })
      loaded.push({ subject, process, isBroken: false })
    } catch (error) {
      signal.throwIfAborted()
      results.failure(subject.label, error)
    }
  }
  return {
    loaded,
    async [Symbol.asyncDispose]() {
      await Promise.all(loaded.map(({ process }) => process[Symbol.asyncDispose]()))
    },
  }
}

/** With the layers that are on GPUs indeed. */
function onDevices(variant: Variant, { process }: LoadedSubject): Variant {
  return { ...variant, gpuLayers: process.facts.models[0]?.gpuLayers ?? variant.gpuLayers }
}

/** Records how long loading took, and the most memory so far. */
export function rememberMemory(models: readonly LoadedSubject[], results: Results): void {
  for (const { subject, process } of models) {
    const { loadMs, memory } = process.facts
    const vram = [memory, ...process.used].flatMap(({ devices }) => devices.map(({ bytes }) => bytes))
    results.memory({
      model: subject.label,
      load_seconds: loadMs / 1000,
      ...(process.peakRamBytes > 0 && { peak_ram: process.peakRamBytes }),
      ...(vram.length > 0 && { vram: vram.reduce((sum, bytes) => sum + bytes, 0) }),
    })
  }
}

/**
 * Times one test of all models. Several take turns, repetition by repetition, so that a change of the machine concerns
 * all of them alike. What was measured before an interruption is kept.
 * @returns the samples of each model, in tokens/s
 */
export async function timeDirectly(
  models: readonly LoadedSubject[],
  variant: Variant,
  test: DirectTest,
  { repetitions, warmup }: { readonly repetitions: number; readonly warmup: number },
  { results, progress, signal }: DirectRun,
): Promise<ReadonlyMap<LoadedSubject, readonly number[]>> {
  const samples = new Map(models.map((model) => [model, [] as number[]]))
  const watch = results.watch()
  const rounds = models.length === 1 ? 1 : repetitions
  for (let round = 0; round < rounds; round++)
    for (const model of turnsOf(models, round)) {
      if (model.isBroken || signal.aborted) continue
      progress.begin(`${test.name} of ${model.subject.label}`)
      const work: TimedWork = { ...test, warmup, repetitions: repetitions / rounds }
      try {
        checkRoom(model.subject, onDevices(variant, model), test.tokens + test.depth)
        await model.process.time(contextOf(variant), work, (nanoseconds) => {
          samples.get(model)?.push((1e9 * test.tokens) / nanoseconds)
          progress.did(workOf(test, 1))
        })
      } catch (error) {
        if (signal.aborted) continue
        model.isBroken = true
        results.failure(model.subject.label, error)
      }
    }
  for (const [{ subject, process }, taken] of samples) {
    if (taken.length === 0) continue
    const facts = {
      model: subject.label,
      name: test.name,
      via: "worker",
      prompt: test.kind === "prompt" ? test.tokens : 0,
      generated: test.kind === "generate" ? test.tokens : 0,
      depth: test.depth,
      concurrency: 1,
      unit: "tokens/s",
      loaded_with: loadedWith(variant, process.facts.models[0]),
    } as const
    results.test(facts, taken, watch, variant.threads)
  }
  signal.throwIfAborted()
  return samples
}

/**
 * Refuses a context that does not fit: its memory is written to when it is made, and the system would end a process for
 * it. On GPUs the backends refuse it themselves.
 * @throws CannotMeasure
 */
export function checkRoom({ details, settings }: BenchSubject, variant: Variant, cells: number): void {
  if (details.kind !== "text" || variant.gpuLayers !== 0) return
  const { kvTypeK, kvTypeV } = variant
  const needed = cells * kvCellBytes(details, { ...settings, kvTypeK, kvTypeV })
  const { availableBytes } = systemMemory()
  if (needed <= availableBytes) return
  throw new CannotMeasure(
    `${cells} tokens need ${inGib(needed)} of KV cache, and ${inGib(availableBytes)} of memory are free`,
  )
}

export function contextOf(variant: Variant): MeasuredContext {
  const { batchTokens, microBatchTokens, threads, flashAttention, kvTypeK, kvTypeV } = variant
  return { batchTokens, microBatchTokens, threads, flashAttention, kvTypeK, kvTypeV }
}

export function loadedWith(
  variant: Variant,
  facts: { readonly devices: readonly string[]; readonly gpuLayers: number } | undefined,
): LoadedWith {
  return {
    backend: facts?.devices.join(",") ?? "",
    threads: variant.threads,
    gpu_layers: facts?.gpuLayers ?? variant.gpuLayers,
    batch: variant.batchTokens,
    ubatch: variant.microBatchTokens,
    flash_attention: variant.flashAttention,
    cache_type_k: variant.kvTypeK,
    cache_type_v: variant.kvTypeV,
  }
}
