/**
 * A real worker process that speaks the protocol but has no model: its behaviour is scripted by the model's path and
 * by each prompt (for speech the input, for a transcription its prompt). It acts as a model of the requested kind: in
 * place of texts, media models emit half seconds of audio, segments or image steps. On SIGUSR2 it continues a gated
 * load, or finishes the oldest `hold` request.
 */
import type { RenderedPrompt, SamplingParameters } from "../../../src/domain/chat"
import { textOf } from "../../../src/domain/content"
import type { LoadedModelInfo, WorkerCounters } from "../../../src/domain/loaded-model"
import type { ModelKind } from "../../../src/domain/model"
import type { WorkEvent, WorkRequest } from "../../../src/domain/tasks"
import { DecodeFailed } from "../../../src/errors/engine"
import { ModelLoadFailed } from "../../../src/errors/model"
import {
  FRAME_START,
  type FromProbeWorker,
  type FromWorker,
  PROTOCOL_VERSION,
  type ToProbeWorker,
  type ToWorker,
} from "../../../src/protocol/messages"
import { decodeRequest, encodeRendered, type RequestEvent } from "../../../src/protocol/wire"

type ToAnyWorker = ToWorker<WorkRequest>

/**
 * How the model loads. `deaf` loads, but ignores `stop` and SIGTERM; `once:FILE` crashes only in the first load.
 * `room:N` has memory for a context of at most N tokens. A number after `@` is the memory measured after the load, in
 * MiB.
 */
export type FakeModel =
  "plain" | "gated" | "silent" | "crashing" | "refused" | "deaf" | `once:${string}` | `room:${number}`

/**
 * How a request behaves. `say N`: N texts, one per step; `drip N`: the same, at ten steps a second. `hold`: one text,
 * then steps until released or cancelled. `hang`: one text, then silence. `crash`: one text, then exits with a last
 * message. `fail`: one text, then an error. `grow N`: says first that it now takes N MiB of memory, then one text.
 * `ask N`: asks for N MiB more, takes them if it may, and tells the answer as its text; `need N` dies having got them.
 */
export type FakePrompt =
  `${"say" | "drip" | "grow" | "ask" | "need"} ${number}` | "hold" | "hang" | "crash" | "fail"

interface Running {
  readonly id: number
  readonly kind: WorkRequest["kind"]
  readonly command: string
  readonly weight: number
  readonly timings: { readonly queueMs: number; readonly loadMs: number }
  left: number
  /** What was sent of a text: its prompt, and the start of its only part. */
  sent: "nothing" | "prompt" | "start"
  /** In place of the usual one. */
  readonly text?: string
}

const MIB = 1024 ** 2

/** Bytes asked for, by request. */
const asked = new Map<number, number>()
const running = new Map<number, Running>()
let kind: ModelKind = "text"
let slots = 0
let contextLength = 1024
let ramBytes = 0
let steps = 0
let texts = 0
/** Requests received while all slots were taken: must stay 0. Reported as `preemptions`. */
let overruns = 0
let gate = () => {}
let stepPlanned = false
let deaf = false

function tell(message: FromWorker<WorkEvent> | FromProbeWorker): void {
  process.send?.(message)
}

function frame(text: string): void {
  process.stderr.write(`${FRAME_START}${text}\n`)
}

function info(): LoadedModelInfo {
  const common = { footprint: { ramBytes, devices: [] }, slots, modelBytes: 234, devices: ["CPU"] }
  if (kind === "embedding")
    return {
      ...common,
      kind,
      family: "fake",
      threads: 1,
      contextLength,
      trainedContextLength: 2048,
      dimensions: 2,
      pooling: "mean",
      gpuLayers: 0,
      totalLayers: 2,
    }
  if (kind !== "text") return { ...common, kind, family: "fake", threads: 1 }
  return {
    ...common,
    kind,
    contextLength,
    trainedContextLength: 2048,
    kvLayout: "unified",
    kvCells: 4096,
    kvBytes: 1000,
    kvMostCells: 8192,
    kvMostBytes: 2000,
    gpuLayers: 0,
    totalLayers: 2,
    decodeThreads: 1,
    prefillThreads: 1,
    vocabularySize: 256,
    longestTokenBytes: 16,
    chatTemplate: "model",
    fillInTheMiddle: false,
    speculation: { isOn: true, explanation: "from earlier text, where it is faster" },
  }
}

async function load(message: ToAnyWorker & { readonly type: "load" }): Promise<void> {
  if (message.environment.protocol !== PROTOCOL_VERSION) process.exit(90)
  if (message.environment.parentPid !== process.ppid) process.exit(91)
  kind = message.model.kind
  // The engine chooses the command by the kind.
  if (process.argv[2] !== kind) process.exit(92)
  slots = message.settings.slots
  const [path = "", mebibytes] = message.model.path.split("@")
  const [does, file] = path.split(":")
  ramBytes = Number(mebibytes ?? 0) * 1024 ** 2
  contextLength = message.settings.contextLength ?? contextLength
  frame("L2 reading the file")
  if (does === "silent") return
  if (does === "crashing" || (does === "once" && file !== undefined && (await isFirst(file)))) {
    process.stderr.write("ggml.c:7: GGML_ASSERT(rows > 0) failed\nlibggml.so(+0x1)[0x7f00]\n")
    process.abort()
  }
  if (does === "refused") {
    tell({ type: "load-failed", error: new ModelLoadFailed(message.model.name, "not a GGUF").toWire() })
    process.exit(1)
  }
  if (does === "room" && (message.settings.contextLength ?? 2048) > Number(file)) {
    const error = new ModelLoadFailed(message.model.name, "too long", undefined, { outOfMemory: true })
    tell({ type: "load-failed", error: error.toWire() })
    process.exit(1)
  }
  if (does === "gated") {
    const opened = new Promise<void>((resolve) => (gate = resolve))
    frame("P0.25")
    frame("P0.5")
    await opened
  }
  deaf = does === "deaf"
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
    ...(kind === "text" && { counters: counters() }),
  })
  if (running.size > 0 && !hangs) planStep(Math.min(...[...running.values()].map(paceMs)))
}

function counters(): WorkerCounters {
  return {
    decodeCalls: steps,
    promptTokensEvaluated: 0,
    promptTokensCached: 0,
    tokensGenerated: texts,
    preemptions: overruns,
    kvGrowths: 0,
    draftTokens: 0,
    draftTokensAccepted: 0,
    adapterSwitches: 0,
    adapterLoads: 0,
    mediaEncoded: 0,
    mediaEncodeMs: 0,
  }
}

/** A holding request needs no speed, only heartbeats. */
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

/** The events of one request in this step. Decrements `left` for each text. */
function advance(request: Running): RequestEvent[] {
  const { id, command } = request
  if (asked.has(id)) return []
  request.left -= 1
  const before = beginning(request)
  if (command === "crash" && request.left < 0) {
    process.stderr.write("CUDA error: out of memory\nfatal: no more")
    process.exit(7)
  }
  if (command === "fail" && request.left < 0) {
    running.delete(id)
    return [...before, { id, error: new DecodeFailed("no room").toWire() }]
  }
  if (request.left < 0)
    return command === "hold" || command === "hang" ? before : [...before, ...done(request)]
  texts += 1
  return [...before, { id, event: piece(request) }]
}

/** What comes before a text, in the order of a real worker; other kinds have nothing of the sort. */
function beginning(request: Running): RequestEvent[] {
  const { id, kind, left, sent } = request
  if (kind !== "chat" && kind !== "completion") return []
  const events: WorkEvent[] = []
  if (sent === "nothing") events.push({ type: "prompt", tokens: 1 })
  if (sent !== "start" && left >= 0) events.push({ type: "part-start", choice: 0, part: "text" })
  request.sent = sent === "start" || left >= 0 ? "start" : "prompt"
  return events.map((event) => ({ id, event }))
}

/** One request's output in one step. */
function piece({ kind, left, text = `t${left} ` }: Running): WorkEvent {
  switch (kind) {
    case "chat":
    case "completion":
      return { type: "delta", choice: 0, part: "text", text, tokens: 1 }
    case "embedding":
    case "rerank":
      return { type: "vectors", indices: Int32Array.of(left), values: Float32Array.of(left) }
    case "speech":
      return { type: "audio", bytes: Uint8Array.of(left), samples: 8_000 }
    case "transcription":
      return { type: "segment", segment: { index: left, start: 0, end: 1, text: `t${left}` } }
    case "image":
      return { type: "step", image: 0, step: 1, steps: left + 1 }
    default:
      return kind satisfies never
  }
}

function done({ id, kind, timings, sent }: Running): RequestEvent[] {
  running.delete(id)
  const partEnd: WorkEvent[] = sent === "start" ? [{ type: "part-end", choice: 0, part: "text" }] : []
  return [...partEnd, ...endOf(kind, timings)].map((event) => ({ id, event }))
}

function endOf(kind: WorkRequest["kind"], waits: Running["timings"]): readonly WorkEvent[] {
  const timings = { ...waits, workMs: 1 }
  switch (kind) {
    case "chat":
    case "completion": {
      const work = { promptTokens: 1, promptMs: 1, generatedTokens: 1, generationMs: 1 }
      const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0 }
      return [
        { type: "finish", choice: 0, reason: "stop", completionTokens: 1 },
        { type: "done", usage, timings: { ...waits, ...work } },
      ]
    }
    case "embedding":
    case "rerank":
      return [{ type: "done", usage: { inputTokens: 2, inputs: 1 }, timings }]
    case "speech":
      return [{ type: "done", usage: { characters: 5, sentences: 1, audioSeconds: 0.5 }, timings }]
    case "transcription":
      return [{ type: "done", language: "en", usage: { audioSeconds: 2 }, timings }]
    case "image":
      return [
        { type: "image", image: 0, bytes: Uint8Array.of(1), width: 8, height: 8, seed: 7 },
        { type: "done", usage: { images: 1, steps: 1 }, timings },
      ]
    default:
      return kind satisfies never
  }
}

function commandOf(request: WorkRequest): string {
  switch (request.kind) {
    case "chat":
      return textOf(request.messages[0]?.content ?? "")
    case "completion":
    case "image":
      return String(request.prompt)
    case "embedding":
      return String(request.inputs[0])
    case "rerank":
      return request.query
    case "speech":
      return request.input
    case "transcription":
      return request.prompt ?? ""
    default:
      return request satisfies never
  }
}

function generate(message: ToAnyWorker & { readonly type: "generate" }): void {
  const { id, queueMs, loadMs } = message
  const request = decodeRequest(message.request)
  const command = commandOf(request)
  const taken = [...running.values()].reduce((sum, other) => sum + other.weight, 0)
  if (taken >= slots && kind !== "text") process.exit(93)
  if (taken >= slots) overruns += 1
  const left = Number(/^(?:say|drip) (\d+)$/.exec(command)?.[1] ?? 1)
  const weight = request.kind === "chat" || request.kind === "completion" ? request.n : 1
  running.set(id, {
    ...{ id, kind: request.kind, command, weight, timings: { queueMs, loadMs }, left },
    sent: "nothing",
  })
  const wanted = /^(?:ask|need) (\d+)$/.exec(command)?.[1]
  if (wanted !== undefined) {
    asked.set(id, Number(wanted) * MIB)
    if (asked.size === 1) askNext()
    return
  }
  const grown = /^grow (\d+)$/.exec(command)?.[1]
  if (grown !== undefined)
    tell({ type: "footprint", footprint: { ramBytes: Number(grown) * 1024 ** 2, devices: [] } })
  planStep(0)
}

/** One question is open at a time. */
function askNext(): void {
  for (const [id, bytes] of asked)
    return tell({ type: "memory-request", id, extra: { ramBytes: bytes, devices: [] } })
}

/** Takes what it was granted. */
function answered({ id, granted }: ToAnyWorker & { readonly type: "memory-answer" }): void {
  const request = running.get(id)
  if (request?.command.startsWith("need ") && granted === "all") process.exit(8)
  if (granted === "all") ramBytes += asked.get(id) ?? 0
  asked.delete(id)
  const kv = {
    layout: "unified",
    cells: granted === "all" ? 8192 : 4096,
    sequences: slots,
    bytes: 2000,
  } as const
  tell({ type: "footprint", footprint: { ramBytes, devices: [] }, kv })
  if (request !== undefined) running.set(id, { ...request, text: granted })
  askNext()
  planStep(0)
}

function release(): void {
  gate()
  const held = [...running.values()].find((request) => request.command === "hold")
  if (held === undefined) return
  running.set(held.id, { ...held, command: "say 0", left: 0 })
  planStep(0)
}

function render(message: ToAnyWorker & { readonly type: "render" }): void {
  const { id } = message
  const request = decodeRequest(message.request)
  const prompt = request.kind === "completion" ? String(request.prompt) : ""
  if (prompt === "fail") {
    tell({ type: "render-failed", id, error: new DecodeFailed("no template").toWire() })
  } else if (prompt !== "hang") {
    // The engine only passes it on.
    const parameters = { ...({ logitBias: [] as unknown } as SamplingParameters), maxTokens: 1, stop: [] }
    const result: RenderedPrompt = { prompt: `<${prompt}>`, tokens: [1, 2], parameters }
    tell({ type: "rendered", id, result: encodeRendered(result) })
  }
}

function probe(mode: string | undefined): void {
  if (mode === "crash") {
    process.stderr.write("vulkan: no driver\n")
    process.exit(3)
  }
  if (mode === "hang") return
  const device = { name: "CPU", description: `probe ${process.pid}`, kind: "cpu", backend: "CPU" } as const
  const gpu = { name: "GPU0", description: `probe ${process.pid}`, kind: "gpu", backend: "Vulkan" } as const
  const gpus = mode === "gpus" ? [{ ...gpu, freeBytes: 8 * 1024 ** 3, totalBytes: 8 * 1024 ** 3 }] : []
  tell({ type: "probed", devices: [{ ...device, freeBytes: 1, totalBytes: 2 }, ...gpus], llamaVersion: "b1" })
}

if (import.meta.main) {
  process.on("SIGUSR2", release)
  process.on("disconnect", () => process.exit(0))
  // The other end of the channel is the engine, with the same protocol.
  process.on("message", (message: ToAnyWorker | ToProbeWorker) => {
    switch (message.type) {
      case "load":
        return void load(message)
      case "generate":
        return generate(message)
      case "cancel":
        return void running.delete(message.id)
      case "render":
        return render(message)
      case "memory-answer":
        return answered(message)
      case "probe":
        return probe(process.argv[3])
      case "stop":
        if (!deaf) process.exit(0)
    }
  })
}
