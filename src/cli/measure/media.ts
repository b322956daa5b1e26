import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ModelKind } from "../../domain/model"
import type { ManagedEngine } from "../../engine"
import { CannotMeasure } from "../../errors/cli"
import { createLogger } from "../../log/logger"
import { turnsOf } from "../../measure/paired"
import { SAMPLE_TEXT } from "../../measure/sample-text"
import { syntheticSpeech } from "../../measure/synthetic-speech"
import type { Settings } from "../../config/resolve"
import type { Store } from "../../store/contract"
import { meantModel } from "../args/model-path"
import { createLocal } from "../serve/compose"
import type { MeasureRun } from "./run"
import type { BenchSubject } from "./subject"

/** How speech and image models are measured. */
export interface MediaPlan {
  readonly settings: Settings
  readonly repetitions: number
  readonly warmup: number
  readonly concurrency: readonly number[]
  /** A recording to transcribe; absent: a sound like speech. */
  readonly audio?: string
  /** Sides of images in pixels; empty: as the model was trained. */
  readonly sizes: readonly number[]
  readonly steps: number
}

/** One row, with a value for each repetition; several rows may come from one piece of work. */
interface MediaTest {
  readonly name: string
  readonly concurrency: number
  /** The values of one repetition, by unit. */
  run(model: string): Promise<Readonly<Record<string, number>>>
  readonly notes?: readonly string[]
}

/** The samples of one row, for comparing models. */
export interface MediaSamples {
  readonly subject: BenchSubject
  readonly name: string
  readonly unit: string
  readonly samples: readonly number[]
}

/** Characters of the texts that are spoken. */
const TEXT_LENGTHS = [60, 300, 900] as const

const SYNTHETIC_SECONDS = 30

/** Measures speech and image models as they are used; several of one kind take turns. @returns samples by row and model */
export async function benchmarkMedia(
  subjects: readonly BenchSubject[],
  plan: MediaPlan,
  run: MeasureRun,
): Promise<readonly MediaSamples[]> {
  if (subjects.length === 0) return []
  const folder = await mkdtemp(join(tmpdir(), "xllm-measure-"))
  const log = createLogger({ level: "off" })
  const local = await createLocal({
    settings: plan.settings,
    log,
    adapt: (usual) => ({ ...usual, keepAliveSeconds: null, replicas: 1 }),
  })
  const rows: MediaSamples[] = []
  try {
    for (const [kind, models] of Map.groupBy(subjects, ({ details }) => details.kind))
      rows.push(
        ...(await measureKind(
          models,
          await testsOf(kind, plan, folder, local.engine, run.signal),
          plan,
          local,
          run,
        )),
      )
    return rows
  } finally {
    await local.engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function testsOf(
  kind: ModelKind,
  plan: MediaPlan,
  folder: string,
  engine: ManagedEngine,
  signal: AbortSignal,
): Promise<readonly MediaTest[]> {
  switch (kind) {
    case "tts":
      return speechTests(plan, engine, signal)
    case "asr":
      return await transcriptionTests(plan, folder, engine, signal)
    case "image":
      return imageTests(plan, engine, signal)
    default:
      return []
  }
}

async function measureKind(
  subjects: readonly BenchSubject[],
  tests: readonly MediaTest[],
  { repetitions, warmup }: MediaPlan,
  local: { readonly engine: ManagedEngine; readonly store: Store },
  run: MeasureRun,
): Promise<readonly MediaSamples[]> {
  const { results, progress, signal } = run
  const names = await loadAll(subjects, local, run)
  const rows: MediaSamples[] = []
  if (tests.length === 0)
    for (const { label, details } of subjects)
      results.failure(label, new CannotMeasure(`there is no benchmark for models of kind '${details.kind}'`))
  const broken = new Set(subjects.filter((subject) => !names.has(subject)))
  progress.plan(tests.length * subjects.length * (repetitions + warmup))
  for (const test of tests) {
    const watch = results.watch()
    const samples = new Map(subjects.map((subject) => [subject, new Map<string, number[]>()]))
    for (let round = -warmup; round < repetitions; round++)
      for (const subject of turnsOf(subjects, Math.abs(round))) {
        if (broken.has(subject) || signal.aborted) continue
        progress.begin(`${test.name} of ${subject.label}`)
        try {
          const values = await test.run(names.get(subject) ?? subject.label)
          if (round >= 0)
            for (const [unit, value] of Object.entries(values)) {
              const ofUnit = samples.get(subject)?.get(unit) ?? []
              samples.get(subject)?.set(unit, [...ofUnit, value])
            }
        } catch (error) {
          if (signal.aborted) continue
          broken.add(subject)
          results.failure(subject.label, error)
        }
        progress.did(1)
      }
    for (const [subject, byUnit] of samples)
      for (const [unit, taken] of byUnit) {
        rows.push({ subject, name: test.name, unit, samples: taken })
        results.test(
          {
            model: subject.label,
            name: unit === "ms to the first byte" ? `${test.name} first byte` : test.name,
            via: "engine",
            prompt: 0,
            generated: 0,
            depth: 0,
            concurrency: test.concurrency,
            unit: unit === "ms to the first byte" ? "ms" : unit,
            ...(test.notes !== undefined && { notes: [...test.notes] }),
          },
          taken,
          watch,
          results.cores,
        )
      }
    signal.throwIfAborted()
  }
  for (const subject of subjects) rememberFootprint(subject, names.get(subject), local.engine, run)
  return rows
}

/** Loads the models, by the names that this engine has for them. Those that do not load are failures. */
async function loadAll(
  subjects: readonly BenchSubject[],
  { engine, store }: { readonly engine: ManagedEngine; readonly store: Store },
  { results, progress, signal }: MeasureRun,
): Promise<ReadonlyMap<BenchSubject, string>> {
  const names = new Map<BenchSubject, string>()
  for (const subject of subjects) {
    progress.begin(`loading ${subject.label}`)
    const startedAt = performance.now()
    try {
      const { name } = await meantModel(subject.given, store)
      await engine.preload(name, signal)
      names.set(subject, name)
      results.memory({ model: subject.label, load_seconds: (performance.now() - startedAt) / 1000 })
    } catch (error) {
      signal.throwIfAborted()
      results.failure(subject.label, error)
    }
  }
  return names
}

/** What its worker holds after the work. */
function rememberFootprint(
  { label }: BenchSubject,
  name: string | undefined,
  engine: ManagedEngine,
  { results }: MeasureRun,
): void {
  const footprint = engine.loaded().find((model) => model.name === name)?.footprint
  if (footprint === undefined) return
  const vram = footprint.devices.reduce((sum, { bytes }) => sum + bytes, 0)
  results.memory({ model: label, peak_ram: footprint.ramBytes, vram })
}

function speechTests(
  { concurrency }: MediaPlan,
  engine: ManagedEngine,
  signal: AbortSignal,
): readonly MediaTest[] {
  return TEXT_LENGTHS.flatMap((length) =>
    concurrency
      .filter((count) => count > 0)
      .map((count) => ({
        name: `speak ${length} chars c${count}`,
        concurrency: count,
        run: async (model: string) => {
          const startedAt = performance.now()
          const spoken = await Promise.all(
            Array.from({ length: count }, () => speak(engine, model, textOf(length), signal)),
          )
          const seconds = (performance.now() - startedAt) / 1000
          const audio = spoken.reduce((sum, { audioSeconds }) => sum + audioSeconds, 0)
          if (audio === 0) throw new CannotMeasure("the model made no sound")
          return {
            "× length": seconds / audio,
            "ms to the first byte": Math.max(...spoken.map(({ firstByteMs }) => firstByteMs)),
          }
        },
      })),
  )
}

/** The beginning of the built-in text, up to the end of a word. */
function textOf(length: number): string {
  return `${SAMPLE_TEXT.slice(0, length).replace(/\s+\S*$/, "")}.`
}

async function speak(engine: ManagedEngine, model: string, input: string, signal: AbortSignal) {
  const startedAt = performance.now()
  let firstByteMs: number | undefined
  for await (const event of engine.speak({ kind: "speech", model, input, format: "pcm", speed: 1 }, signal)) {
    if (event.type === "audio" && event.bytes.length > 0) firstByteMs ??= performance.now() - startedAt
    if (event.type === "done")
      return {
        audioSeconds: event.usage.audioSeconds,
        firstByteMs: firstByteMs ?? performance.now() - startedAt,
      }
  }
  throw new CannotMeasure("the speech ended early")
}

async function transcriptionTests(
  { audio, concurrency }: MediaPlan,
  folder: string,
  engine: ManagedEngine,
  signal: AbortSignal,
): Promise<readonly MediaTest[]> {
  const path = audio ?? join(folder, "sound.wav")
  if (audio === undefined) await writeFile(path, syntheticSpeech(SYNTHETIC_SECONDS))
  const notes = audio === undefined ? { notes: ["a sound like speech; --audio FILE is more telling"] } : {}
  return concurrency
    .filter((count) => count > 0)
    .map((count) => ({
      name: `transcribe c${count}`,
      concurrency: count,
      ...notes,
      run: async (model: string) => {
        const startedAt = performance.now()
        const all = await Promise.all(
          Array.from({ length: count }, () => transcribe(engine, model, path, signal)),
        )
        const seconds = (performance.now() - startedAt) / 1000
        return { "s/min": (60 * seconds) / all.reduce((sum, length) => sum + length, 0) }
      },
    }))
}

/** Returns the seconds of the recording. */
async function transcribe(
  engine: ManagedEngine,
  model: string,
  audioPath: string,
  signal: AbortSignal,
): Promise<number> {
  const request = { kind: "transcription", model, audioPath, task: "transcribe", wordTimes: false } as const
  for await (const event of engine.transcribe(request, signal))
    if (event.type === "done") return event.usage.audioSeconds
  throw new CannotMeasure("the transcription ended early")
}

function imageTests(
  { sizes, steps }: MediaPlan,
  engine: ManagedEngine,
  signal: AbortSignal,
): readonly MediaTest[] {
  const all = sizes.length === 0 ? [undefined] : sizes
  return all.map((size) => ({
    name: size === undefined ? "draw" : `draw ${size}x${size}`,
    concurrency: 1,
    run: (model: string) => draw(engine, model, size, steps, signal),
  }))
}

/** The time between steps, and that of the whole image with its decoding. */
async function draw(
  engine: ManagedEngine,
  model: string,
  size: number | undefined,
  steps: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const startedAt = performance.now()
  const stepAt: number[] = []
  const request = {
    kind: "image",
    model,
    prompt: "a lighthouse in the evening",
    n: 1,
    steps,
    seed: 1,
    format: "png",
    preview: false,
    ...(size !== undefined && { width: size, height: size }),
  } as const
  for await (const event of engine.generateImage(request, signal)) {
    if (event.type === "step") stepAt.push(performance.now())
    if (event.type !== "done") continue
    const [first, last] = [stepAt[0], stepAt.at(-1)]
    const perStep =
      first === undefined || last === undefined || stepAt.length < 2
        ? {}
        : { "s/step": (last - first) / (stepAt.length - 1) / 1000 }
    return { ...perStep, s: (performance.now() - startedAt) / 1000 }
  }
  throw new CannotMeasure("the image was not finished")
}
