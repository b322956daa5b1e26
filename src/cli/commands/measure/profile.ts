import { mkdir, rename, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { usualConfigFile } from "../../../config/file"
import { profilePath } from "../../../config/profiles"
import { readSettings, type Settings } from "../../../config/resolve"
import { duration, integer } from "../../../config/values"
import { UsageError } from "../../../errors/cli"
import { FileFailed } from "../../../errors/store"
import { MEASURING } from "../../../limits"
import { FACTS_FORMAT, type ProfileFacts } from "../../../measure/facts"
import { recommend } from "../../../measure/recommend"
import { llamaVersion } from "../../../native/llama-version"
import { version } from "../../../version"
import { defineCommand } from "../../args/command"
import { type FlagTable, type FlagValues, switchFlag } from "../../args/flags"
import { writeSettings } from "../../measure/config-edit"
import { rememberMemory } from "../../measure/direct"
import { benchmarkMedia } from "../../measure/media"
import { outputFlags } from "../../measure/output"
import { conversationSeconds, Profiler, profileWork } from "../../measure/profiler"
import { type MeasureRun, withRun } from "../../measure/run"
import { settingsFlags, sourceFlags } from "../../measure/source-flags"
import type { BenchSubject } from "../../measure/subject"
import { openSubjects } from "../../measure/subjects"
import { variantsOf } from "../../measure/variants"
import { usableContext } from "../../show/usable-context"
import type { Io } from "../../terminal/io"
import { printable } from "../../terminal/output"

const BUDGET_SECONDS = 300

const flagTable = {
  apply: switchFlag(
    "write the recommended settings into the configuration file; the former one is kept as .bak",
  ),
  ctx: {
    value: integer("N", 64, MEASURING.tokens),
    description: "the longest conversation, in tokens (default: as served)",
  },
  repetitions: {
    value: integer("N", 1, MEASURING.repetitions),
    short: "r",
    description: "how often each speed is measured (default 3)",
  },
  budget: { value: duration, description: "the most time for full contexts (default 5m)" },
  ...outputFlags,
  ...sourceFlags,
} satisfies FlagTable

type ProfileFlags = FlagValues<typeof flagTable>

export const command = defineCommand({
  name: "profile",
  summary: "Find out what a model costs, and its best settings",
  words: "MODEL",
  minimumWords: 1,
  maximumWords: 1,
  details: `Measures how long MODEL takes to load, its memory by part beside the estimate, its speed by how full the context is and by
number of threads, and what batches of several tokens cost. Ends with the settings that were measured to be better than the
usual ones, and why.

What was found is kept for this version of the model, this machine and this build: the server uses it where nothing is set
('xllm show MODEL --effective' shows it as 'profile'; --no-profile ignores it).`,
  examples: [
    { line: "xllm profile ./model.gguf", does: "measure a model for a few minutes" },
    { line: "xllm profile qwen3 --budget 30s", does: "without the fullest contexts, if they take long" },
    { line: "xllm profile qwen3 --apply", does: "and write the best settings into the configuration" },
  ],
  flags: flagTable,
  async run({ flags, words, io }) {
    // Measured against what is used where nothing was measured.
    const settings = await readSettings({ ...settingsFlags(flags), profile: false }, io.environment)
    let facts: ProfileFacts | undefined
    await withRun({ command: "profile", words, flags, seed: 1, io }, async (run) => {
      const [subject] = await openSubjects(words, settings, run, io)
      if (subject === undefined) return
      if (subject.details.kind !== "text") return await profileMedia(subject, settings, flags, run)
      facts = await profileModel(subject, settings, flags, run)
      run.results.profile(facts)
    })
    if (facts !== undefined) await keep(facts, settings, flags, io)
  },
})

/** What speech and image models cost depends on what they are given, and on nothing that could be set. */
async function profileMedia(
  subject: BenchSubject,
  settings: Settings,
  { repetitions = 3 }: ProfileFlags,
  run: MeasureRun,
): Promise<void> {
  const plan = { settings, repetitions, warmup: 1, concurrency: [1, 2, 4], sizes: [], steps: 4 }
  await benchmarkMedia([subject], plan, run)
}

async function profileModel(
  subject: BenchSubject,
  settings: Settings,
  flags: ProfileFlags,
  run: MeasureRun,
): Promise<ProfileFacts> {
  const { details } = subject
  if (details.kind !== "text") throw new UsageError(`'${subject.label}' is not a text model`)
  const [variant] = variantsOf({}, subject.settings)
  if (variant === undefined) throw new UsageError("there is nothing to measure")
  const contextLength = flags.ctx ?? usableContext(details, settings)?.length ?? details.contextLength
  const { repetitions = 3, budget = BUDGET_SECONDS } = flags
  const direct = { ...run, runtimeFolder: settings.paths.runtime }
  const profiler = new Profiler(
    { subject, details, variant, contextLength, repetitions, budgetMs: 1000 * budget },
    direct,
  )
  run.progress.plan(profileWork(run.results.cores, repetitions))
  const { load, process } = await profiler.load()
  await using _ = process
  const memory = await profiler.memory(process)
  const threads = await profiler.threads(process)
  const batchCosts = await profiler.batchCosts(process)
  const gpuLayers = await profiler.gpuLayers(process)
  const depths = await profiler.depths(process)
  rememberMemory([{ subject, process, isBroken: false }], run.results)
  const { host } = run.results.report()
  return {
    schema: FACTS_FORMAT,
    created: new Date().toISOString(),
    model: { name: subject.label, digest: details.id },
    machine: { cpu: host.cpu, cores: host.cores, ram: host.ram, gpus: host.gpus.map(({ name }) => name) },
    build: { xllm: version, llama_cpp: llamaVersion() },
    load,
    memory,
    depths,
    threads,
    gpuLayers,
    batchCosts,
    conversation: {
      tokens: contextLength,
      seconds: conversationSeconds(depths, contextLength),
      kv: (memory.kv_per_1k_tokens * contextLength) / 1024,
    },
    settings: profiler.isSteady ? recommend({ threads, gpuLayers, usualThreads: variant.threads }) : [],
    steady: profiler.isSteady,
    notes: profiler.notes,
  }
}

/** Keeps the facts for the server, and with `--apply` writes the settings into the configuration. */
async function keep(facts: ProfileFacts, settings: Settings, flags: ProfileFlags, io: Io): Promise<void> {
  const path = profilePath(settings.paths, facts.model.digest)
  try {
    await mkdir(dirname(path), { recursive: true })
    const written = `${path}.${process.pid}.part`
    await writeFile(written, `${JSON.stringify(facts, null, 2)}\n`)
    await rename(written, path)
  } catch (error) {
    throw new FileFailed("write", path, error)
  }
  if (flags.apply !== true) return
  if (facts.settings.length === 0)
    return io.writeError(
      facts.steady
        ? "nothing to apply: the usual settings were the fastest\n"
        : "nothing to apply: other programs disturbed the measurement; run it again when they rest\n",
    )
  const file = settings.file?.path ?? usualConfigFile(io.environment)
  const backup = await writeSettings(file, facts.model.name, facts.settings)
  const kept = backup === undefined ? "" : ` (the former one is ${printable(backup)})`
  io.writeError(`written to ${printable(file)}${kept}\n`)
}
