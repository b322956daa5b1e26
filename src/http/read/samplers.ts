import type { SamplingParameters } from "../../domain/chat"
import { Unsupported } from "../../errors/request"
import { type Fields, invalidField } from "./fields"

interface ChainMember {
  /** llama-server's name first, then other spellings in llama.cpp's tools. */
  readonly names: readonly string[]
  readonly letter: string
  /** The parameters that turn it off. */
  readonly off: Partial<SamplingParameters>
}

/** The sampler chain in its order, which is llama-server's default. */
const CHAIN: readonly ChainMember[] = [
  {
    names: ["penalties"],
    letter: "e",
    off: { repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
  },
  { names: ["dry"], letter: "d", off: { dryMultiplier: 0 } },
  { names: ["top_n_sigma", "top-n-sigma"], letter: "s", off: { topNSigma: -1 } },
  { names: ["top_k", "top-k"], letter: "k", off: { topK: 0 } },
  {
    names: ["typ_p", "typ-p", "typ", "typical_p", "typical-p", "typical"],
    letter: "y",
    off: { typicalP: 1 },
  },
  { names: ["top_p", "top-p", "nucleus"], letter: "p", off: { topP: 1 } },
  { names: ["min_p", "min-p"], letter: "m", off: { minP: 0 } },
  { names: ["xtc"], letter: "x", off: { xtcProbability: 0 } },
  { names: ["temperature", "temp"], letter: "t", off: { temperature: 1, dynamicTemperatureRange: 0 } },
]

const ORDER = CHAIN.map(({ names }) => names[0]).join(", ")

/**
 * Reads llama-server's `samplers`: names, or a string of letters. As in llama-server, samplers not listed are off,
 * and an empty list means the default chain. The order must be that of the chain.
 * @throws InvalidRequest, Unsupported
 */
export function readSamplers(fields: Fields): Partial<SamplingParameters> {
  const wanted = readMembers(fields.unchecked("samplers"))
  if (wanted.length === 0) return {}
  const places = wanted.map((member) => CHAIN.indexOf(member))
  if (places.some((place, index) => index > 0 && place <= (places[index - 1] ?? 0))) throw disordered()
  const off = CHAIN.filter((member) => !wanted.includes(member))
  return off.reduce<Partial<SamplingParameters>>((all, member) => ({ ...all, ...member.off }), {})
}

function readMembers(value: unknown): readonly ChainMember[] {
  if (value === undefined) return []
  if (typeof value !== "string" && !Array.isArray(value)) {
    throw invalidField("samplers", "an array of names or a string of letters", value)
  }
  if (value.length > CHAIN.length) throw disordered()
  return Array.from(value, memberOf)
}

function disordered(): Unsupported {
  return new Unsupported(
    `samplers must be in the order in which they are applied, each at most once: ${ORDER}; omitted ones are off`,
    "samplers",
  )
}

function memberOf(name: unknown): ChainMember {
  const member = CHAIN.find(({ names, letter }) => name === letter || names.some((one) => one === name))
  if (member !== undefined) return member
  const given = typeof name === "string" ? JSON.stringify(name.slice(0, 40)) : "something that is not a name"
  throw new Unsupported(`samplers has ${given}; there are ${ORDER}`, "samplers")
}
