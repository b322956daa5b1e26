import { BenchFailure } from "../failure"
import { eventData } from "../../src/measure/http/event-data"
import { FOUR_FIELDS, type MeasuredSchema, SCHEMAS } from "./schemas"

export interface Server {
  readonly url: string
  readonly model: string
  readonly signal: AbortSignal
}

/** One streamed answer. */
interface Answer {
  readonly tokens: number
  readonly firstAt: number
  readonly lastAt: number
  /** The longest time between two pieces of its text. */
  readonly longestGapMs: number
}

/** Rates in tokens per second, and the rate within a grammar divided by that without. */
export interface Comparison {
  readonly name: string
  readonly free: number
  readonly constrained: number
  readonly ratio: number
  readonly longestGapMs: number
  readonly longestFreeGapMs: number
}

const STREAMS = 16

const FORMATS: readonly (readonly [name: string, format: object])[] = [
  ["JSON object", { type: "json_object" }],
  [FOUR_FIELDS.name, formatOf(FOUR_FIELDS)],
]

/** One stream at a time: each answer within a grammar, then one without that has as many tokens. */
export async function compareSingle(server: Server, repeat: number): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = []
  for (const [name, format] of FORMATS) {
    const pairs: (readonly [constrained: Answer[], free: Answer[]])[] = []
    for (let seed = 1; seed <= repeat; seed++) {
      const constrained = await ask(server, seed, 160, format)
      pairs.push([[constrained], [await ask(server, seed, constrained.tokens)]])
    }
    comparisons.push(compared(name, pairs))
  }
  return comparisons
}

/** All streams at once, each with a schema of its own, then as many without. */
export async function compareMany(server: Server, repeat: number): Promise<Comparison> {
  const schemas = Array.from({ length: STREAMS }, (_, index) =>
    different(SCHEMAS[index % SCHEMAS.length] ?? FOUR_FIELDS, index),
  )
  const pairs: (readonly [constrained: Answer[], free: Answer[]])[] = []
  for (let seed = 1; seed <= repeat; seed++) {
    const constrained = await Promise.all(
      schemas.map((schema, index) => ask(server, seed * STREAMS + index, 96, formatOf(schema))),
    )
    const free = await Promise.all(
      constrained.map(({ tokens }, index) => ask(server, seed * STREAMS + index, tokens)),
    )
    pairs.push([constrained, free])
  }
  return compared(`${STREAMS} streams, as many schemas`, pairs)
}

/** The same schema, but compiled anew. */
function different({ name, schema }: MeasuredSchema, index: number): MeasuredSchema {
  return { name, schema: { ...schema, description: `schema ${index}` } }
}

function formatOf({ name, schema }: MeasuredSchema): object {
  return { type: "json_schema", json_schema: { name: name.replaceAll(/\W/g, "_").slice(0, 60), schema } }
}

function compared(
  name: string,
  pairs: readonly (readonly [constrained: Answer[], free: Answer[]])[],
): Comparison {
  const rateOf = (each: 0 | 1): number => {
    const tokens = pairs.reduce(
      (sum, pair) => sum + pair[each].reduce((all, { tokens }) => all + tokens - 1, 0),
      0,
    )
    const ms = pairs.reduce((sum, pair) => sum + durationOf(pair[each]), 0)
    return (tokens * 1000) / ms
  }
  const gapOf = (each: 0 | 1): number =>
    Math.max(...pairs.flatMap((pair) => pair[each].map(({ longestGapMs }) => longestGapMs)))
  const [constrained, free] = [rateOf(0), rateOf(1)]
  return {
    name,
    free,
    constrained,
    ratio: constrained / free,
    longestGapMs: gapOf(0),
    longestFreeGapMs: gapOf(1),
  }
}

/** From the first text of any to the last of all. */
function durationOf(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ lastAt }) => lastAt)) - Math.min(...answers.map(({ firstAt }) => firstAt))
}

/** Without a format, the answer has exactly `mostTokens`. */
async function ask(server: Server, seed: number, mostTokens: number, format?: object): Promise<Answer> {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    signal: server.signal,
    body: JSON.stringify({
      model: server.model,
      messages: [{ role: "user", content: `Describe person number ${seed}, with all details.` }],
      temperature: 0.8,
      seed,
      max_tokens: mostTokens,
      stream: true,
      stream_options: { include_usage: true },
      ...(format === undefined ? { ignore_eos: true } : { response_format: format }),
    }),
  })
  if (!response.ok)
    throw new BenchFailure(`HTTP ${response.status}: ${(await response.text()).slice(0, 300)}`)
  const at: number[] = []
  let tokens = 0
  for await (const data of eventData(response)) {
    if (data === "[DONE]") break
    // Of our own server: only these fields are read.
    const chunk = JSON.parse(data) as {
      readonly choices?: readonly { readonly delta?: { readonly content?: string } }[]
      readonly usage?: { readonly completion_tokens: number } | null
    }
    if (chunk.choices?.[0]?.delta?.content) at.push(performance.now())
    tokens = chunk.usage?.completion_tokens ?? tokens
  }
  const [firstAt, lastAt] = [at[0], at.at(-1)]
  if (firstAt === undefined || lastAt === undefined || tokens === 0)
    throw new BenchFailure("the answer has no text")
  return {
    tokens,
    firstAt,
    lastAt,
    longestGapMs: Math.max(0, ...at.slice(1).map((each, index) => each - (at[index] ?? each))),
  }
}
