/**
 * A real worker process that speaks the protocol and has no model: what it does is said by the model's path and by
 * each prompt. SIGUSR2 is the test's hand: it lets a gated load go on, or finishes the oldest `hold` request.
 */
import type { GenerationEvent, LoadedModelInfo, RenderedPrompt, SamplingParameters } from "../../src/domain"
import { DecodeFailed, ModelLoadFailed } from "../../src/errors"
import {
  FRAME_START,
  PROTOCOL_VERSION,
  type FromProbeWorker,
  type FromTextWorker,
  type RequestEvent,
  type ToProbeWorker,
  type ToTextWorker,
} from "../../src/protocol/messages"

/**
 * Loads. `deaf` loads, but neither obeys `stop` nor SIGTERM; `once:FILE` crashes in the first load only. `room:N` has
 * memory for a context of N tokens and no more. What follows an `@` is what it measures after the load, in MiB.
 */
export type FakeModel =
  "plain" | "gated" | "silent" | "crashing" | "refused" | "deaf" | `once:${string}` | `room:${number}`

/**
 * Prompts. `say N`: N texts, one a step; `drip N`: the same, ten steps a second. `hold`: one text, then steps until it is released or cancelled. `hang`: one
 * text, then silence. `crash`: one text, then the end with last words. `fail`: one text, then an error.
 */
export type FakePrompt = `${"say" | "drip"} ${number}` | "hold" | "hang" | "crash" | "fail"

interface Running {
  readonly id: number
  readonly command: string
  readonly weight: number
  readonly timings: { readonly queueMs: number; readonly loadMs: number }
  left: number
}

const running = new Map<number, Running>()
let slots = 0
let contextLength = 1024
let ramBytes = 0
let steps = 0
let texts = 0
/** Requests that came although all slots were taken: must stay 0. Reported as `preemptions`. */
let overruns = 0
let gate = () => {}
let stepPlanned = false
let deaf = false

function tell(message: FromTextWorker | FromProbeWorker): void {
  process.send?.(message)
}

function frame(text: string): void {
  process.stderr.write(`${FRAME_START}${text}\n`)
}

function info(): LoadedModelInfo {
  return {
    kind: "text",
    footprint: { ramBytes, devices: [] },
    contextLength,
    trainedContextLength: 2048,
    slots,
    kvLayout: "unified",
    kvCells: 4096,
    kvBytes: 1000,
    modelBytes: 234,
    gpuLayers: 0,
    totalLayers: 2,
    devices: ["CPU"],
    decodeThreads: 1,
    prefillThreads: 1,
    vocabularySize: 256,
    chatTemplate: "model",
    fillInTheMiddle: false,
  }
}

async function load(message: ToTextWorker & { readonly type: "load" }): Promise<void> {
  if (message.environment.protocol !== PROTOCOL_VERSION) process.exit(90)
  if (message.environment.parentPid !== process.ppid) process.exit(91)
  slots = message.settings.slots
  const [path = "", mebibytes] = message.model.path.split("@")
  const [kind, file] = path.split(":")
  ramBytes = Number(mebibytes ?? 0) * 1024 ** 2
  contextLength = message.settings.contextLength ?? contextLength
  frame("L2 reading the file")
  if (kind === "silent") return
  if (kind === "crashing" || (kind === "once" && file !== undefined && (await isFirst(file)))) {
    process.stderr.write("ggml.c:7: GGML_ASSERT(rows > 0) failed\nlibggml.so(+0x1)[0x7f00]\n")
    process.abort()
  }
  if (kind === "refused") {
    tell({ type: "load-failed", error: new ModelLoadFailed(message.model.name, "not a GGUF").toWire() })
    process.exit(1)
  }
  if (kind === "room" && (message.settings.contextLength ?? 2048) > Number(file)) {
    const error = new ModelLoadFailed(message.model.name, "too long", undefined, { outOfMemory: true })
    tell({ type: "load-failed", error: error.toWire() })
    process.exit(1)
  }
  if (kind === "gated") {
    const opened = new Promise<void>((resolve) => (gate = resolve))
    frame("P0.25")
    frame("P0.5")
    await opened
  }
  deaf = kind === "deaf"
  if (deaf) process.on("SIGTERM", () => {})
  frame("P1")
  tell({ type: "ready", info: info() })
}

async function isFirst(file: string): Promise<boolean> {
  const first = !(await Bun.file(file).exists())
  if (first) await Bun.write(file, "")
  return first
}

function step(): void {
  stepPlanned = false
  steps += 1
  const events = [...running.values()].flatMap(advance)
  const hangs = [...running.values()].some((request) => request.command === "hang" && request.left < 0)
  tell({
    type: "step",
    events,
    counters: {
      decodeCalls: steps,
      promptTokensEvaluated: 0,
      promptTokensCached: 0,
      tokensGenerated: texts,
      preemptions: overruns,
    },
  })
  if (running.size > 0 && !hangs) planStep(Math.min(...[...running.values()].map(paceMs)))
}

/** A holding request needs no speed, only signs of life. */
function paceMs({ command }: Running): number {
  if (command.startsWith("drip ")) return 100
  return command === "hold" ? 20 : 0
}

function planStep(ms: number): void {
  if (stepPlanned) return
  stepPlanned = true
  if (ms === 0) setImmediate(step)
  else setTimeout(step, ms)
}

/** What one request has to say in this step. `left` counts its texts down. */
function advance(request: Running): RequestEvent<GenerationEvent>[] {
  const { id, command } = request
  request.left -= 1
  if (command === "crash" && request.left < 0) {
    process.stderr.write("CUDA error: out of memory\nfatal: no more")
    process.exit(7)
  }
  if (command === "fail" && request.left < 0) {
    running.delete(id)
    return [{ id, error: new DecodeFailed("no room").toWire() }]
  }
  if (request.left < 0) return command === "hold" || command === "hang" ? [] : done(request)
  texts += 1
  return [{ id, event: { type: "text", choice: 0, text: `t${request.left} `, tokens: 1 } }]
}

function done({ id, timings }: Running): RequestEvent<GenerationEvent>[] {
  running.delete(id)
  const work = { promptTokens: 1, promptMs: 1, generatedTokens: 1, generationMs: 1 }
  return [
    { id, event: { type: "finish", choice: 0, reason: "stop", completionTokens: 1 } },
    {
      id,
      event: {
        type: "done",
        usage: { promptTokens: 1, completionTokens: 1, cachedTokens: 0 },
        timings: { ...timings, ...work },
      },
    },
  ]
}

function generate(message: ToTextWorker & { readonly type: "generate" }): void {
  const { id, request, queueMs, loadMs } = message
  const command =
    request.kind === "completion" ? String(request.prompt) : (request.messages[0]?.content ?? "")
  const taken = [...running.values()].reduce((sum, other) => sum + other.weight, 0)
  if (taken >= slots) overruns += 1
  const left = Number(/^(?:say|drip) (\d+)$/.exec(command)?.[1] ?? 1)
  running.set(id, { id, command, weight: request.n, timings: { queueMs, loadMs }, left })
  planStep(0)
}

function release(): void {
  gate()
  const held = [...running.values()].find((request) => request.command === "hold")
  if (held === undefined) return
  running.set(held.id, { ...held, command: "say 0", left: 0 })
  planStep(0)
}

function render(message: ToTextWorker & { readonly type: "render" }): void {
  const { id, request } = message
  const prompt = request.kind === "completion" ? String(request.prompt) : ""
  if (prompt === "fail") {
    tell({ type: "render-failed", id, error: new DecodeFailed("no template").toWire() })
  } else if (prompt !== "hang") {
    // The engine only passes it on.
    const parameters = { ...({} as SamplingParameters), maxTokens: 1, stop: [] }
    const result: RenderedPrompt = { prompt: `<${prompt}>`, tokens: [1, 2], parameters }
    tell({ type: "rendered", id, result })
  }
}

function probe(mode: string | undefined): void {
  if (mode === "crash") {
    process.stderr.write("vulkan: no driver\n")
    process.exit(3)
  }
  if (mode === "hang") return
  const device = { name: "CPU", description: `probe ${process.pid}`, kind: "cpu", backend: "CPU" } as const
  const gpu = { name: "GPU0", description: `probe ${process.pid}`, kind: "gpu", backend: "Fake" } as const
  const gpus = mode === "gpus" ? [{ ...gpu, freeBytes: 8 * 1024 ** 3, totalBytes: 8 * 1024 ** 3 }] : []
  tell({ type: "probed", devices: [{ ...device, freeBytes: 1, totalBytes: 2 }, ...gpus], llamaVersion: "b1" })
}

if (import.meta.main) {
  process.on("SIGUSR2", release)
  process.on("disconnect", () => process.exit(0))
  // The other side of the channel is the engine, with the same protocol.
  process.on("message", (message: ToTextWorker | ToProbeWorker) => {
    switch (message.type) {
      case "load":
        return void load(message)
      case "generate":
        return generate(message)
      case "cancel":
        return void running.delete(message.id)
      case "render":
        return render(message)
      case "probe":
        return probe(process.argv[3])
      case "stop":
        if (!deaf) process.exit(0)
    }
  })
}
