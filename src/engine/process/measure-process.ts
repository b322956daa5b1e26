import type { ModelSummary } from "../../domain/model"
import type { TextModelSettings } from "../../domain/settings"
import { fromWire, InternalError } from "../../errors/base"
import { WorkerCrashed } from "../../errors/engine"
import { Cancelled } from "../../errors/request"
import { PushStream } from "../../lib/async/push-stream"
import type { MeasuredContext, MeasuredMemory, TimedWork, WindowScores } from "../../measure/work"
import type { FromMeasureWorker, ToMeasureWorker } from "../../protocol/measure"
import { DEFAULT_TIMEOUTS } from "./timeouts"
import { WorkerChild, workerEnvironment } from "./worker-child"

export interface MeasureOptions {
  readonly runtimeFolder: string
  /** The command line of a measuring worker. */
  readonly command: readonly string[]
  /** Ends the process. */
  readonly signal: AbortSignal
}

/** A model to measure, and what it is loaded with. */
export interface MeasuredSubject {
  readonly summary: ModelSummary
  readonly settings: TextModelSettings
}

type Answer<T extends FromMeasureWorker["type"]> = Extract<FromMeasureWorker, { readonly type: T }>
export type LoadedAnswer = Answer<"loaded">

/** What a piece of work took. */
export interface TimedResult {
  /** One for each repetition, in nanoseconds. */
  readonly samples: readonly number[]
  readonly memory: MeasuredMemory
  readonly peakRamBytes: number
}

/**
 * A process that measures one model, or two side by side, without a server's scheduling and sampling. Every method
 * throws a WorkerCrashed where the process dies, and Cancelled once the signal is aborted.
 */
export class MeasureProcess implements AsyncDisposable {
  readonly #child: WorkerChild<ToMeasureWorker, FromMeasureWorker>
  readonly #name: string
  readonly #signal: AbortSignal
  readonly #onAbort: () => void
  #answers = new PushStream<FromMeasureWorker>()
  loaded: LoadedAnswer | undefined
  /** The most resident memory that it has had. */
  peakRamBytes = 0
  /** The largest growth of memory during a piece of work. */
  #largest: MeasuredMemory | undefined

  private constructor(name: string, { command, signal }: MeasureOptions) {
    this.#name = name
    this.#signal = signal
    this.#child = new WorkerChild(command, DEFAULT_TIMEOUTS, {
      message: (message) => this.#answers.push(message),
      line: () => {},
      ended: ({ how, lastLines }) =>
        this.#answers.fail(signal.aborted ? new Cancelled() : new WorkerCrashed(name, how, lastLines)),
    })
    this.#onAbort = () => this.#child.kill()
    signal.addEventListener("abort", this.#onAbort)
    if (signal.aborted) this.#child.kill()
  }

  /** @throws what a worker's load throws */
  static async load(subjects: readonly MeasuredSubject[], options: MeasureOptions): Promise<MeasureProcess> {
    const name = subjects.map(({ summary }) => summary.name).join("' and '")
    const made = new MeasureProcess(name, options)
    try {
      made.#child.send({
        type: "load",
        environment: workerEnvironment(options.runtimeFolder),
        models: subjects.map(({ summary: { name, id, kind, path, parts }, settings }) => ({
          model: { name, id, kind, path, derivedFolder: "", ...(parts !== undefined && { parts }) },
          settings,
        })),
      })
      const answer = await made.#next()
      if (answer.type !== "loaded") throw new InternalError(`a measuring worker answered ${answer.type}`)
      made.loaded = answer
      return made
    } catch (error) {
      await made[Symbol.asyncDispose]()
      throw error
    }
  }

  get facts(): LoadedAnswer {
    if (this.loaded === undefined) throw new InternalError("nothing is loaded")
    return this.loaded
  }

  /** The memory that work took beside the weights; empty before any. */
  get used(): readonly MeasuredMemory[] {
    return this.#largest === undefined ? [] : [this.#largest]
  }

  /** Times some work. `onSample` is called after each repetition. */
  async time(
    context: MeasuredContext,
    work: TimedWork,
    onSample: (nanoseconds: number) => void = () => {},
  ): Promise<TimedResult> {
    this.#send({ type: "time", context, work })
    const samples: number[] = []
    const { memory, peakRamBytes } = await this.#untilFinished((answer) => {
      if (answer.type !== "sample") return
      samples.push(answer.nanoseconds)
      onSample(answer.nanoseconds)
    })
    return { samples, memory, peakRamBytes }
  }

  /** The memory of a context with so many cells. */
  async contextMemory(context: MeasuredContext, cells: number): Promise<MeasuredMemory> {
    this.#send({ type: "context", context, cells })
    return (await this.#untilFinished(() => {})).memory
  }

  /** Scores a text's windows in all models; `onWindow` gets one entry for each model. */
  async score(
    context: MeasuredContext,
    text: string,
    windowTokens: number,
    onWindow: (scores: readonly WindowScores[], index: number, windows: number) => void,
  ): Promise<void> {
    this.#send({ type: "score", context, text, windowTokens })
    await this.#untilFinished((answer) => {
      if (answer.type === "window") onWindow(answer.scores, answer.index, answer.windows)
    })
  }

  #send(message: ToMeasureWorker): void {
    this.#child.send(message)
  }

  async #untilFinished(visit: (answer: FromMeasureWorker) => void): Promise<Answer<"finished">> {
    for (;;) {
      const answer = await this.#next()
      if (answer.type === "finished") {
        this.peakRamBytes = Math.max(this.peakRamBytes, answer.peakRamBytes)
        if (sizeOf(answer.memory) >= sizeOf(this.#largest)) this.#largest = answer.memory
        return answer
      }
      visit(answer)
    }
  }

  async #next(): Promise<FromMeasureWorker> {
    const { value, done } = await this.#answers.next()
    if (done === true)
      throw this.#signal.aborted ? new Cancelled() : new WorkerCrashed(this.#name, "ended", [])
    if (value.type === "failed") throw fromWire(value.error)
    return value
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#onAbort)
    this.#child.kill()
    await this.#child.ended
  }
}

function sizeOf(memory: MeasuredMemory | undefined): number {
  return memory === undefined ? -1 : memory.devices.reduce((sum, { bytes }) => sum + bytes, memory.ramBytes)
}
