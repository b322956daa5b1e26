import { readSettings, type Settings } from "../../../config/resolve"
import { connectionSettings } from "../../../config/sections/server"
import { decimal, integer, list, oneOf, text, url } from "../../../config/values"
import { UsageError } from "../../../errors/cli"
import { MEASURING } from "../../../limits"
import type { Endpoint } from "../../../measure/http/completion"
import { defineCommand } from "../../args/command"
import { type FlagTable, type FlagValues } from "../../args/flags"
import {
  type DirectTest,
  directTests,
  loadSubjects,
  rememberMemory,
  timeDirectly,
  workOf,
} from "../../measure/direct"
import { benchmarkMedia, type MediaPlan } from "../../measure/media"
import { outputFlags } from "../../measure/output"
import { type MeasureRun, withRun } from "../../measure/run"
import { settingsFlags, sourceFlags } from "../../measure/source-flags"
import {
  engineServed,
  httpServed,
  openEngine,
  type Served,
  servedWork,
  type ServedTest,
  timeServed,
} from "../../measure/served"
import type { BenchSubject } from "../../measure/subject"
import { openSubjects } from "../../measure/subjects"
import { numbers, type Variant, variantFlags, variantsOf } from "../../measure/variants"
import { existingFile, readGiven } from "../../terminal/given-file"
import type { Io } from "../../terminal/io"

const tokens = numbers(0, MEASURING.tokens)

const flagTable = {
  prompt: { value: tokens, short: "p", description: "tokens of prompts; 0 = no such tests (default 512)" },
  generate: { value: tokens, short: "n", description: "tokens to generate; 0 = no such tests (default 128)" },
  depth: { value: tokens, short: "d", description: "tokens in the context before that (default 0)" },
  repetitions: {
    value: integer("N", 1, MEASURING.repetitions),
    short: "r",
    description: "how often each test is timed (default 5)",
  },
  warmup: {
    value: integer("N", 0, MEASURING.warmup),
    description: "runs of each test before, which do not count (default 1)",
  },
  concurrency: {
    value: numbers(0, MEASURING.concurrency),
    description: "requests at the same time, as served; 0 = no such tests (default 1)",
  },
  rate: {
    value: list(decimal("N", MEASURING.perSecond.min, MEASURING.perSecond.max), "N,N,…"),
    description: "also: requests that arrive at so many a second, whether earlier ones have ended or not",
  },
  ttftLimit: {
    value: decimal("MS", 0, 1e9),
    description: "report how many requests had their first token within so many milliseconds",
  },
  promptFile: {
    value: text("FILE"),
    description: "the prompt of requests, in place of random tokens",
  },
  via: {
    value: oneOf("engine", "http"),
    description: "what answers requests: an engine of its own (default), or a server",
  },
  url: {
    value: url,
    description: "with --via http: any OpenAI-compatible server (default: the xLLM server)",
  },
  audio: {
    value: text("FILE"),
    description: "recognizers: the recording to transcribe (default: a sound like speech)",
  },
  size: {
    value: numbers(64, MEASURING.imageSide),
    description: "image models: sides in pixels (default: as trained)",
  },
  steps: {
    value: integer("N", 2, MEASURING.steps),
    description: "image models: steps of an image (default 4)",
  },
  seed: { value: integer("N", 0, 2 ** 32 - 1), description: "of the random prompts (default 1)" },
  ...outputFlags,
  ...variantFlags,
  ...sourceFlags,
} satisfies FlagTable

type BenchmarkFlags = FlagValues<typeof flagTable>

/** Everything that the tests need to know of the flags. */
interface Plan {
  readonly settings: Settings
  readonly repetitions: number
  readonly warmup: number
  readonly seed: number
  readonly direct: readonly DirectTest[]
  readonly served: readonly ServedTest[]
  readonly ttftLimitMs?: number
  readonly media: MediaPlan
}

export const command = defineCommand({
  name: "benchmark",
  summary: "Measure how fast models are",
  words: "MODEL…",
  minimumWords: 1,
  maximumWords: MEASURING.models,
  details: `Each MODEL is a model's name or path. pp512 is the speed of reading a prompt of 512 tokens, tg128 that of generating 128:
both without sampling and without a server, as llama-bench measures them. The other rows are answers to whole requests, with
the time to the first token (TTFT) and between tokens (ITL). Lists give every combination; several models take turns.

Medians of all repetitions, with the median absolute deviation. A row that other programs disturbed, or during which the
machine became slower or faster, is marked as unstable. Ctrl-C prints what was measured until then.`,
  examples: [
    { line: "xllm benchmark ./model.gguf", does: "reading, generating, and one request at a time" },
    { line: "xllm benchmark a.gguf b.gguf -p 0 -t 2,4,8", does: "two models by number of threads" },
    { line: "xllm benchmark qwen3 --concurrency 1,4,16 --format json", does: "as served, as JSON" },
    {
      line: "xllm benchmark qwen3 --via http --url http://gpu-box:8000",
      does: "through a server, whichever it is",
    },
  ],
  flags: flagTable,
  async run({ flags, words, io }) {
    const plan = await planOf(flags, io)
    const { seed } = plan
    await withRun({ command: "benchmark", words, flags, seed, io }, async (run) => {
      if (flags.via === "http") return await benchmarkServer(words, plan, run)
      await benchmarkModels(words, plan, flags, run, io)
    })
  },
})

async function planOf(flags: BenchmarkFlags, io: Io): Promise<Plan> {
  const { prompt = [512], generate = [128], depth = [0], concurrency = [1], rate = [], via } = flags
  const { repetitions = 5, warmup = 1, seed = 1, url: server } = flags
  if (server !== undefined && via !== "http") throw new UsageError("--url needs --via http")
  const settings = await readSettings(withServer(flags), io.environment)
  const text = flags.promptFile === undefined ? undefined : await readPrompt(flags.promptFile)
  const direct = via === "http" ? [] : directTests(prompt, generate, depth)
  const served = servedTests(text === undefined ? prompt : [0], generate, text, concurrency, rate)
  if (direct.length + served.length === 0)
    throw new UsageError("nothing is left to measure; give --prompt or --generate")
  const limit = flags.ttftLimit === undefined ? {} : { ttftLimitMs: flags.ttftLimit }
  const media: MediaPlan = {
    settings,
    repetitions,
    warmup,
    concurrency,
    sizes: flags.size ?? [],
    steps: flags.steps ?? 4,
    ...(flags.audio !== undefined && { audio: await existingFile(flags.audio) }),
  }
  return { settings, repetitions, warmup, seed, direct, served, ...limit, media }
}

/** A server that is named by its address stands in place of the configured one. */
function withServer(flags: BenchmarkFlags): Readonly<Record<string, unknown>> {
  const given = settingsFlags(flags)
  return flags.url === undefined
    ? given
    : { ...given, host: connectionSettings.host.value.parse(flags.url, "--url") }
}

async function readPrompt(path: string): Promise<string> {
  const text = new TextDecoder().decode(await readGiven(path, "a prompt", MEASURING.textBytes))
  if (text.trim() === "") throw new UsageError(`${path} has no text`)
  return text
}

function servedTests(
  prompts: readonly number[],
  generated: readonly number[],
  text: string | undefined,
  concurrency: readonly number[],
  rates: readonly number[],
): readonly ServedTest[] {
  return prompts
    .filter((prompt) => prompt > 0 || text !== undefined)
    .flatMap((prompt) =>
      generated
        .filter((generate) => generate > 0)
        .flatMap((generate): readonly ServedTest[] => {
          const common = { prompt, generate, ...(text !== undefined && { text }) }
          const together = concurrency.filter((count) => count > 0)
          return [
            ...together.map((count) => ({ ...common, concurrency: count })),
            ...rates.map((rate) => ({ ...common, concurrency: Math.max(1, ...together), rate })),
          ]
        }),
    )
}

async function benchmarkModels(
  words: readonly string[],
  plan: Plan,
  flags: BenchmarkFlags,
  run: MeasureRun,
  io: Io,
): Promise<void> {
  const all = await openSubjects(words, plan.settings, run, io)
  await benchmarkMedia(
    all.filter(({ details }) => details.kind !== "text"),
    plan.media,
    run,
  )
  const subjects = all.filter(({ details }) => details.kind === "text")
  const [first] = subjects
  if (first === undefined) return
  const variants = variantsOf(flags, first.settings)
  checkRows(variants.length * (plan.direct.length + plan.served.length) * subjects.length)
  announce(plan, variants, subjects.length, run)
  await runDirect(subjects, plan, variants, run)
  await runServed(subjects, plan, variants, run)
}

function checkRows(rows: number): void {
  if (rows > MEASURING.rows)
    throw new UsageError(
      `the lists have ${rows} combinations; at most ${MEASURING.rows} are measured in one run`,
    )
}

function announce(plan: Plan, variants: readonly Variant[], models: number, { progress }: MeasureRun): void {
  const { direct, served, repetitions, warmup } = plan
  const all = variants.length * models
  for (const test of direct) progress.plan(all * workOf(test, repetitions))
  for (const test of served)
    progress.plan(engineVariants(variants).length * models * servedWork(test, repetitions + warmup))
}

async function runDirect(
  subjects: readonly BenchSubject[],
  plan: Plan,
  variants: readonly Variant[],
  run: MeasureRun,
): Promise<void> {
  if (plan.direct.length === 0) return
  const direct = { ...run, runtimeFolder: plan.settings.paths.runtime }
  for (const [gpuLayers, group] of Map.groupBy(variants, (variant) => variant.gpuLayers)) {
    await using models = await loadSubjects(subjects, gpuLayers, direct)
    for (const variant of group)
      for (const test of plan.direct) await timeDirectly(models.loaded, variant, test, plan, direct)
    rememberMemory(models.loaded, run.results)
  }
}

/** An engine chooses its batches itself, so variants that differ in them only are one. */
function engineVariants(variants: readonly Variant[]): readonly Variant[] {
  const key = ({ batchTokens: _, microBatchTokens: __, ...rest }: Variant) => JSON.stringify(rest)
  return [...new Map(variants.toReversed().map((variant) => [key(variant), variant])).values()].toReversed()
}

async function runServed(
  subjects: readonly BenchSubject[],
  plan: Plan,
  variants: readonly Variant[],
  run: MeasureRun,
): Promise<void> {
  if (plan.served.length === 0) return
  const { results, signal } = run
  const mostAtOnce = Math.max(...plan.served.map(({ concurrency }) => concurrency))
  for (const variant of engineVariants(variants)) {
    const opened = await openEngine(plan.settings, variant, mostAtOnce)
    try {
      const all: Served[] = []
      for (const subject of subjects) {
        run.progress.begin(`loading ${subject.label}`)
        try {
          all.push(await engineServed(opened, subject, variant, { signal, seed: plan.seed }))
        } catch (error) {
          signal.throwIfAborted()
          results.failure(subject.label, error)
        }
      }
      for (const test of plan.served) await timeServed(all, test, { ...run, ...plan })
    } finally {
      await opened.engine.close()
    }
  }
}

async function benchmarkServer(words: readonly string[], plan: Plan, run: MeasureRun): Promise<void> {
  const { results, progress, signal } = run
  checkRows(words.length * plan.served.length)
  const { url, socket, apiKey } = plan.settings.server
  const all: Served[] = []
  for (const model of words) {
    progress.begin(`loading ${model}`)
    const endpoint: Endpoint = {
      url: url.replace(/\/v1$/, ""),
      model,
      signal,
      avoidsCache: true,
      ...(socket !== undefined && { socket }),
      ...(apiKey !== undefined && { headers: { authorization: `Bearer ${apiKey}` } }),
    }
    try {
      all.push(await httpServed(endpoint, plan.seed))
    } catch (error) {
      signal.throwIfAborted()
      results.failure(model, error)
    }
  }
  for (const test of plan.served) progress.plan(all.length * servedWork(test, plan.repetitions + plan.warmup))
  for (const test of plan.served) await timeServed(all, test, { ...run, ...plan })
}
