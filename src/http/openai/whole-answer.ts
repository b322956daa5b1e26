import type { TokenLogprob } from "../../domain/chat"
import { breathe } from "../../lib/async/breathe"
import type { ReportedToken } from "../render/answer"
import { CompletionLogprobsWriter, toChatLogprobs } from "./logprobs"

/** Tokens whose log probabilities are serialised in one step; with 20 alternatives each this takes about 6 ms. */
const BLOCK_TOKENS = 512

/** After this many characters of choices, yield to other requests. */
const BREATH_LENGTH = 1024 ** 2

/**
 * One choice of a whole answer: JSON before and after its log probabilities, and the function that serialises these.
 */
export interface ChoiceJson {
  readonly head: string
  readonly tail: string
  logprobs(): Promise<string>
}

/**
 * A whole answer: the fields before its choices, the choices, and the fields after them. It may contain millions of
 * log probabilities, so it is serialised in steps that yield to other requests.
 */
export async function wholeAnswer(
  before: object,
  choices: readonly ChoiceJson[],
  after: object,
): Promise<Response> {
  const written: string[] = []
  let sinceBreath = 0
  for (const { head, tail, logprobs } of choices) {
    const json = head + (await logprobs()) + tail
    written.push(json)
    sinceBreath += json.length
    if (sinceBreath < BREATH_LENGTH) continue
    await breathe()
    sinceBreath = 0
  }
  const text = `${JSON.stringify(before).slice(0, -1)},"choices":[${written.join(",")}],${JSON.stringify(after).slice(1)}`
  return new Response(text, { headers: { "content-type": "application/json;charset=utf-8" } })
}

/** The choice's member with its token ids, if requested. */
export function tokensMember(tokens: readonly number[] | undefined): string {
  return tokens === undefined ? "" : `,"tokens":${JSON.stringify(tokens)}`
}

/** For a choice without log probabilities. */
export const noLogprobs = (): Promise<string> => Promise.resolve("null")

/** `logprobs` of a chat choice. */
export async function chatLogprobs(tokens: readonly TokenLogprob[]): Promise<string> {
  const content: string[] = []
  await inBlocks(tokens, (block) => void content.push(itemsOf(toChatLogprobs(block).content)))
  return `{"content":[${content.join(",")}],"refusal":null}`
}

/** `logprobs` of a completion choice. */
export async function completionLogprobs(tokens: readonly ReportedToken[]): Promise<string> {
  const writer = new CompletionLogprobsWriter()
  const lists = new Map<string, string[]>()
  await inBlocks(tokens, (block) => {
    for (const [name, values] of Object.entries(writer.write(block))) {
      const list = lists.get(name) ?? []
      lists.set(name, list)
      if (block.length > 0) list.push(itemsOf(values))
    }
  })
  return `{${[...lists].map(([name, list]) => `"${name}":[${list.join(",")}]`).join(",")}}`
}

/** The JSON of an array without its brackets. */
function itemsOf(values: readonly unknown[]): string {
  return JSON.stringify(values).slice(1, -1)
}

async function inBlocks<T>(tokens: readonly T[], write: (block: readonly T[]) => void): Promise<void> {
  for (let start = 0; start === 0 || start < tokens.length; start += BLOCK_TOKENS) {
    if (start > 0) await breathe()
    write(tokens.slice(start, start + BLOCK_TOKENS))
  }
}
