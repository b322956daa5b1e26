import { tmpdir } from "node:os"
import { join } from "node:path"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type {
  FinishReason,
  GenerationEvent,
  GenerationRequest,
  PartStart,
  RenderedPrompt,
  TokenLogprob,
} from "../../../src/domain/chat"
import type {
  DiskUsage,
  LoadedModelInfo,
  LoadedTextInfo,
  WorkerCounters,
} from "../../../src/domain/loaded-model"
import type { ModelDefaults, ModelKind } from "../../../src/domain/model"
import type { KvLayout, KvPlan, TextModelSettings } from "../../../src/domain/settings"
import type { SlotRequest, SlotResult } from "../../../src/domain/slots"
import { toLoadSettings } from "../../../src/engine/model-kinds"
import { DEFAULT_TIMEOUTS } from "../../../src/engine/process/timeouts"
import { WorkerChild, workerEnvironment } from "../../../src/engine/process/worker-child"
import { fromWire, type XllmError } from "../../../src/errors/base"
import type { FromTextWorker, KvState, MemoryGrant, ToTextWorker } from "../../../src/protocol/messages"
import {
  decodeRendered,
  encodeDefaults,
  encodeRequest,
  EventReader,
  type RequestEvent,
} from "../../../src/protocol/wire"
import { BUILT_IN_SETTINGS } from "../built-in-settings"
import { kvPlanOf } from "./kv-plan"

/** The command that starts a real worker from the sources. */
export function realWorkerCommand(kind: ModelKind | "probe"): readonly string[] {
  return [process.execPath, join(import.meta.dir, "../../../src/index.ts"), "worker", kind]
}

/**
 * For tests that compare numbers: nothing is rounded except by the arithmetic itself. One thread, because several
 * synchronise at every operation, which is very slow when other tests keep the cores busy.
 */
export const EXACT_SETTINGS: TextModelSettings = {
  ...toLoadSettings(BUILT_IN_SETTINGS),
  decodeThreads: 1,
  prefillThreads: 1,
  gpuLayers: 0,
  kvTypeK: "f32",
  kvTypeV: "f32",
  flashAttention: "off",
  // Tests count steps.
  speculation: "off",
}

export const LAYOUTS: readonly KvLayout[] = ["split", "unified"]

type EventOf<T extends GenerationEvent["type"]> = Extract<GenerationEvent, { readonly type: T }>

/** A whole part of an answer. */
export type AnswerPart = PartStart & { readonly text: string }

/** One request in a real worker, and its events. */
export class Run {
  readonly id: number
  readonly events: GenerationEvent[] = []
  error: XllmError | undefined
  /** Resolves when the request has ended, even with an error. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #waiters: { readonly wants: () => boolean; readonly resolve: () => void }[] = []

  constructor(id: number) {
    this.id = id
    this.over = this.#over.promise
  }

  take(entry: RequestEvent<GenerationEvent>): void {
    if ("error" in entry) this.error = fromWire(entry.error)
    else this.events.push(entry.event)
    for (const waiter of this.#waiters) if (waiter.wants()) waiter.resolve()
    if ("error" in entry || entry.event.type === "done") this.#over.resolve()
  }

  /** Waits until `count` tokens have been emitted, for all choices together. */
  async tokens(count: number): Promise<void> {
    await this.#until(() => this.shown >= count)
  }

  async first(type: GenerationEvent["type"]): Promise<void> {
    await this.#until(() => this.events.some((event) => event.type === type))
  }

  #until(wants: () => boolean): Promise<void> {
    if (wants()) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push({ wants, resolve })
    return promise
  }

  get isOver(): boolean {
    return this.error !== undefined || this.events.some(({ type }) => type === "done")
  }

  get shown(): number {
    return this.#of("delta").reduce((sum, event) => sum + event.tokens, 0)
  }

  text(choice = 0): string {
    return this.#textEvents(choice)
      .map((event) => event.text)
      .join("")
  }

  /** The parts of an answer. @throws where they are not one after another */
  parts(choice = 0): readonly AnswerPart[] {
    const parts: (PartStart & { text: string })[] = []
    let open: (PartStart & { text: string }) | undefined
    for (const event of this.events) {
      if (!("choice" in event) || event.choice !== choice) continue
      if (event.type === "part-start") {
        if (open !== undefined) throw new Error("a part begins within another")
        const { type: _, choice: __, ...start } = event
        parts.push((open = { ...start, text: "" }))
      } else if (event.type === "delta") {
        if (open?.part !== event.part) throw new Error("text outside its part")
        open.text += event.text
      } else if (event.type === "part-end") open = undefined
    }
    if (open !== undefined) throw new Error("a part has no end")
    return parts
  }

  /** The text of an answer, apart from what it thinks and its calls. */
  said(choice = 0): string {
    return this.parts(choice)
      .filter(({ part }) => part === "text")
      .map(({ text }) => text)
      .join("")
  }

  /** The calls of an answer. */
  calls(choice = 0): readonly Extract<AnswerPart, { part: "tool-call" }>[] {
    return this.parts(choice).filter((part) => part.part === "tool-call")
  }

  logprobs(choice = 0): TokenLogprob[] {
    return this.#textEvents(choice).flatMap((event) => event.logprobs ?? [])
  }

  get prompt(): EventOf<"prompt"> {
    return only(this.#of("prompt"))
  }

  get progress(): readonly EventOf<"progress">[] {
    return this.#of("progress")
  }

  finish(choice = 0): EventOf<"finish"> {
    return only(this.#of("finish").filter((event) => event.choice === choice))
  }

  get reason(): FinishReason {
    return this.finish().reason
  }

  get done(): EventOf<"done"> {
    if (this.error !== undefined) throw this.error
    return only(this.#of("done"))
  }

  #textEvents(choice: number): EventOf<"delta">[] {
    return this.#of("delta").filter((event) => event.choice === choice)
  }

  #of<T extends GenerationEvent["type"]>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type)
  }
}

function only<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined || items.length !== 1) throw new Error(`expected one event, got ${items.length}`)
  return item
}

type MemoryRequest = Extract<FromTextWorker, { type: "memory-request" }>

type StepMessage = Extract<FromTextWorker, { type: "step" }>

/** A decoded step, with the counters that a text worker always reports. */
export interface Step extends Omit<StepMessage, "events" | "counters"> {
  readonly counters: WorkerCounters
  readonly events: readonly RequestEvent<GenerationEvent>[]
  /** When it was received; `performance.now()`. */
  readonly at: number
}

export interface RealWorkerOptions {
  /** The model's own defaults. */
  readonly defaults?: ModelDefaults
  /** The files attached to its weights. */
  readonly parts?: readonly AttachedPart[]
  readonly settings?: Partial<TextModelSettings>
  /** The plan of its KV cache; absent: the engine's for a machine that nothing else runs on, `null`: none. */
  readonly kv?: KvPlan | null
  readonly templateTimeoutMs?: number
  /** The server's answer to a request for memory; absent: all is granted. */
  readonly grant?: (request: MemoryRequest) => MemoryGrant | Promise<MemoryGrant>
  /** Environment variables in addition to this process's. */
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * A real text worker, driven as by the engine: its output can be inspected step by step. Its process ends with the
 * scope.
 */
export class RealWorker implements AsyncDisposable {
  readonly info: LoadedTextInfo
  /** What it reported about prompts on disk, in order. */
  readonly disk: DiskUsage[] = []
  /** Its log lines of that level, after the load. */
  readonly errors: string[] = []
  /** All reported steps, in order. */
  readonly steps: Step[] = []
  /** The KV caches it reported after its load, in order. */
  readonly caches: KvState[] = []
  readonly memoryRequests: MemoryRequest[] = []
  readonly #grant: NonNullable<RealWorkerOptions["grant"]>
  readonly #child: WorkerChild<ToTextWorker, FromTextWorker>
  readonly #events = new EventReader<GenerationEvent>()
  readonly #runs = new Map<number, Run>()
  readonly #rendered = new Map<number, PromiseWithResolvers<RenderedPrompt>>()
  readonly #slotActions = new Map<number, PromiseWithResolvers<SlotResult>>()
  #nextId = 1

  private constructor(
    child: WorkerChild<ToTextWorker, FromTextWorker>,
    info: LoadedTextInfo,
    grant: RealWorkerOptions["grant"] = () => "all",
  ) {
    this.#child = child
    this.#grant = grant
    this.info = info
  }

  /** Starts a process and loads the model at `path`. @throws the worker's load error */
  static async start(path: string, options: RealWorkerOptions = {}): Promise<RealWorker> {
    const settings = { ...EXACT_SETTINGS, ...options.settings }
    const kv = options.kv === undefined ? await kvPlanOf(path, settings) : options.kv
    const ready = Promise.withResolvers<RealWorker>()
    let worker: RealWorker | undefined
    const child: WorkerChild<ToTextWorker, FromTextWorker> = new WorkerChild<ToTextWorker, FromTextWorker>(
      [...environmentCommand(options.environment ?? {}), ...realWorkerCommand("text")],
      DEFAULT_TIMEOUTS,
      {
        message: (message) => {
          if (message.type === "ready")
            ready.resolve((worker = new RealWorker(child, textOnly(message.info), options.grant)))
          else if (message.type === "load-failed") ready.reject(fromWire(message.error))
          else if (worker) worker.#hear(message)
        },
        line: (line) => {
          if (line.type === "log" && line.level === "error") worker?.errors.push(line.text)
        },
        ended: ({ how, lastLines }) => {
          const error = new Error(`the worker ${how}: ${lastLines.join(" | ")}`)
          ready.reject(error)
          if (worker) worker.#lost(error)
        },
      },
    )
    child.send({
      type: "load",
      environment: workerEnvironment(join(tmpdir(), "xllm-test-runtime")),
      model: {
        name: "m",
        id: "0123456789ab",
        kind: "text",
        path,
        derivedFolder: "/nonexistent",
        ...(options.defaults !== undefined && { defaults: encodeDefaults(options.defaults) }),
        ...(options.parts !== undefined && { parts: options.parts }),
      },
      settings,
      ...(kv !== null && { kv }),
      // By default, templates must not time out because the machine is busy.
      templateTimeoutMs: options.templateTimeoutMs ?? 30_000,
    })
    return ready.promise
  }

  /** Sends the worker a request. */
  submit(request: GenerationRequest): Run {
    const run = new Run(this.#nextId++)
    this.#runs.set(run.id, run)
    this.#child.send({
      type: "generate",
      id: run.id,
      request: encodeRequest(request),
      queueMs: 0,
      loadMs: 0,
    })
    return run
  }

  /** Sends a request, and waits for the end. @throws its error */
  async run(request: GenerationRequest): Promise<Run> {
    const run = this.submit(request)
    await run.over
    if (run.error !== undefined) throw run.error
    return run
  }

  /** Sends several requests at once, and waits for all to end. @throws the error of one that fails */
  async runAll(requests: readonly GenerationRequest[]): Promise<Run[]> {
    const runs = requests.map((request) => this.submit(request))
    await Promise.all(runs.map((run) => run.over))
    for (const run of runs) if (run.error !== undefined) throw run.error
    return runs
  }

  /** The error that a request fails with. */
  async failure(request: GenerationRequest): Promise<XllmError> {
    const run = this.submit(request)
    await run.over
    if (run.error === undefined) throw new Error("the request did not fail")
    return run.error
  }

  cancel(run: Run): void {
    this.#child.send({ type: "cancel", id: run.id })
  }

  render(request: GenerationRequest): Promise<RenderedPrompt> {
    const id = this.#nextId++
    const result = Promise.withResolvers<RenderedPrompt>()
    this.#rendered.set(id, result)
    this.#child.send({ type: "render", id, request: encodeRequest(request) })
    return result.promise
  }

  /** Saves, restores or erases what a slot has cached. */
  slot(request: SlotRequest): Promise<SlotResult> {
    const id = this.#nextId++
    const result = Promise.withResolvers<SlotResult>()
    this.#slotActions.set(id, result)
    this.#child.send({ type: "slot", id, request })
    return result.promise
  }

  get pid(): number {
    return this.#child.pid
  }

  /** From the latest message. */
  get counters(): WorkerCounters {
    return this.steps.at(-1)?.counters ?? NO_COUNTERS
  }

  /** The increase of the counters during `work`. */
  async counted(work: () => Promise<unknown>): Promise<WorkerCounters> {
    const before = this.counters
    await work()
    const after = this.counters
    return {
      decodeCalls: after.decodeCalls - before.decodeCalls,
      promptTokensEvaluated: after.promptTokensEvaluated - before.promptTokensEvaluated,
      promptTokensCached: after.promptTokensCached - before.promptTokensCached,
      tokensGenerated: after.tokensGenerated - before.tokensGenerated,
      preemptions: after.preemptions - before.preemptions,
      kvGrowths: after.kvGrowths - before.kvGrowths,
      draftTokens: after.draftTokens - before.draftTokens,
      draftTokensAccepted: after.draftTokensAccepted - before.draftTokensAccepted,
      adapterSwitches: after.adapterSwitches - before.adapterSwitches,
      adapterLoads: after.adapterLoads - before.adapterLoads,
      mediaEncoded: after.mediaEncoded - before.mediaEncoded,
      mediaEncodeMs: after.mediaEncodeMs - before.mediaEncodeMs,
    }
  }

  /** Asks it to end, with that much time to write prompts to disk, and waits for it. */
  async stop(saveMs: number): Promise<void> {
    this.#child.send({ type: "stop", saveMs })
    await this.#child.ended
  }

  #hear(message: FromTextWorker): void {
    if (message.type === "step") this.#hearStep(message)
    else if (message.type === "disk") this.disk.push(message.usage)
    else if (message.type === "memory-request") void this.#answerMemory(message)
    else if (message.type === "footprint" && message.kv !== undefined) this.caches.push(message.kv)
    else if (message.type === "rendered")
      this.#rendered.get(message.id)?.resolve(decodeRendered(message.result))
    else if (message.type === "slot") this.#slotActions.get(message.id)?.resolve(message.result)
    else if (message.type === "render-failed") {
      const asked = this.#rendered.get(message.id) ?? this.#slotActions.get(message.id)
      asked?.reject(fromWire(message.error))
    }
  }

  async #answerMemory(request: MemoryRequest): Promise<void> {
    this.memoryRequests.push(request)
    this.#child.send({ type: "memory-answer", id: request.id, granted: await this.#grant(request) })
  }

  #hearStep({ events, counters = NO_COUNTERS, ...message }: StepMessage): void {
    const step = { ...message, counters, events: this.#events.read(events), at: performance.now() }
    this.steps.push(step)
    for (const entry of step.events) this.#runs.get(entry.id)?.take(entry)
  }

  #lost(error: Error): void {
    const wire = { code: "worker_lost", status: 500, message: error.message }
    for (const run of this.#runs.values()) if (!run.isOver) run.take({ id: run.id, error: wire })
    for (const rendered of this.#rendered.values()) rendered.reject(error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }
}

function textOnly(info: LoadedModelInfo): LoadedTextInfo {
  if (info.kind !== "text") throw new Error(`a text worker loaded a model of kind '${info.kind}'`)
  return info
}

/** The command prefix that sets environment variables. */
function environmentCommand(environment: Readonly<Record<string, string>>): readonly string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return variables.length === 0 ? [] : ["/usr/bin/env", ...variables]
}

const NO_COUNTERS: WorkerCounters = {
  decodeCalls: 0,
  promptTokensEvaluated: 0,
  promptTokensCached: 0,
  tokensGenerated: 0,
  preemptions: 0,
  kvGrowths: 0,
  draftTokens: 0,
  draftTokensAccepted: 0,
  adapterSwitches: 0,
  adapterLoads: 0,
  mediaEncoded: 0,
  mediaEncodeMs: 0,
}
