import { openSync } from "node:fs"
import { settingsOfModel } from "../../src/config/model-settings"
import { toLoadSettings } from "../../src/engine/model-kinds"
import { toGbnf } from "../../src/grammar/print"
import { compileSchema } from "../../src/grammar/schema/compile"
import { Batch } from "../../src/llama/batch"
import { Context } from "../../src/llama/context"
import { NativeGrammar } from "../../src/llama/grammar"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { Constraint, type ConstraintWork } from "../../src/worker/text/sampling/constraint"
import { effectiveSampling, modelDefaults } from "../../src/worker/text/sampling/sampling"
import { SequenceSampler } from "../../src/worker/text/sampling/sequence-sampler"
import { TokenIndex } from "../../src/worker/text/sampling/token-index"
import type { TokenRule } from "../../src/worker/text/sampling/token-rule"
import { BenchFailure } from "../failure"
import { percentile } from "../../src/measure/statistics"
import { type MeasuredSchema, SCHEMAS } from "./schemas"

const CONTEXT = 1024
/** One thread: the time of a grammar does not depend on how many there are. */
const LOADING = {
  ...toLoadSettings(settingsOfModel({ flags: {}, environment: {} }, { name: "" })),
  decodeThreads: 1,
  prefillThreads: 1,
  gpuLayers: 0,
}
const TEMPERATURE = 0.8

/** What the grammar of one schema costs. */
export interface TokenCosts extends ConstraintWork {
  readonly name: string
  readonly tokens: number
  readonly compileMs: number
  readonly meanMs: number
  readonly p99Ms: number
  readonly longestMs: number
}

/** Times a grammar, apart from everything else that a token costs. */
class TimedRule implements TokenRule {
  readonly forced = undefined
  readonly #rule: Constraint
  /** Of the current token. */
  ms = 0

  constructor(rule: Constraint) {
    this.#rule = rule
  }

  get work(): ConstraintWork {
    return this.#rule.work
  }

  take(token: number): boolean {
    return this.#timed(() => this.#rule.take(token))
  }

  fitting(tokens: readonly number[]): number {
    return this.#rule.fitting(tokens)
  }

  narrow(logits: Float32Array, banned: ReadonlyMap<number, number>): readonly number[] {
    return this.#timed(() => this.#rule.narrow(logits, banned))
  }

  #timed<T>(work: () => T): T {
    const startedAt = performance.now()
    const result = work()
    this.ms += performance.now() - startedAt
    return result
  }

  [Symbol.dispose](): void {
    this.#rule[Symbol.dispose]()
  }
}

/** Generates answers of each schema in this process, until `tokens` of each are measured. */
export async function measureTokens(path: string, tokens: number): Promise<readonly TokenCosts[]> {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, {
    useGpu: false,
    logDescriptor: openSync("/dev/null", "w"),
    logLevel: 4,
  })
  using model = Model.load(library, path, LOADING) ?? refused(path)
  using context =
    Context.create(model, {
      ...LOADING,
      cells: CONTEXT,
      layout: "unified",
      sequences: 1,
      batchTokens: 512,
      microBatchTokens: 512,
      outputs: 1,
    }) ?? refused(path)
  return SCHEMAS.map((each) => measureSchema(model, context, each, tokens))
}

function measureSchema(
  model: Model,
  context: Context,
  { name, schema }: MeasuredSchema,
  tokens: number,
): TokenCosts {
  const { library, vocabulary } = model
  const startedAt = performance.now()
  const source = toGbnf(compileSchema(schema).grammar)
  using grammar = NativeGrammar.compile(library, vocabulary.share(), source) ?? refused(name)
  // Made once for each model, with its first grammar.
  TokenIndex.of(vocabulary)
  const compileMs = performance.now() - startedAt
  const times: number[] = []
  let [checks, candidates] = [0, 0]
  for (let seed = 1; times.length < tokens; seed++) {
    const rule = new TimedRule(new Constraint(grammar.clone(), vocabulary, vocabulary.endTokens(), new Set()))
    using sampler = samplerOf(model, rule, seed)
    generate(model, context, sampler, tokens - times.length, () => {
      times.push(rule.ms)
      rule.ms = 0
    })
    checks += rule.work.checks
    candidates += rule.work.candidates
  }
  const meanMs = times.reduce((sum, ms) => sum + ms, 0) / times.length
  return {
    name,
    tokens: times.length,
    compileMs,
    meanMs,
    p99Ms: percentile(times, 0.99),
    longestMs: Math.max(...times),
    checks,
    candidates,
  }
}

function samplerOf(model: Model, rule: TokenRule, seed: number): SequenceSampler {
  const defaults = effectiveSampling(
    modelDefaults(() => undefined),
    { temperature: TEMPERATURE },
    CONTEXT,
  )
  const bias = { tokens: new Int32Array(0), values: new Float32Array(0) }
  return new SequenceSampler(model, { ...defaults, seed, bias }, 0, CONTEXT, rule)
}

/** One answer; ends with the end token, at the end of the context, or after `most` tokens. */
function generate(
  model: Model,
  context: Context,
  sampler: SequenceSampler,
  most: number,
  chosen: () => void,
): void {
  const { vocabulary } = model
  context.clear(0)
  const tokens = [...vocabulary.tokenize("Answer with JSON:\n", { addSpecial: true, parseSpecial: false })]
  let from = 0
  for (let count = 0; count < most && tokens.length < CONTEXT; count++) {
    const batch = new Batch(512, 1)
    for (let at = from; at < tokens.length; at++)
      batch.add(tokens[at] as number, at, 0, at === tokens.length - 1)
    if (context.decode(batch) !== "done") throw new BenchFailure("the model could not be evaluated")
    const token = sampler.choose(context, tokens.length - 1 - from, tokens, [])
    from = tokens.length
    tokens.push(token)
    chosen()
    if (vocabulary.endsGeneration(token)) return
  }
}

function refused(what: string): never {
  throw new BenchFailure(`llama.cpp refused ${what}`)
}
