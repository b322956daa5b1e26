import { Compile } from "typebox/compile"
import { readSettings } from "../../../config/resolve"
import { integer, text } from "../../../config/values"
import { reasonOf } from "../../../errors/base"
import { UsageError } from "../../../errors/cli"
import { MEASURING } from "../../../limits"
import { comparePairs, verdictOf } from "../../../measure/paired"
import { compareReports } from "../../../measure/regression"
import { BENCH_FORMAT, BenchReport } from "../../../measure/report"
import { SAMPLE_TEXT } from "../../../measure/sample-text"
import { defineCommand } from "../../args/command"
import { type FlagTable, type FlagValues, switchFlag } from "../../args/flags"
import { answerAll } from "../../measure/answers"
import {
  type DirectRun,
  directTests,
  loadSubjects,
  rememberMemory,
  timeDirectly,
  workOf,
} from "../../measure/direct"
import { benchmarkMedia } from "../../measure/media"
import { outputFlags, printReport } from "../../measure/output"
import { scoreAll, type ScoredText } from "../../measure/quality"
import { type MeasureRun, withRun } from "../../measure/run"
import { settingsFlags, sourceFlags } from "../../measure/source-flags"
import type { BenchSubject } from "../../measure/subject"
import { openSubjects } from "../../measure/subjects"
import { numbers, type Variant, variantFlags, variantsOf } from "../../measure/variants"
import { readGiven } from "../../terminal/given-file"
import type { Io } from "../../terminal/io"

const tokens = numbers(0, MEASURING.tokens)

/** The exit code of a loss with `--fail-on-loss`. */
const LOSS = 3

const flagTable = {
  pairs: {
    value: integer("N", MEASURING.pairs.min, MEASURING.pairs.max),
    description: "pairs of runs that the speed is compared by (default 12)",
  },
  prompt: { value: tokens, short: "p", description: "tokens of prompts; 0 = none (default 256)" },
  generate: { value: tokens, short: "n", description: "tokens to generate; 0 = none (default 32)" },
  depth: { value: tokens, short: "d", description: "tokens in the context before that (default 0)" },
  speed: switchFlag("compare speed (default); --no-speed does not"),
  quality: switchFlag("compare quality (default); --no-quality does not"),
  text: { value: text("FILE"), description: "the text to predict (default: a small one of our own)" },
  prompts: { value: text("FILE"), description: "also answer each line of this file, side by side" },
  maxTokens: {
    value: integer("N", 1, MEASURING.tokens),
    description: "the most tokens of such an answer (default 128)",
  },
  failOnLoss: switchFlag(`exit with code ${LOSS} where a later model or file is slower`),
  ...outputFlags,
  ...variantFlags,
  ...sourceFlags,
} satisfies FlagTable

type CompareFlags = FlagValues<typeof flagTable>

export const command = defineCommand({
  name: "compare",
  summary: "Compare models by speed and quality",
  words: "MODEL MODEL… | OLD.json NEW.json",
  minimumWords: 2,
  maximumWords: MEASURING.models,
  details: `Each MODEL is compared with the first one. Speed: the models take turns, A B, B A, …, and 'faster' or 'slower' is said only
where the pairs exclude chance and the difference is above 2 %. Quality: how well each predicts a text (perplexity, bits per
byte), and where the vocabularies are equal how far its probabilities are from the first model's (KL divergence). The text that
is built in is small: it shows large differences only.

With two files that 'xllm benchmark --format json' has written, their tests are compared.`,
  examples: [
    { line: "xllm compare model-f16.gguf model-q4.gguf", does: "what quantization gains and costs" },
    { line: "xllm compare a.gguf b.gguf --text book.txt --no-speed", does: "quality on a text of your own" },
    { line: "xllm compare a b --prompts questions.txt", does: "with their answers, side by side" },
    { line: "xllm compare old.json new.json --fail-on-loss", does: "find a loss of speed, in a script" },
  ],
  flags: flagTable,
  async run({ flags, words, io }) {
    if (words.every((word) => /\.jsonl?$/i.test(word))) return await compareFiles(words, flags, io)
    const plan = await planOf(flags, io)
    const results = await withRun({ command: "compare", words, flags, seed: plan.seed, io }, (run) =>
      compareModels(words, plan, flags, run, io),
    )
    endWith(results.report(), flags)
  },
})

/** @throws UsageError for a flag's file that is of no use, before anything is measured */
async function planOf(flags: CompareFlags, io: Io) {
  const { speed = true, quality = true, prompt = [256], generate = [32], depth = [0], pairs = 12 } = flags
  const tests = speed ? directTests(prompt, generate, depth) : []
  const prompts = flags.prompts === undefined ? [] : await readPrompts(flags.prompts)
  if (tests.length === 0 && !quality && prompts.length === 0)
    throw new UsageError("nothing is left to compare: speed and quality are off, and there are no prompts")
  const scored: ScoredText | undefined = quality ? await readScored(flags.text) : undefined
  return {
    settings: await readSettings(settingsFlags(flags), io.environment),
    tests,
    pairs,
    prompts,
    scored,
    seed: 1,
  }
}

async function readScored(path: string | undefined): Promise<ScoredText> {
  if (path === undefined) return { name: "the built-in text (small)", text: SAMPLE_TEXT }
  const bytes = await readGiven(path, "a text to score", MEASURING.textBytes)
  return { name: path, text: new TextDecoder().decode(bytes) }
}

async function readPrompts(path: string): Promise<readonly string[]> {
  const text = new TextDecoder().decode(await readGiven(path, "a file of prompts", MEASURING.textBytes))
  const prompts = text.split(/\r?\n/).filter((line) => line.trim() !== "")
  if (prompts.length === 0) throw new UsageError(`${path} has no prompts: each line is one`)
  if (prompts.length > MEASURING.prompts)
    throw new UsageError(`${path} has ${prompts.length} prompts; at most ${MEASURING.prompts} are answered`)
  return prompts
}

type ComparePlan = Awaited<ReturnType<typeof planOf>>

async function compareModels(
  words: readonly string[],
  plan: ComparePlan,
  flags: CompareFlags,
  run: MeasureRun,
  io: Io,
): Promise<void> {
  const subjects = await openSubjects(words, plan.settings, run, io)
  const [first] = subjects
  if (first === undefined) return
  const [variant, second] = variantsOf(flags, first.settings)
  if (variant === undefined) return
  if (second !== undefined)
    throw new UsageError("compare takes one value for each flag; 'xllm benchmark' gives every combination")
  const direct = { ...run, runtimeFolder: plan.settings.paths.runtime }
  const texts = subjects.filter(({ details }) => details.kind === "text")
  await compareSpeed(texts, plan, variant, direct)
  if (flags.speed !== false)
    await compareMedia(
      subjects.filter(({ details }) => details.kind !== "text"),
      plan,
      run,
    )
  if (plan.scored !== undefined) await scoreAll(texts, plan.scored, variant, direct)
  if (plan.prompts.length > 0)
    await answerAll(texts, plan.prompts, flags.maxTokens ?? 128, variant, plan.settings, run)
}

async function compareSpeed(
  subjects: readonly BenchSubject[],
  { tests, pairs }: ComparePlan,
  variant: Variant,
  run: DirectRun,
): Promise<void> {
  if (tests.length === 0) return
  for (const test of tests) run.progress.plan(subjects.length * workOf(test, pairs))
  if (subjects.length === 0) return
  await using models = await loadSubjects(subjects, variant.gpuLayers, run)
  const [first, ...others] = models.loaded
  for (const test of tests) {
    const samples = await timeDirectly(models.loaded, variant, test, { repetitions: pairs, warmup: 1 }, run)
    const base = first && samples.get(first)
    for (const other of others) {
      const theirs = samples.get(other)
      if (first === undefined || base === undefined || theirs === undefined) continue
      if (Math.min(base.length, theirs.length) === 0) continue
      const comparison = comparePairs(base, theirs)
      run.results.comparison({
        metric: test.name,
        base: first.subject.label,
        other: other.subject.label,
        ...comparison,
        ci: [...comparison.ci],
        verdict: verdictOf(comparison),
      })
    }
  }
  rememberMemory(models.loaded, run.results)
}

/** Speech and image models: by the time that they take. */
async function compareMedia(
  subjects: readonly BenchSubject[],
  { settings, pairs }: ComparePlan,
  run: MeasureRun,
): Promise<void> {
  const plan = { settings, repetitions: pairs, warmup: 1, concurrency: [1], sizes: [], steps: 4 }
  const rows = await benchmarkMedia(subjects, plan, run)
  for (const { subject, name, unit, samples } of rows) {
    const base = rows.find((row) => row.name === name && row.unit === unit)
    if (base === undefined || base.subject === subject) continue
    const faster = (times: readonly number[]) => times.map((time) => 1 / time)
    const comparison = comparePairs(faster(base.samples), faster(samples))
    run.results.comparison({
      metric: `${name} (${unit})`,
      base: base.subject.label,
      other: subject.label,
      ...comparison,
      ci: [...comparison.ci],
      verdict: verdictOf(comparison),
    })
  }
}

/** Two files of an earlier and a later run, or several, each against the first. */
async function compareFiles(words: readonly string[], flags: CompareFlags, io: Io): Promise<void> {
  const [old, ...others] = await Promise.all(words.map(readReport))
  if (old === undefined) return
  const compare = others.flatMap((other) => compareReports(old, other))
  if (compare.length === 0) throw new UsageError("the files have no test in common")
  const last = others.at(-1) ?? old
  const report: BenchReport = { ...last, tests: [], memory: [], compare }
  await printReport(report, flags, io)
  endWith(report, flags)
}

const checkReport = Compile(BenchReport)

/** @throws UsageError where it is no report */
async function readReport(path: string): Promise<BenchReport> {
  const content = new TextDecoder().decode(
    await readGiven(path, "a benchmark's results", MEASURING.reportBytes),
  )
  let given: unknown
  try {
    given = JSON.parse(content)
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${reasonOf(error)}`)
  }
  if (checkReport.Check(given)) return given
  const [fault] = checkReport.Errors(given)
  const place =
    fault === undefined ? "" : `: ${fault.instancePath === "" ? "it" : fault.instancePath} ${fault.message}`
  throw new UsageError(
    `${path} is not of the format ${BENCH_FORMAT}, which 'xllm benchmark --format json' writes${place}`,
  )
}

function endWith({ compare = [] }: BenchReport, { failOnLoss }: CompareFlags): void {
  if (failOnLoss === true && compare.some(({ verdict }) => verdict === "slower")) process.exitCode = LOSS
}
