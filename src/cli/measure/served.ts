import type { Settings } from "../../config/resolve"
import type { CompletionRequest, GenerationEvent } from "../../domain/chat"
import type { ModelSettings } from "../../domain/settings"
import type { ManagedEngine } from "../../engine"
import { CannotMeasure } from "../../errors/cli"
import { createLogger } from "../../log/logger"
import {
  type Completion,
  countTokens,
  type Endpoint,
  streamCompletion,
  timeToFirstToken,
} from "../../measure/http/completion"
import { turnsOf } from "../../measure/paired"
import type { LoadedWith } from "../../measure/report"
import { seededRandom } from "../../measure/statistics"
import {
  type Arrivals,
  figuresOf,
  percentilesOf,
  runTraffic,
  type TrafficFigures,
} from "../../measure/traffic"
import { promptsFor } from "../../measure/http/words"
import type { Store } from "../../store/contract"
import { meantModel } from "../args/model-path"
import { createLocal } from "../serve/compose"
import { loadedWith } from "./direct"
import type { RunProgress } from "./progress"
import type { Results } from "./results"
import type { BenchSubject } from "./subject"
import type { Variant } from "./variants"

/** Answers requests: an engine in this process, or a server. */
export interface Served {
  readonly label: string
  readonly via: "engine" | "http"
  /** Asks for so many tokens behind a text, or behind a prompt of so many tokens that no earlier request had. */
  ask(prompt: string | number, generate: number): Promise<Completion>
  readonly loadedWith?: LoadedWith
  readonly threads: number
  /** A test has failed: the others are no longer tried. */
  isBroken: boolean
}

/** One row: how many requests arrive, and how long they are. */
export interface ServedTest {
  /** Its tokens; 0: they are those of the text. */
  readonly prompt: number
  /** From a file; absent: random. */
  readonly text?: string
  readonly generate: number
  readonly concurrency: number
  /** Requests per second; absent: all at once, each time anew. */
  readonly rate?: number
}

export interface ServedRun {
  readonly results: Results
  readonly progress: RunProgress
  readonly signal: AbortSignal
  readonly repetitions: number
  readonly warmup: number
  readonly seed: number
  /** The limit of the time to the first token that requests are to meet. */
  readonly ttftLimitMs?: number
}

function servedName({ prompt, text, generate, concurrency, rate }: ServedTest): string {
  const arrivals = rate === undefined ? `c${concurrency}` : `${rate}/s`
  return `${text === undefined ? `pp${prompt}` : "file"}+tg${generate} ${arrivals}`
}

/** About how long a test takes, in the unit of {@link RunProgress}. */
export function servedWork({ prompt, generate, concurrency }: ServedTest, repetitions: number): number {
  return repetitions * concurrency * (prompt / 4 + generate / Math.min(concurrency, 4))
}

/** Times one row with all models, which take turns. What was measured before an interruption is kept. */
export async function timeServed(all: readonly Served[], test: ServedTest, run: ServedRun): Promise<void> {
  const { results, progress, signal, repetitions, warmup, seed } = run
  const rounds = new Map(all.map((served) => [served, [] as Round[]]))
  const watch = results.watch()
  const arrivals = arrivalsOf(test)
  for (let round = -warmup; round < repetitions; round++)
    for (const served of turnsOf(all, Math.abs(round))) {
      if (served.isBroken || signal.aborted) continue
      progress.begin(`${servedName(test)} of ${served.label}`)
      try {
        const completions = await runTraffic(
          arrivals,
          seed + round,
          () => served.ask(test.text ?? test.prompt, test.generate),
          signal,
        )
        if (round >= 0) rounds.get(served)?.push({ completions, figures: figuresOf(completions) })
      } catch (error) {
        if (signal.aborted) continue
        served.isBroken = true
        results.failure(served.label, error)
      }
      progress.did(servedWork(test, 1))
    }
  for (const [served, taken] of rounds) if (taken.length > 0) report(served, test, taken, run, watch)
  signal.throwIfAborted()
}

interface Round {
  readonly completions: readonly Completion[]
  readonly figures: TrafficFigures
}

function report(
  served: Served,
  test: ServedTest,
  rounds: readonly Round[],
  { results, ttftLimitMs }: ServedRun,
  watch: ReturnType<Results["watch"]>,
): void {
  const completions = rounds.flatMap((round) => round.completions)
  const figures = rounds.map((round) => round.figures)
  const firstTokens = figures.flatMap(({ firstTokenMs }) => firstTokenMs)
  const gaps = figures.flatMap(({ gapsMs }) => gapsMs)
  const perStream = figures.map((round) => round.perStream).toSorted((a, b) => a - b)
  const notes = notesOf(completions, test)
  const facts = {
    model: served.label,
    name: servedName(test),
    via: served.via,
    prompt: test.text === undefined ? test.prompt : (completions[0]?.promptTokens ?? 0),
    generated: test.generate,
    depth: 0,
    concurrency: test.concurrency,
    unit: "tokens/s",
    ...(served.loadedWith !== undefined && { loaded_with: served.loadedWith }),
    ...(test.rate !== undefined && { rate: test.rate }),
    per_stream: perStream[perStream.length >> 1] ?? 0,
    first_token_ms: percentilesOf(firstTokens),
    ...(gaps.length > 0 && { between_tokens_ms: percentilesOf(gaps) }),
    ...(ttftLimitMs !== undefined && { goodput: goodputOf(completions, figures, ttftLimitMs) }),
    ...(notes.length > 0 && { notes: [...notes] }),
  }
  results.test(
    facts,
    figures.map(({ tokensPerSecond }) => tokensPerSecond),
    watch,
    served.threads,
  )
}

function goodputOf(completions: readonly Completion[], figures: readonly TrafficFigures[], limitMs: number) {
  const good = completions.filter((completion) => timeToFirstToken(completion) <= limitMs).length
  const seconds = figures.reduce((sum, round) => sum + round.seconds, 0)
  return { limit_ms: limitMs, per_second: good / seconds, share: good / completions.length }
}

/** A server that ends early generates fewer tokens; the rates count what it says that it generated. */
function notesOf(completions: readonly Completion[], { generate }: ServedTest): readonly string[] {
  const short = completions.filter(({ completionTokens }) => completionTokens < generate).length
  return short === 0 ? [] : [`ignores ignore_eos: ${short} of ${completions.length} answers were shorter`]
}

/** With a rate a round has as many requests as would be there at once at most, and not fewer than can show a queue. */
const LEAST_AT_A_RATE = 16

function arrivalsOf({ concurrency, rate }: ServedTest): Arrivals {
  if (rate === undefined) return { kind: "together", requests: concurrency }
  return { kind: "rate", perSecond: rate, requests: Math.max(LEAST_AT_A_RATE, concurrency) }
}

/** An engine in this process that serves the models with one variant's settings. */
export function openEngine(
  settings: Settings,
  variant: Variant,
  mostAtOnce: number,
): Promise<{ readonly engine: ManagedEngine; readonly store: Store }> {
  const adapt = (usual: ModelSettings): ModelSettings => {
    // Prompts that come from disk would be cached ones.
    const { promptsOnDisk: _, ...rest } = usual
    const { gpuLayers, threads, flashAttention, kvTypeK, kvTypeV } = variant
    const slots = Math.max(usual.slots, mostAtOnce)
    const loaded = {
      gpuLayers,
      flashAttention,
      kvTypeK,
      kvTypeV,
      decodeThreads: threads,
      prefillThreads: threads,
    }
    return { ...rest, ...loaded, slots, replicas: 1, keepAliveSeconds: null, preload: false }
  }
  return createLocal({ settings, log: createLogger({ level: "off" }), adapt })
}

/** A model of an engine in this process. Its prompts are random tokens. */
export async function engineServed(
  { engine, store }: { readonly engine: ManagedEngine; readonly store: Store },
  { label, given }: BenchSubject,
  variant: Variant,
  { signal, seed }: Pick<ServedRun, "signal" | "seed">,
): Promise<Served> {
  // Each store knows only the paths that it was given itself.
  const { name: model } = await meantModel(given, store)
  await engine.preload(model, signal)
  const info = engine.loaded().find(({ name }) => name === model)?.info
  const facts = info?.kind === "text" ? info : undefined
  const vocabulary = facts?.vocabularySize ?? 0
  const random = seededRandom(seed)
  return {
    label,
    via: "engine",
    threads: variant.threads,
    loadedWith: loadedWith(variant, facts),
    isBroken: false,
    ask: (wanted, generate) => {
      const prompt =
        typeof wanted === "string"
          ? wanted
          : Array.from({ length: wanted }, () => Math.floor(random() * vocabulary))
      return readAnswer(engine.complete(requestOf(model, prompt, generate), signal))
    },
  }
}

function requestOf(model: string, prompt: string | readonly number[], maxTokens: number): CompletionRequest {
  return {
    kind: "completion",
    model,
    prompt,
    echo: false,
    n: 1,
    maxTokens,
    minTokens: 0,
    stop: [],
    sampling: { temperature: 0, ignoreEos: true },
    cachePrompt: false,
    returnProgress: false,
  }
}

async function readAnswer(events: AsyncIterable<GenerationEvent>): Promise<Completion> {
  const sentAt = performance.now()
  const textAt: number[] = []
  for await (const event of events) {
    if (event.type === "delta") textAt.push(performance.now())
    if (event.type !== "done") continue
    const { promptTokens, completionTokens } = event.usage
    if (textAt.length === 0) throw new CannotMeasure("no token of the answer has text")
    return { sentAt, textAt, finishedAt: performance.now(), promptTokens, completionTokens }
  }
  throw new CannotMeasure("an answer ended early")
}

/** A model of a server. Its prompts are random words. */
export async function httpServed(endpoint: Endpoint, seed: number): Promise<Served> {
  const text = await promptsFor((words) => countTokens(endpoint, words), seed)
  return {
    label: endpoint.model,
    via: "http",
    // They are the server's own, and so is what it does with them.
    threads: 0,
    isBroken: false,
    ask: (wanted, generate) =>
      streamCompletion(
        endpoint,
        { kind: "text", text: typeof wanted === "string" ? wanted : text.next(wanted) },
        generate,
      ),
  }
}
