import type { ChainSampler, SamplingParameters } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { type Fields, invalidField } from "./fields"

interface ChainMember {
  /** llama-server's name first, then other spellings in llama.cpp's tools. */
  readonly names: readonly string[]
  readonly letter: string
  /** Absent: it is applied before all others, wherever it stands. */
  readonly sampler?: ChainSampler
  /** The parameters that turn it off. */
  readonly off: Partial<SamplingParameters>
}

/** The sampler chain in llama-server's default order. */
const CHAIN: readonly ChainMember[] = [
  {
    names: ["penalties"],
    letter: "e",
    off: { repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
  },
  { names: ["dry"], letter: "d", off: { dryMultiplier: 0 } },
  { names: ["top_n_sigma", "top-n-sigma"], letter: "s", sampler: "topNSigma", off: { topNSigma: -1 } },
  { names: ["top_k", "top-k"], letter: "k", sampler: "topK", off: { topK: 0 } },
  {
    names: ["typ_p", "typ-p", "typ", "typical_p", "typical-p", "typical"],
    letter: "y",
    sampler: "typicalP",
    off: { typicalP: 1 },
  },
  { names: ["top_p", "top-p", "nucleus"], letter: "p", sampler: "topP", off: { topP: 1 } },
  { names: ["min_p", "min-p"], letter: "m", sampler: "minP", off: { minP: 0 } },
  { names: ["xtc"], letter: "x", sampler: "xtc", off: { xtcProbability: 0 } },
  {
    names: ["temperature", "temp"],
    letter: "t",
    sampler: "temperature",
    off: { temperature: 1, dynamicTemperatureRange: 0 },
  },
  { names: ["infill"], letter: "i", sampler: "infill", off: {} },
]

const NAMES = CHAIN.map(({ names }) => names[0]).join(", ")

/** llama-server's names of the samplers in the order in which they are applied; absent: its usual order. */
export function samplerNames(order: SamplingParameters["order"]): readonly (string | undefined)[] {
  const usual = CHAIN.filter(({ sampler }) => sampler !== "infill")
  const nameOf = ({ names }: ChainMember) => names[0]
  if (order === undefined) return usual.map(nameOf)
  const first = usual.filter(({ sampler }) => sampler === undefined)
  return [...first, ...order.flatMap((name) => CHAIN.find(({ sampler }) => sampler === name) ?? [])].map(
    nameOf,
  )
}

/**
 * Reads llama-server's `samplers`: names, or a string of letters, in the order in which they are applied. As in
 * llama-server, samplers not listed are off, and an empty list means the default chain.
 * @throws InvalidRequest; Unsupported where `given`, the request's parameters, turn on a penalty that is listed after
 * other samplers: penalties are always applied first
 */
export function readSamplers(
  fields: Fields,
  given: Partial<SamplingParameters>,
): Partial<SamplingParameters> {
  const wanted = readMembers(fields.unchecked("samplers"))
  if (wanted.length === 0) return {}
  if (new Set(wanted).size < wanted.length)
    throw new InvalidRequest("samplers must have each sampler at most once", "samplers")
  const firstOther = wanted.findIndex(({ sampler }) => sampler !== undefined)
  const late = wanted.find(
    (member, place) =>
      member.sampler === undefined && firstOther !== -1 && place > firstOther && isOn(member, given),
  )
  if (late !== undefined)
    throw new Unsupported(
      `samplers has ${late.names[0]} after others, but it is always applied first`,
      "samplers",
    )
  const off = CHAIN.filter((member) => !wanted.includes(member))
  return {
    ...off.reduce<Partial<SamplingParameters>>((all, member) => ({ ...all, ...member.off }), {}),
    ...(!isUsualOrder(wanted) && { order: wanted.flatMap(({ sampler }) => sampler ?? []) }),
  }
}

/** The usual chain does not have `infill`. */
function isUsualOrder(members: readonly ChainMember[]): boolean {
  const places = members.filter(({ sampler }) => sampler !== undefined).map((member) => CHAIN.indexOf(member))
  return (
    members.at(-1)?.sampler !== "infill" &&
    places.every((place, at) => at === 0 || place > (places[at - 1] ?? 0))
  )
}

/** Does the request itself turn it on? */
function isOn({ off }: ChainMember, given: Partial<SamplingParameters>): boolean {
  return Object.entries(off).some(([name, value]) => {
    // The names in `off` are those of parameters.
    const set = given[name as keyof SamplingParameters]
    return set !== undefined && set !== value
  })
}

function readMembers(value: unknown): readonly ChainMember[] {
  if (value === undefined) return []
  if (typeof value !== "string" && !Array.isArray(value)) {
    throw invalidField("samplers", "an array of names or a string of letters", value)
  }
  if (value.length > CHAIN.length)
    throw new InvalidRequest("samplers must have each sampler at most once", "samplers")
  return Array.from(value, memberOf)
}

function memberOf(name: unknown): ChainMember {
  const member = CHAIN.find(({ names, letter }) => name === letter || names.some((one) => one === name))
  if (member !== undefined) return member
  const given = typeof name === "string" ? JSON.stringify(name.slice(0, 40)) : "something that is not a name"
  throw new Unsupported(`samplers has ${given}; there are ${NAMES}`, "samplers")
}
