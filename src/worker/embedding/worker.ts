import { join } from "node:path"
import type { EmbeddingEvent } from "../../domain/embedding"
import type { VectorRequest } from "../../domain/tasks"
import { asXllmError } from "../../errors/base"
import { embeddingBytes } from "../../formats/embedding-memory"
import { breathe } from "../../lib/async/breathe"
import { locateLlama } from "../../native/llama-files"
import type { FromWorker, ToWorker } from "../../protocol/messages"
import { type CpuLease, openCpuLease } from "../cpu-lease"
import { endWithParent } from "../lifetime"
import { MemoryRequests } from "../text/growth/memory-requests"
import { noCounters } from "../text/output/step-outbox"
import { ThreadGovernor } from "../text/threads"
import { ContextHolder } from "./context-holder"
import { EmbedLoop } from "./embed-loop"
import { Embedder } from "./embedder"
import { type LoadedEmbedder, loadEmbedder } from "./load"
import { VectorOutbox } from "./outbox"
import { pairLayout } from "./pairs"
import { TextPreparer } from "./prepare"
import { shapeOf } from "./shape"
import { answerAboutTokens, Tokenizer } from "./tokenizer"

/** Interval of heartbeats while a worker waits for the CPU lease, in ms. */
const HEARTBEAT_MS = 1000

/** Pause between steps while memory is asked for, in ms. */
const WAITING_MS = 2

/** When nothing has run for so long, memory is given back; ms. */
const IDLE_MS = 60_000

/** The shim writes log and progress frames here; the parent reads stderr. */
const STDERR = 2

type ToEmbeddingWorker = ToWorker<VectorRequest>
type FromEmbeddingWorker = FromWorker<EmbeddingEvent>
type Load = Extract<ToEmbeddingWorker, { type: "load" }>

/** Runs an embedding model for the parent process until the parent disconnects. */
export function runEmbeddingWorker(): void {
  const send = (message: FromEmbeddingWorker): void => void process.send?.(message)
  let worker: EmbeddingWorker | undefined
  process.on("message", (message: ToEmbeddingWorker) => {
    if (message.type === "stop") process.exit(0)
    if (message.type !== "load") return worker?.handle(message)
    endWithParent(message.environment.parentPid)
    void start(message, send).then(
      (started) => (worker = started),
      (error: unknown) =>
        process.send?.({ type: "load-failed", error: asXllmError(error).toWire() }, () => process.exit(1)),
    )
  })
}

async function start(
  { environment, model, settings }: Load,
  send: (message: FromEmbeddingWorker) => void,
): Promise<EmbeddingWorker> {
  const files = await locateLlama(environment.runtimeFolder)
  const loaded = loadEmbedder(files, model, settings, STDERR)
  const tokenizer = new Tokenizer(files, loaded.model.vocabulary.share())
  // The thread's start is part of the load.
  await tokenizer.tokenize([""], { addSpecial: false, parseSpecial: false })
  send({ type: "ready", info: loaded.info })
  const turnFolder = join(environment.runtimeFolder, "turns")
  return new EmbeddingWorker({ loaded, settings, name: model.name, tokenizer, turnFolder, send })
}

interface EmbeddingWorkerParts {
  readonly loaded: LoadedEmbedder
  readonly settings: Load["settings"]
  /** The model's. */
  readonly name: string
  readonly tokenizer: Tokenizer
  readonly turnFolder: string
  readonly send: (message: FromEmbeddingWorker) => void
}

/** Handles the parent's messages and runs the loop while there is work. */
class EmbeddingWorker {
  readonly #embedder: Embedder
  readonly #memory: MemoryRequests
  readonly #outbox: VectorOutbox
  readonly #contexts: ContextHolder
  readonly #threads: ThreadGovernor
  readonly #lease: CpuLease | undefined
  readonly #tokenizer: Tokenizer
  readonly #send: (message: FromEmbeddingWorker) => void
  #looping = false
  /** Runs out when nothing has run for a while. */
  #resting: ReturnType<typeof setTimeout> | undefined

  constructor({ loaded, settings, name, tokenizer, turnFolder, send }: EmbeddingWorkerParts) {
    const now = (): number => performance.now()
    const { model, info, mostTokens, measure } = loaded
    this.#tokenizer = tokenizer
    this.#send = send
    // A model entirely on GPUs needs no CPU lease.
    this.#lease = info.gpuLayers < info.totalLayers ? openCpuLease(turnFolder) : undefined
    this.#memory = new MemoryRequests(send, measure)
    this.#outbox = new VectorOutbox(send, noCounters())
    this.#threads = new ThreadGovernor({ decode: loaded.threads, prefill: loaded.threads }, now)
    const shape = shapeOf(model, settings)
    this.#contexts = new ContextHolder(
      {
        ...loaded,
        name,
        bytesOf: (tokens) => embeddingBytes(shape, tokens),
        ask: (extra) => this.#memory.ask(extra, extra),
        changed: () => this.#memory.remeasured(),
        adopt: (context) => this.#threads.adopt(context),
        now,
      },
      loaded.context,
    )
    const { vocabulary } = model
    this.#embedder = new Embedder({
      preparer: new TextPreparer({
        name,
        tokenizer,
        vocabulary,
        mostTokens,
        dimensions: info.dimensions,
        isPooled: info.pooling !== "none",
        pairs: info.pooling === "rank" ? pairLayout(model.rerankTemplate, vocabulary) : undefined,
      }),
      loop: new EmbedLoop(this.#contexts, this.#outbox, now),
      outbox: this.#outbox,
      onWork: () => void this.#run(),
    })
  }

  handle(message: Exclude<ToEmbeddingWorker, { type: "load" | "stop" }>): void {
    switch (message.type) {
      case "generate":
        return void this.#embedder.generate(message)
      case "cancel":
        this.#embedder.cancel(message.id)
        return this.#outbox.flush()
      case "render":
      case "slot":
        return // text workers only
      case "tokens":
        return void this.#tell(message)
      case "memory-answer":
        return this.#memory.answer(message.id, message.granted)
      default:
        message satisfies never
    }
  }

  async #tell({ id, request }: Extract<ToEmbeddingWorker, { type: "tokens" }>): Promise<void> {
    this.#send(await answerAboutTokens(this.#tokenizer, id, request))
  }

  /** Runs steps while there is work, each under the CPU lease, and handles messages in between. */
  async #run(): Promise<void> {
    if (this.#looping) return
    this.#looping = true
    clearTimeout(this.#resting)
    const { loop } = this.#embedder
    if (this.#contexts.current !== undefined) this.#threads.begin(this.#contexts.current)
    while (loop.busy) {
      const waitedMs =
        this.#lease === undefined || this.#lease.tryTake() ? 0 : await this.#waitForTurn(this.#lease)
      if (this.#contexts.current !== undefined) this.#threads.prepare(this.#contexts.current, waitedMs)
      const isComputed = loop.step()
      this.#lease?.giveBack()
      if (isComputed) await breathe()
      else await Bun.sleep(WAITING_MS)
    }
    this.#looping = false
    this.#resting = setTimeout(() => loop.rest(), IDLE_MS)
  }

  /** As of text workers: with heartbeats, so that the watchdog does not take this worker for hung. */
  async #waitForTurn(lease: CpuLease): Promise<number> {
    const startedAt = performance.now()
    const heartbeats = setInterval(() => this.#outbox.flush(), HEARTBEAT_MS)
    await lease.wait()
    clearInterval(heartbeats)
    return performance.now() - startedAt
  }
}
