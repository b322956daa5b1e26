import Type, { type Static } from "typebox"
import { ProfileFacts } from "./facts"

/** The name of the format. A later one with another meaning gets another number. */
export const BENCH_FORMAT = "xllm.bench/1"

const text = Type.String()
const number = Type.Number()
const count = Type.Integer({ minimum: 0 })
const texts = Type.Array(text)

const Host = Type.Object({
  cpu: text,
  cores: Type.Integer({ minimum: 1 }),
  ram: number,
  os: text,
  gpus: Type.Array(Type.Object({ name: text, memory: number })),
  load: number,
})

const Model = Type.Object({
  name: text,
  kind: text,
  digest: text,
  architecture: text,
  file_type: text,
  size: number,
  parameters: Type.Union([number, Type.Null()]),
})

/** What the model was loaded and computed with. */
const LoadedWith = Type.Object({
  backend: text,
  threads: count,
  gpu_layers: Type.Union([number, Type.Null()]),
  batch: count,
  ubatch: count,
  flash_attention: text,
  cache_type_k: text,
  cache_type_v: text,
})

/** Milliseconds. */
const Percentiles = Type.Object({ p50: number, p99: number })

const Test = Type.Object({
  model: text,
  name: text,
  /** `worker`: the model alone, without sampling; `engine`: as served, in this process; `http`: through a server. */
  via: Type.Union([Type.Literal("worker"), Type.Literal("engine"), Type.Literal("http")]),
  prompt: count,
  generated: count,
  depth: count,
  concurrency: count,
  unit: text,
  samples: Type.Array(number, { minItems: 1 }),
  median: number,
  mad: number,
  min: number,
  max: number,
  loaded_with: Type.Optional(LoadedWith),
  /** Requests per second that arrive, whether earlier ones have ended or not. */
  rate: Type.Optional(number),
  /** Tokens/s of one stream, beside the others. */
  per_stream: Type.Optional(number),
  first_token_ms: Type.Optional(Percentiles),
  between_tokens_ms: Type.Optional(Percentiles),
  /** The limit of the time to the first token, and the requests per second that met it. */
  goodput: Type.Optional(Type.Object({ limit_ms: number, per_second: number, share: number })),
  /** Why the numbers are not to be trusted. */
  unstable: Type.Optional(texts),
  notes: Type.Optional(texts),
})

const Memory = Type.Object({
  model: text,
  load_seconds: Type.Optional(number),
  peak_ram: Type.Optional(number),
  vram: Type.Optional(number),
})

const Comparison = Type.Object({
  metric: text,
  base: text,
  other: text,
  ratio: number,
  ci: Type.Tuple([number, number]),
  p: number,
  n: count,
  verdict: text,
})

const Quality = Type.Object({
  model: text,
  text: text,
  windows: count,
  tokens: count,
  perplexity: number,
  perplexity_error: number,
  bits_per_byte: number,
  /** Against the first model, where both have the same vocabulary. */
  divergence: Type.Optional(Type.Object({ mean: number, error: number, p99: number, same_top: number })),
})

export const BenchReport = Type.Object({
  schema: Type.Literal(BENCH_FORMAT),
  created: text,
  host: Host,
  engine: Type.Object({ xllm: text, llama_cpp: text, backends: texts }),
  models: Type.Array(Model),
  /** With which the same run can be started again. */
  parameters: Type.Object({ command: texts, seed: count }),
  tests: Type.Array(Test),
  memory: Type.Array(Memory),
  compare: Type.Optional(Type.Array(Comparison)),
  quality: Type.Optional(Type.Array(Quality)),
  answers: Type.Optional(
    Type.Array(Type.Object({ prompt: text, answers: Type.Array(Type.Object({ model: text, text })) })),
  ),
  profile: Type.Optional(ProfileFacts),
  failures: Type.Array(Type.Object({ model: text, error: text })),
  /** Of the whole run: contention, an end before its time. */
  warnings: texts,
  /** Ended before everything was measured. */
  interrupted: Type.Boolean(),
})

export type BenchReport = Static<typeof BenchReport>
export type BenchTest = Static<typeof Test>
export type BenchModel = Static<typeof Model>
export type BenchMemory = Static<typeof Memory>
export type BenchComparison = Static<typeof Comparison>
export type BenchQuality = Static<typeof Quality>
export type LoadedWith = Static<typeof LoadedWith>
