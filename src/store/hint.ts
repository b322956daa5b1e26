import { editDistance, nearest } from "../lib/text/nearest"

/** How to get a first model: a small and useful one. */
export const FIRST_MODEL = "'xllm pull qwen3:0.6b' downloads one"

/** How many models a message names. */
const MOST_NAMED = 5

/** Further names are not compared: a typo is not worth the time. */
const MOST_COMPARED = 500

/** Longer names match nothing. */
const LONGEST = 64

/** What is wrong with an installed model that is listed nowhere; `source`: what to pull in its place. */
export function damagedDescription(model: string, source = model): string {
  return `its description is damaged, or of a later version; 'xllm pull ${source}' replaces it, 'xllm rm ${model}' deletes it`
}

/** What follows "model 'x' not found": the model that was probably meant, or what there is, the most similar first. */
export function hintFor(given: string, models: readonly string[]): string {
  const word = given.replace(/\.gguf$/i, "").slice(0, LONGEST)
  const names = models.slice(0, MOST_COMPARED).map((name) => shortest(name, models))
  const similar = nearest(word, names)
  if (similar !== undefined) return `; did you mean '${similar}'?`
  const [only, ...others] = names
  if (only === undefined) return `; there are no models here yet: ${FIRST_MODEL}`
  if (others.length === 0) return `; there is only '${only}'`
  return `; there are ${firstOf(byLikeness(word, names), models.length)}`
}

/** What there is to choose from, where a request names no model; `what`: as in "text model". */
export function choiceOf(models: readonly string[], what: string): string {
  const names = models
    .toSorted()
    .slice(0, MOST_NAMED)
    .map((name) => shortest(name, models))
  return `there are ${models.length} ${what}s to choose from, ${firstOf(names, models.length)}`
}

/** The first few of `names`, quoted, and how many more of `count` there are. */
function firstOf(names: readonly string[], count: number): string {
  const quoted = names.slice(0, MOST_NAMED).map((name) => `'${name}'`)
  const more = count - quoted.length
  return more > 0
    ? `${quoted.join(", ")} and ${more} more`
    : `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}`
}

/** Without the tag `latest`, unless that is another model. */
function shortest(name: string, models: readonly string[]): string {
  const bare = name.replace(/:latest$/, "")
  return models.includes(bare) ? name : bare
}

function byLikeness(word: string, names: readonly string[]): readonly string[] {
  const distance = new Map(names.map((name) => [name, editDistance(word, name)]))
  return names.toSorted((a, b) => (distance.get(a) ?? 0) - (distance.get(b) ?? 0))
}
