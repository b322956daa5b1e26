import { join } from "node:path"
import { asXllmError, InternalError } from "../../errors/base"
import { NativeGrammar } from "../../llama/grammar"
import type { Library } from "../../llama/library"
import { locateLlama } from "../../native/llama-files"
import type { FromTextWorker, ToTextWorker } from "../../protocol/messages"
import { decodeDefaults } from "../../protocol/wire"
import { type CpuLease, openCpuLease } from "../cpu-lease"
import { endWithParent } from "../lifetime"
import { type LoadedText, loadText } from "./load"
import { TextLoop } from "./loop"
import { StepOutbox } from "./output/step-outbox"
import type { PreparedRequest } from "./prompt/prepared"
import { type Preparation, PromptClient } from "./prompt/prompt-client"
import { RunningRequest } from "./request"
import { modelDefaults } from "./sampling/sampling"
import { ThreadGovernor } from "./threads"

/** Interval of heartbeats while a worker waits for the CPU lease, in ms. */
const SIGN_OF_LIFE_MS = 1000

/** The shim writes log and progress frames here; the parent reads stderr. */
const STDERR = 2

type Load = Extract<ToTextWorker, { type: "load" }>
type Generate = Extract<ToTextWorker, { type: "generate" }>
type Render = Extract<ToTextWorker, { type: "render" }>

/** Runs a text model for the parent process until the parent disconnects. */
export function runTextWorker(): void {
  const send = (message: FromTextWorker): void => void process.send?.(message)
  let worker: TextWorker | undefined
  process.on("message", (message: ToTextWorker) => {
    if (message.type === "stop") process.exit(0)
    if (message.type !== "load") return worker?.handle(message)
    endWithParent(message.environment.parentPid)
    void startTextWorker(message, send).then(
      (started) => (worker = started),
      (error: unknown) =>
        process.send?.({ type: "load-failed", error: asXllmError(error).toWire() }, () => process.exit(1)),
    )
  })
}

async function startTextWorker(load: Load, send: (message: FromTextWorker) => void): Promise<TextWorker> {
  const { settings, kv } = load
  if (kv === undefined)
    throw new InternalError("a text model was to be loaded without a plan of its KV cache")
  const files = await locateLlama(load.environment.runtimeFolder)
  const { name, path, defaults } = load.model
  const along = decodeDefaults(defaults)
  const loaded = loadText(files, { name, path, adapters: along.adapters ?? [] }, settings, kv, STDERR)
  const { model, contextLength, info } = loaded
  const architecture = model.metadata("general.architecture")
  const prompts = new PromptClient(
    {
      files,
      vocabulary: model.vocabulary.share(),
      chatTemplate: along.template ?? model.chatTemplate ?? null,
      ...(architecture !== undefined && { architecture }),
      isTemplateChosen: along.template !== undefined,
      contextLength,
      ...(defaults !== undefined && { along: defaults }),
      sampling: modelDefaults((key) => model.metadata(key), along.sampling),
    },
    load.templateTimeoutMs,
  )
  const { fallback, longestTokenBytes } = await prompts.start()
  const template =
    fallback === undefined
      ? ({ chatTemplate: "model" } as const)
      : ({ chatTemplate: "built-in", templateFallback: fallback.explanation } as const)
  const capacity = longestTokenBytes === undefined ? {} : { longestTokenBytes }
  send({ type: "ready", info: { ...info, ...template, ...capacity } })
  return new TextWorker(loaded, prompts, join(load.environment.runtimeFolder, "turns"), send)
}

/** Handles the parent's messages and runs the loop while there is work. */
class TextWorker {
  readonly #prompts: PromptClient
  readonly #library: Library
  readonly #send: (message: FromTextWorker) => void
  readonly #outbox: StepOutbox
  readonly #loop: TextLoop
  /** Requests whose prompts are still being prepared. */
  readonly #preparing = new Map<number, Preparation>()
  readonly #lease: CpuLease | undefined
  #looping = false

  constructor(
    loaded: LoadedText,
    prompts: PromptClient,
    turnFolder: string,
    send: (message: FromTextWorker) => void,
  ) {
    const now = (): number => performance.now()
    this.#prompts = prompts
    this.#library = loaded.model.library
    prompts.onDropped = (prepared) => this.#grammarOf(prepared)?.[Symbol.dispose]()
    this.#send = send
    // A model entirely on GPUs needs no CPU lease.
    this.#lease = loaded.info.gpuLayers < loaded.info.totalLayers ? openCpuLease(turnFolder) : undefined
    this.#outbox = new StepOutbox(send)
    const { context, cache, threads } = loaded
    const runtime = { context, cache, threads: new ThreadGovernor(threads, now) }
    this.#loop = new TextLoop({ ...loaded, runtime, outbox: this.#outbox, now })
  }

  handle(message: Exclude<ToTextWorker, { type: "load" | "stop" }>): void {
    switch (message.type) {
      case "generate":
        return void this.#generate(message)
      case "cancel":
        return this.#cancel(message.id)
      case "render":
        return void this.#render(message)
      case "memory-answer":
        // It asks for none yet.
        return
      default:
        message satisfies never
    }
  }

  async #generate({ id, request, queueMs, loadMs }: Generate): Promise<void> {
    const preparation = this.#prompts.prepare(request)
    this.#preparing.set(id, preparation)
    try {
      const prepared = await preparation.prepared
      if (!this.#preparing.delete(id)) return this.#grammarOf(prepared)?.[Symbol.dispose]()
      const startedAt = performance.now()
      const grammar = this.#grammarOf(prepared)
      this.#loop.submit(new RunningRequest({ id, prepared, queueMs, loadMs, startedAt, grammar }))
      void this.#run()
    } catch (error) {
      if (!this.#preparing.delete(id)) return
      this.#outbox.error(id, asXllmError(error))
      this.#outbox.flush()
    }
  }

  #grammarOf({ constraint }: PreparedRequest): NativeGrammar | undefined {
    return constraint && NativeGrammar.fromShare(this.#library, constraint.grammar)
  }

  #cancel(id: number): void {
    this.#preparing.get(id)?.forget()
    this.#preparing.delete(id)
    this.#loop.cancel(id)
    // The parent waits for confirmation that the slots are free.
    this.#outbox.flush()
  }

  async #render({ id, request }: Render): Promise<void> {
    try {
      this.#send({ type: "rendered", id, result: await this.#prompts.render(request) })
    } catch (error) {
      this.#send({ type: "render-failed", id, error: asXllmError(error).toWire() })
    }
  }

  /** Runs steps while there is work, each under the CPU lease, and handles messages in between. */
  async #run(): Promise<void> {
    if (this.#looping) return
    this.#looping = true
    this.#loop.resume()
    while (this.#loop.busy) {
      const waitedMs =
        this.#lease === undefined || this.#lease.tryTake() ? 0 : await this.#waitForTurn(this.#lease)
      this.#loop.step({ waitedMs, contended: this.#lease?.contended ?? false })
      this.#lease?.giveBack()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#looping = false
  }

  /**
   * Waits for the CPU lease, with heartbeats so that the watchdog does not take this worker for hung.
   * Resolves to the wait in ms.
   */
  async #waitForTurn(lease: CpuLease): Promise<number> {
    const startedAt = performance.now()
    const heartbeats = setInterval(() => this.#outbox.flush(), SIGN_OF_LIFE_MS)
    await lease.wait()
    clearInterval(heartbeats)
    return performance.now() - startedAt
  }
}
