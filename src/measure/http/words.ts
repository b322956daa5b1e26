import { CannotMeasure } from "../../errors/cli"
import { seededRandom } from "../statistics"

/** Short common words: in nearly every tokenizer each is one token together with the space before it. */
const CANDIDATES = (
  "time year people way day man thing woman life child world school state family student group country problem " +
  "hand part place case week company system program question work number night point home water room mother area " +
  "money story fact month lot right study book eye job word business issue side kind head house service friend " +
  "father power hour game line end member law car city community name president team minute idea body information " +
  "back parent face level office door health person art war history party result change morning reason research " +
  "girl guy moment air teacher force education foot boy age policy music market sense nation plan college interest " +
  "death experience effect use class control field development role effort rate heart drug show leader light voice " +
  "wife police mind price report decision son view relationship town road arm difference value building action " +
  "season society tax director position player record paper space ground form event"
).split(" ")

/** With fewer words, random texts would often begin alike. */
const FEWEST_WORDS = 40

/** Counts a text's tokens; the count may include a constant number of the server's own. */
type CountTokens = (text: string) => Promise<number>

/**
 * Finds the candidates that are exactly one token after a space, by asking the server: for all at once, then for
 * halves wherever the sum differs.
 */
export async function singleTokenWords(count: CountTokens): Promise<readonly string[]> {
  const opening = " the"
  const own = await count(opening)
  const search = async (words: readonly string[]): Promise<readonly string[]> => {
    if ((await count(`${opening} ${words.join(" ")}`)) === own + words.length) return words
    if (words.length === 1) return []
    const middle = words.length >> 1
    return [...(await search(words.slice(0, middle))), ...(await search(words.slice(middle)))]
  }
  const found = await search(CANDIDATES)
  if (found.length < FEWEST_WORDS)
    throw new CannotMeasure(
      `only ${found.length} of ${CANDIDATES.length} common English words are single tokens of this model; ` +
        "prompts of an exact length cannot be made for it",
    )
  return found
}

/** Random sequences of words with a known length in tokens, of which no two begin alike. */
export class RandomText {
  readonly #words: readonly string[]
  readonly #random: () => number

  /** @param words each one token long after a space; see {@link singleTokenWords} */
  constructor(words: readonly string[], seed: number) {
    this.#words = words
    this.#random = seededRandom(seed)
  }

  /** A text of `tokens` tokens, beginning with a space. */
  next(tokens: number): string {
    let text = ""
    for (let i = 0; i < tokens; i++)
      text += ` ${this.#words[Math.floor(this.#random() * this.#words.length)]}`
    return text
  }
}

/** Random prompts for a server's model. */
export interface PromptSource {
  /** A text that no earlier one begins like, of so many tokens, or about as many. */
  next(tokens: number): string
}

/** Words to find out how many tokens an average one has. */
const WORDS_TO_COUNT = 64

/** Prompts of exact lengths where the model has words that are one token each, otherwise of about that length. */
export async function promptsFor(count: CountTokens, seed: number): Promise<PromptSource> {
  try {
    return new RandomText(await singleTokenWords(count), seed)
  } catch (error) {
    if (!(error instanceof CannotMeasure)) throw error
  }
  const text = new RandomText(CANDIDATES, seed)
  const [one, many] = [await count(text.next(1)), await count(text.next(1 + WORDS_TO_COUNT))]
  const tokensPerWord = Math.max(1, (many - one) / WORDS_TO_COUNT)
  return { next: (tokens) => text.next(Math.max(1, Math.round(tokens / tokensPerWord))) }
}
