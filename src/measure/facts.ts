import Type, { type Static } from "typebox"

/** The name of the format of what a profile found. */
export const FACTS_FORMAT = "xllm.profile/1"

const number = Type.Number()
const text = Type.String()
const speed = Type.Object({ reading: number, generating: number })

/** What was found out about one model, on one machine, with one build. Bytes, milliseconds, and tokens per second. */
export const ProfileFacts = Type.Object({
  schema: Type.Literal(FACTS_FORMAT),
  created: text,
  model: Type.Object({ name: text, digest: text }),
  machine: Type.Object({ cpu: text, cores: number, ram: number, gpus: Type.Array(text) }),
  build: Type.Object({ xllm: text, llama_cpp: text }),
  load: Type.Object({ cold_ms: Type.Optional(number), warm_ms: number, first_token_ms: number }),
  memory: Type.Object({
    weights: number,
    kv_per_1k_tokens: number,
    compute: number,
    estimated: Type.Object({ weights: number, kv_per_1k_tokens: number, compute: number }),
    /** On each GPU: what the weights take. */
    devices: Type.Array(Type.Object({ name: text, bytes: number })),
  }),
  depths: Type.Array(Type.Object({ depth: number, ...speed.properties })),
  threads: Type.Array(Type.Object({ threads: number, ...speed.properties })),
  gpuLayers: Type.Array(Type.Object({ layers: number, ...speed.properties })),
  batchCosts: Type.Array(Type.Object({ tokens: number, ms: number })),
  /** One conversation as long as the context. */
  conversation: Type.Object({ tokens: number, seconds: number, kv: number }),
  /** The settings that were measured to be better than the usual ones, by their names in a file, and why. */
  settings: Type.Array(Type.Object({ name: text, value: number, reason: text })),
  /** Nothing else disturbed the measurements: only then are settings and costs of use. */
  steady: Type.Boolean(),
  /** What was left out, and why. */
  notes: Type.Array(text),
})

export type ProfileFacts = Static<typeof ProfileFacts>
