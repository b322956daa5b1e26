import type { SystemReport } from "../../engine/contract"
import { gpusOf } from "../../engine/process/device-probe"
import { asXllmError } from "../../errors/base"
import type { ProfileFacts } from "../../measure/facts"
import { busyBetween, type CpuReading, describeHost, readCpu } from "../../measure/host"
import {
  BENCH_FORMAT,
  type BenchComparison,
  type BenchMemory,
  type BenchModel,
  type BenchQuality,
  type BenchReport,
  type BenchTest,
} from "../../measure/report"
import { reasonsForDoubt } from "../../measure/stability"
import { summarize } from "../../measure/statistics"
import { llamaVersion } from "../../native/llama-version"
import { version } from "../../version"

export type TestFacts = Omit<BenchTest, "samples" | "median" | "mad" | "min" | "max" | "unstable">

/** A time span in which something is measured, to know what else the machine did. */
export interface Watch {
  readonly before: CpuReading | undefined
}

/** Collects what a run measures, so that there is a report at any moment. */
export class Results {
  readonly #host = describeHost()
  readonly #created = new Date().toISOString()
  readonly #models: BenchModel[] = []
  readonly #tests: BenchTest[] = []
  readonly #memory: BenchMemory[] = []
  readonly #compare: BenchComparison[] = []
  readonly #quality: BenchQuality[] = []
  readonly #answers: NonNullable<BenchReport["answers"]> = []
  #profile: ProfileFacts | undefined
  readonly #failures: BenchReport["failures"] = []
  readonly #warnings = new Set<string>()
  readonly #command: readonly string[]
  readonly #seed: number
  #system: SystemReport | undefined
  isInterrupted = false

  /** @param command the command line, without the program */
  constructor(command: readonly string[], seed: number) {
    this.#command = command
    this.#seed = seed
  }

  get load(): number {
    return this.#host.load
  }

  get cores(): number {
    return this.#host.cores
  }

  /** Has everything failed? */
  get isEmpty(): boolean {
    return this.#tests.length + this.#quality.length + this.#answers.length === 0
  }

  machine(system: SystemReport): void {
    this.#system = system
  }

  model(model: BenchModel): void {
    if (!this.#models.some(({ name }) => name === model.name)) this.#models.push(model)
  }

  /** Begins a measurement; give the result to {@link test}. */
  watch(): Watch {
    return { before: readCpu() }
  }

  /** @param threads that the measured work used */
  test(facts: TestFacts, samples: readonly number[], { before }: Watch, threads: number): BenchTest {
    const after = readCpu()
    const busy = before === undefined || after === undefined ? [] : busyBetween(before, after, process.pid)
    const doubts = reasonsForDoubt({ samples, busy, threads, cores: this.cores })
    const test: BenchTest = {
      ...facts,
      samples: [...samples],
      ...summarize(samples),
      ...(doubts.length > 0 && { unstable: [...doubts] }),
    }
    this.#tests.push(test)
    return test
  }

  memory(memory: BenchMemory): void {
    const known = this.#memory.findIndex(({ model }) => model === memory.model)
    if (known === -1) this.#memory.push(memory)
    else this.#memory[known] = { ...this.#memory[known], ...memory }
  }

  comparison(comparison: BenchComparison): void {
    this.#compare.push(comparison)
  }

  quality(quality: BenchQuality): void {
    this.#quality.push(quality)
  }

  answers(prompt: string, answers: readonly { readonly model: string; readonly text: string }[]): void {
    this.#answers.push({ prompt, answers: [...answers] })
  }

  profile(facts: ProfileFacts): void {
    this.#profile = facts
  }

  failure(model: string, error: unknown): void {
    this.#failures.push({ model, error: asXllmError(error).message })
  }

  warn(text: string): void {
    this.#warnings.add(text)
  }

  report(): BenchReport {
    const gpus = gpusOf(this.#system?.devices ?? [])
    return {
      schema: BENCH_FORMAT,
      created: this.#created,
      host: {
        ...this.#host,
        gpus: gpus.map(({ description, totalBytes }) => ({ name: description, memory: totalBytes })),
      },
      engine: {
        xllm: version,
        llama_cpp: llamaVersion(),
        backends: [...new Set((this.#system?.devices ?? []).map(({ backend }) => backend))],
      },
      models: this.#models,
      parameters: { command: [...this.#command], seed: this.#seed },
      tests: this.#tests,
      memory: this.#memory,
      ...(this.#compare.length > 0 && { compare: this.#compare }),
      ...(this.#quality.length > 0 && { quality: this.#quality }),
      ...(this.#answers.length > 0 && { answers: this.#answers }),
      ...(this.#profile !== undefined && { profile: this.#profile }),
      failures: this.#failures,
      warnings: [...this.#warnings],
      interrupted: this.isInterrupted,
    }
  }
}
