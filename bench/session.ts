import { mkdtemp } from "node:fs/promises"
import { basename, join } from "node:path"
import { countTokens, type Endpoint } from "../src/measure/http/completion"
import { complete } from "./completion"
import { BenchFailure, reasonOf } from "./failure"
import { runLlamaBench } from "./llama-bench"
import type { Load, Role } from "./load"
import type { Options } from "./options"
import type { Column, LoadResult } from "./result"
import { measureStartup, startup } from "./startup"
import { measureStages, stages } from "./stages"
import { medianSample, type Sample } from "./statistics"
import type { Target } from "./target"
import { RandomText, singleTokenWords } from "../src/measure/http/words"

/** One run of this program: its servers, its random prompts, and its progress output. */
export interface Session {
  readonly options: Options
  readonly targets: readonly Target[]
  readonly workspace: string
  readonly signal: AbortSignal
  /** Called after each measurement. */
  readonly progress: (line: string) => void
}

/** Random prompts of exact lengths for the model; their tokens are counted by the first server that answers. */
export async function prepareText(session: Session): Promise<RandomText> {
  const [target] = session.targets
  if (target === undefined) throw new BenchFailure("nothing to measure: no xLLM and no peer; see --help")
  await using open = await target.open(session.signal)
  const words = await singleTokenWords((text) => countTokens(open.endpoint, text))
  session.progress(`prompts are made of ${words.length} words that are one token each`)
  return new RandomText(words, session.options.seed)
}

/**
 * Runs one load on all its servers. All are running, but only one computes at a time; each repetition has new
 * prompts, the same for all servers, and reverses their order.
 */
export async function runLoad(session: Session, load: Load, text: RandomText): Promise<LoadResult> {
  await using open = new AsyncDisposableStack()
  const contestants: Contestant[] = []
  for (const target of takingPart(session.targets, load.peers)) {
    const contestant = new Contestant(target.role, target.label)
    contestants.push(contestant)
    await contestant.attempt(session.signal, async () => {
      const { endpoint } = open.use(await target.open(session.signal))
      await warmUp(endpoint, text)
      contestant.endpoint = endpoint
    })
  }
  const bench = load.peers.includes("llama-bench") ? session.options.llamaBench : undefined
  if (bench !== undefined) contestants.push(new Contestant("llama-bench", "llama-bench"))

  await repeat(session, load.name, contestants, () => {
    const run = load.prepare(text)
    return async ({ role, endpoint }) => {
      if (endpoint !== undefined) return await run(endpoint)
      if (role !== "llama-bench" || bench === undefined) throw new BenchFailure("its server is not up")
      return await runLlamaBench(bench, session.options.model, session.options.threads, session.signal)
    }
  })
  return { ...load, columns: contestants.map((contestant) => contestant.column()) }
}

/** Measures what the programs cost without requests; servers started by the user are excluded. */
export async function runStartup(session: Session): Promise<LoadResult | undefined> {
  const executables = takingPart(session.targets, startup.peers).flatMap(({ role, label, executable }) =>
    executable === undefined ? [] : [{ contestant: new Contestant(role, label), executable }],
  )
  if (executables.length === 0) return undefined
  const contestants = executables.map(({ contestant }) => contestant)
  await repeat(session, startup.name, contestants, () => async (contestant) => {
    const executable = executables.find((entry) => entry.contestant === contestant)?.executable
    if (executable === undefined) throw new BenchFailure("it has no executable")
    return await measureStartup(executable, session.workspace, session.signal)
  })
  return { ...startup, columns: contestants.map((contestant) => contestant.column()) }
}

/** Measures the stages of a cold start; only our own server tells them apart. */
export async function runStages(session: Session, text: RandomText): Promise<LoadResult | undefined> {
  const { options, workspace, signal } = session
  const [target] = session.targets.filter(({ role }) => role === "ours")
  const executable = target?.executable
  if (target === undefined || executable === undefined) return undefined
  const contestants = [new Contestant(target.role, target.label)]
  const model = basename(options.model, ".gguf")
  await repeat(session, stages.name, contestants, () => async () => {
    const home = await mkdtemp(join(workspace, "stages-"))
    return await measureStages({ executable, modelPath: options.model, model, home, signal }, text)
  })
  return { ...stages, columns: contestants.map((contestant) => contestant.column()) }
}

/** One column being measured. It stops at its first failure; the others continue. */
class Contestant {
  readonly role: Role
  readonly label: string
  endpoint: Endpoint | undefined
  readonly #samples: Sample[] = []
  #failure: string | undefined

  constructor(role: Role, label: string) {
    this.role = role
    this.label = label
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  add(sample: Sample): void {
    this.#samples.push(sample)
  }

  /** Does the work and records a failure; cancellation of the whole run is rethrown. */
  async attempt(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      signal.throwIfAborted()
      this.#failure = reasonOf(error)
    }
  }

  column(): Column {
    const { role, label } = this
    if (this.#failure !== undefined) return { role, label, samples: [], median: {}, failure: this.#failure }
    return { role, label, samples: this.#samples, median: medianSample(this.#samples) }
  }
}

/** @param prepare called once per repetition, before the contestants */
async function repeat(
  session: Session,
  name: string,
  contestants: readonly Contestant[],
  prepare: () => (contestant: Contestant) => Promise<Sample>,
): Promise<void> {
  for (let round = 1; round <= session.options.repeat; round++) {
    const measure = prepare()
    for (const contestant of round % 2 === 1 ? contestants : contestants.toReversed()) {
      if (contestant.hasFailed) continue
      await contestant.attempt(session.signal, async () => {
        const sample = await measure(contestant)
        contestant.add(sample)
        session.progress(`${name} ${round}/${session.options.repeat} ${contestant.label}: ${brief(sample)}`)
      })
    }
  }
}

/** Loads the model if that happens on demand, and touches its memory for the first time. */
async function warmUp(endpoint: Endpoint, text: RandomText): Promise<void> {
  await complete(endpoint, { kind: "text", text: text.next(64) }, 16)
}

function takingPart(targets: readonly Target[], peers: readonly Role[]): readonly Target[] {
  return targets.filter(({ role }) => role === "ours" || peers.includes(role))
}

function brief(sample: Sample): string {
  return Object.entries(sample)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(", ")
}
