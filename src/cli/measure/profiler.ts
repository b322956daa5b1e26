import { MEASURED_BATCHES } from "../../domain/batch-cost"
import type { TimedWork } from "../../measure/work"
import type { TextModelDetails } from "../../domain/model"
import { MeasureProcess } from "../../engine/process/measure-process"
import { estimateNeed, kvCellBytes } from "../../engine/residency/estimate"
import { systemMemory } from "../../lib/system/system-memory"
import type { ProfileFacts } from "../../measure/facts"
import { median } from "../../measure/statistics"
import { workerCommand } from "../serve/compose"
import { checkRoom, contextOf, type DirectRun, loadedWith } from "./direct"
import { forgetCached } from "./page-cache"
import type { BenchSubject } from "./subject"
import type { Variant } from "./variants"

/** Tokens that are read and generated to find out a speed. */
const READ = 128
const GENERATE = 16

/** Cells of the contexts whose sizes are compared. */
const FEW_CELLS = 512
const MANY_CELLS = 4096

/** Shares of the context at which speeds are measured. */
const DEPTHS = [0, 0.25, 0.5, 0.9] as const

/** A step this deep takes longer than the last one was: attention grows with the depth. */
const SLOWER_DEEPER = 2

export interface ProfileOptions {
  readonly subject: BenchSubject
  readonly details: TextModelDetails
  readonly variant: Variant
  /** The longest conversation, in tokens. */
  readonly contextLength: number
  readonly repetitions: number
  /** For the depths; everything else is short. */
  readonly budgetMs: number
}

interface Speed {
  readonly reading: number
  readonly generating: number
}

/** Finds out what one model costs. Each part is recorded as a test of the report, and returned. */
export class Profiler {
  readonly #options: ProfileOptions
  readonly #run: DirectRun
  readonly notes: string[] = []
  /** Nothing has disturbed a measurement so far. */
  isSteady = true

  constructor(options: ProfileOptions, run: DirectRun) {
    this.#options = options
    this.#run = run
  }

  /** Loads the model after its file was dropped from memory, and once more from memory. */
  async load(): Promise<{ readonly load: ProfileFacts["load"]; readonly process: MeasureProcess }> {
    const { details } = this.#options
    const isCold = forgetCached(details.path)
    let coldMs: number | undefined
    if (isCold) {
      this.#say("loading from disk")
      await using cold = await this.#start()
      coldMs = cold.facts.loadMs
    } else this.notes.push("the cold load was not measured: the system cannot be asked to forget a file")
    this.#say("loading from memory")
    const process = await this.#start()
    const [first = 0] = (
      await process.time(contextOf(this.#options.variant), { ...work("generate", 1, 0, 1), warmup: 0 })
    ).samples
    const load = { warm_ms: process.facts.loadMs, first_token_ms: first / 1e6 }
    return { load: coldMs === undefined ? load : { cold_ms: coldMs, ...load }, process }
  }

  async memory(process: MeasureProcess): Promise<ProfileFacts["memory"]> {
    this.#say("measuring memory")
    const { details, subject, variant } = this.#options
    const context = contextOf(variant)
    const many = Math.min(MANY_CELLS, Math.max(2 * FEW_CELLS, this.#options.contextLength))
    const few = total(await process.contextMemory(context, FEW_CELLS))
    const more = total(await process.contextMemory(context, many))
    const used = total((await process.time(context, work("prompt", FEW_CELLS, 0, 1))).memory)
    const perCell = Math.max(0, more - few) / (many - FEW_CELLS)
    const settings = { ...subject.settings, kvTypeK: variant.kvTypeK, kvTypeV: variant.kvTypeV, slots: 1 }
    const need = estimateNeed(details, settings, { freeBytes: systemMemory().availableBytes })
    return {
      weights: total(process.facts.memory),
      kv_per_1k_tokens: perCell * 1024,
      compute: Math.max(0, Math.max(used, few) - perCell * FEW_CELLS),
      estimated: {
        weights: need.layerBytes * need.layers,
        kv_per_1k_tokens: kvCellBytes(details, settings) * 1024,
        compute: need.computeBytes,
      },
      devices: process.facts.memory.devices.map(({ name, bytes }) => ({ name, bytes })),
    }
  }

  /** Speeds by how full the context is. Those that would take too long are left out, with a note. */
  async depths(process: MeasureProcess): Promise<ProfileFacts["depths"]> {
    const { contextLength, budgetMs } = this.#options
    const endsAt = performance.now() + budgetMs
    const rows: ProfileFacts["depths"] = []
    for (const share of DEPTHS) {
      const depth = Math.floor(share * contextLength)
      const onDevices = { ...this.#options.variant, gpuLayers: process.facts.models[0]?.gpuLayers ?? null }
      checkRoom(this.#options.subject, onDevices, depth + READ)
      const last = rows.at(-1)
      const more = last === undefined ? 0 : depth - last.depth
      const expectedMs = last === undefined ? 0 : (SLOWER_DEEPER * 1000 * more) / last.reading
      if (performance.now() + expectedMs > endsAt) {
        this.notes.push(
          `depths from ${depth} tokens on were left out: they would have taken longer than the --budget`,
        )
        break
      }
      rows.push({ depth, ...(await this.#speed(process, this.#options.variant, depth, ` @ d${depth}`)) })
    }
    return rows
  }

  async threads(process: MeasureProcess): Promise<ProfileFacts["threads"]> {
    const rows: ProfileFacts["threads"] = []
    for (const threads of threadCounts(this.#run.results.cores, this.#options.variant.threads))
      rows.push({
        threads,
        ...(await this.#speed(process, { ...this.#options.variant, threads }, 0, ` t${threads}`)),
      })
    return rows
  }

  /** Speeds with no, half, and all layers on GPUs; empty without GPUs. */
  async gpuLayers(process: MeasureProcess): Promise<ProfileFacts["gpuLayers"]> {
    const [facts] = process.facts.models
    if (facts === undefined || process.facts.gpus.length === 0) return []
    const rows: ProfileFacts["gpuLayers"] = []
    for (const layers of [0, Math.floor(facts.totalLayers / 2), facts.totalLayers]) {
      this.#say(`loading with ${layers} layers on GPUs`)
      await using loaded = await this.#start(layers)
      rows.push({ layers, ...(await this.#speed(loaded, this.#options.variant, 0, ` ngl${layers}`)) })
    }
    return rows
  }

  async batchCosts(process: MeasureProcess): Promise<ProfileFacts["batchCosts"]> {
    const rows: ProfileFacts["batchCosts"] = []
    for (const tokens of MEASURED_BATCHES) {
      const name = `batch ${tokens}`
      const samples = await this.#samples(
        process,
        this.#options.variant,
        work("batch", tokens, 0, this.#options.repetitions),
        name,
      )
      rows.push({ tokens, ms: median(samples) / 1e6 })
    }
    return rows
  }

  async #speed(process: MeasureProcess, variant: Variant, depth: number, suffix: string): Promise<Speed> {
    const { repetitions, contextLength } = this.#options
    // A small context has no room for more.
    const room = Math.max(1, Math.min(READ, contextLength - depth - 1))
    const generate = Math.max(1, Math.min(GENERATE, contextLength - depth - 1))
    const reading = await this.#samples(
      process,
      variant,
      work("prompt", room, depth, repetitions),
      `pp${room}${suffix}`,
    )
    const generating = await this.#samples(
      process,
      variant,
      work("generate", generate, depth, repetitions),
      `tg${generate}${suffix}`,
    )
    return { reading: (1e9 * room) / median(reading), generating: (1e9 * generate) / median(generating) }
  }

  /** Nanoseconds; also a row of the report. */
  async #samples(
    process: MeasureProcess,
    variant: Variant,
    wanted: TimedWork,
    name: string,
  ): Promise<readonly number[]> {
    this.#say(name)
    const { results, progress } = this.#run
    const watch = results.watch()
    const { samples } = await process.time(contextOf(variant), wanted, () => progress.did(1))
    const isPrompt = wanted.kind !== "generate"
    const { unstable } = results.test(
      {
        model: this.#options.subject.label,
        name,
        via: "worker",
        prompt: isPrompt ? wanted.tokens : 0,
        generated: isPrompt ? 0 : wanted.tokens,
        depth: wanted.depth,
        concurrency: 1,
        unit: "tokens/s",
        loaded_with: loadedWith(variant, process.facts.models[0]),
      },
      samples.map((nanoseconds) => (1e9 * wanted.tokens) / nanoseconds),
      watch,
      variant.threads,
    )
    if (unstable !== undefined) this.isSteady = false
    return samples
  }

  #start(gpuLayers = this.#options.variant.gpuLayers): Promise<MeasureProcess> {
    const { details, subject } = this.#options
    const { runtimeFolder, signal } = this.#run
    return MeasureProcess.load([{ summary: details, settings: { ...subject.settings, gpuLayers } }], {
      runtimeFolder,
      command: workerCommand("measure"),
      signal,
    })
  }

  #say(text: string): void {
    this.#run.progress.begin(`${text}, ${this.#options.subject.label}`)
  }
}

/** About how many repetitions there are, for the time left. */
export function profileWork(cores: number, repetitions: number): number {
  return repetitions * (2 * DEPTHS.length + 2 * threadCounts(cores, cores).length + MEASURED_BATCHES.length)
}

/** Up to eight counts from one thread to all, and those that are used anyway. */
export function threadCounts(cores: number, usual: number): readonly number[] {
  const all = Array.from({ length: cores }, (_, index) => index + 1)
  const few = cores <= 8 ? all : all.filter((count) => count % Math.ceil(cores / 8) === 0)
  return [...new Set([...few, Math.min(usual, cores), cores])].sort((a, b) => a - b)
}

/** What reading and generating a whole context takes, from the speeds at some depths; and the rest of the line beyond. */
export function conversationSeconds(depths: ProfileFacts["depths"], contextLength: number): number {
  let seconds = 0
  for (const [index, { depth, reading }] of depths.entries()) {
    const next = depths[index + 1]
    const end = next?.depth ?? contextLength
    const speed = next === undefined ? reading : (reading + next.reading) / 2
    seconds += (end - depth) / speed
  }
  return seconds
}

function work(kind: TimedWork["kind"], tokens: number, depth: number, repetitions: number): TimedWork {
  return { kind, tokens, depth, warmup: 1, repetitions }
}

function total({ ramBytes, devices }: { ramBytes: number; devices: readonly { bytes: number }[] }): number {
  return devices.reduce((sum, { bytes }) => sum + bytes, ramBytes)
}
