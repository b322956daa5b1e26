import type { ChatRequest } from "../../domain/chat"
import { textOf } from "../../domain/content"
import type { Engine } from "../../engine/contract"
import { XllmError } from "../../errors/base"

/** A prompt that leaves less than this part of the context free is long enough: to be exact, more have to be rendered. */
const FREE_PART = 1 / 16

/** Of a message's frame in most templates, and of characters of English, where nothing is known yet. */
const FRAME_CHARACTERS = 24
const USUAL_TOKENS_PER_CHARACTER = 0.25

/** Estimates aim below the limit by this factor. */
const AIM = 0.97

/**
 * The request without as many of its oldest messages as its prompt needs to fit into the context; system messages and
 * the last message stay. Where that is not enough, the request itself: running it says by how much.
 */
export async function fitting(
  engine: Engine,
  request: ChatRequest,
  signal: AbortSignal,
): Promise<{ readonly request: ChatRequest; readonly droppedMessages: number }> {
  const { messages } = request
  const droppable = messages.flatMap(({ role }, index) =>
    role === "system" || index === messages.length - 1 ? [] : [index],
  )
  const without = (count: number): ChatRequest => {
    const dropped = new Set(droppable.slice(0, count))
    // What is left begins with a user: many templates want that, and a tool's result needs its call.
    for (const index of count === 0 ? [] : droppable.slice(count)) {
      if (messages[index]?.role === "user") break
      dropped.add(index)
    }
    return { ...request, messages: messages.filter((_, index) => !dropped.has(index)) }
  }
  const limit = async (): Promise<number> => {
    const { name } = await engine.resolve(request.model, "chat")
    return (await engine.contextLength(name)) ?? Number.POSITIVE_INFINITY
  }
  const measure = async (count: number): Promise<Measured> => {
    try {
      const { tokens } = await engine.render(without(count), signal)
      // Once it is loaded, the length is certain.
      const most = await limit()
      return { count, tokens: tokens.length, most, fits: tokens.length <= most }
    } catch (error) {
      if (!(error instanceof XllmError) || error.code !== "context_length_exceeded") throw error
      return { count, fits: false, most: await limit(), ...knownTokens(error) }
    }
  }
  const whole = await measure(0)
  if (whole.fits) return { request, droppedMessages: 0 }
  const sizes = new Sizes(
    messages.map(({ content }) => textOf(content).length + FRAME_CHARACTERS),
    droppable,
  )
  sizes.learn(whole)
  const found = await leastThatFits(droppable.length, measure, sizes)
  if (found === undefined) return { request, droppedMessages: 0 }
  const fitted = without(found)
  return { request: fitted, droppedMessages: messages.length - fitted.messages.length }
}

/** A prompt without so many messages. */
interface Measured {
  readonly count: number
  readonly fits: boolean
  /** Undefined where it is too long to be counted. */
  readonly tokens?: number
  /** The length of the context. */
  readonly most: number
}

function knownTokens({ details = {} }: XllmError): Pick<Measured, "tokens"> {
  const { n_prompt_tokens: tokens, is_lower_bound: isLowerBound } = details
  return typeof tokens === "number" && isLowerBound !== true ? { tokens } : {}
}

/**
 * About the least number that fits: dropping more never makes a prompt longer. Every render takes as long as the prompt, so
 * the places are estimated from the lengths of the messages; every second one is the middle, so that there are few whatever
 * the messages are. `undefined`: not even without all of them.
 */
async function leastThatFits(
  all: number,
  measure: (count: number) => Promise<Measured>,
  sizes: Sizes,
): Promise<number | undefined> {
  let [low, high] = [1, all]
  let best: Measured | undefined
  for (let step = 0; low <= high; step++) {
    const middle = (low + high) >> 1
    const guess = step % 2 === 0 ? Math.min(high, Math.max(low, sizes.estimate())) : middle
    const measured = await measure(guess)
    sizes.learn(measured)
    if (!measured.fits) low = guess + 1
    else {
      best = measured
      high = guess - 1
      const { tokens = 0, most } = measured
      if (tokens > most * (1 - FREE_PART)) break
    }
  }
  return best?.count
}

/** How long a prompt is without so many of its messages, as far as the lengths of their texts tell. */
class Sizes {
  /** Characters without the first 0, 1, 2 … droppable messages. */
  readonly #left: readonly number[]
  #tokensPerCharacter = USUAL_TOKENS_PER_CHARACTER
  #most = 0

  constructor(sizes: readonly number[], droppable: readonly number[]) {
    let left = sizes.reduce((sum, size) => sum + size, 0)
    this.#left = [left, ...droppable.map((index) => (left -= sizes[index] ?? 0))]
  }

  learn({ count, tokens, most }: Measured): void {
    this.#most = most
    if (tokens !== undefined) this.#tokensPerCharacter = tokens / Math.max(1, this.#left[count] ?? 0)
  }

  /** The least number without which the prompt probably fits. */
  estimate(): number {
    const aim = (AIM * this.#most) / this.#tokensPerCharacter
    const found = this.#left.findIndex((left) => left <= aim)
    return found < 0 ? this.#left.length - 1 : found
  }
}
