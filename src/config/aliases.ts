import { UsageError } from "../errors/cli"
import { type Aliases, aliasKey, loopIn } from "../lib/aliases"
import { type ConfigValue, refusal } from "./values"

/** Every listing of models looks each of them up. */
const MOST_ALIASES = 100
/** No model has a longer name. */
const MOST_CHARACTERS = 512

const RULE = "names and the models that they stand for, such as gpt-4o: qwen3:0.6b"
const NONE = "none"

/** Aliases of models: an object in a file, `NAME=MODEL,…` in a variable. */
export const aliases: ConfigValue<Aliases> = {
  placeholder: "NAME=MODEL,…",
  rule: RULE,
  schema: {
    anyOf: [
      {
        type: "object",
        additionalProperties: { type: "string", minLength: 1, maxLength: MOST_CHARACTERS },
        maxProperties: MOST_ALIASES,
      },
      { enum: [NONE, null] },
    ],
  },
  parse(given, origin) {
    if (given.trim().toLowerCase() === NONE) return new Map()
    const pairs = given.split(",").map((pair) => {
      const [, name = "", target = ""] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/s.exec(pair) ?? []
      if (name === "" || target === "") throw refusal(origin, "a list of NAME=MODEL", `'${pair}'`)
      return [name, target] as const
    })
    return checked(pairs, origin)
  },
  // The schema ensures an object of texts, or the word for none.
  read: (given, origin) =>
    typeof given === "object" && given !== null
      ? checked(Object.entries(given as Readonly<Record<string, string>>), origin)
      : new Map(),
  show: (values) =>
    values.size === 0 ? NONE : Array.from(values, ([name, target]) => `${name}=${target}`).join(","),
}

/** @throws UsageError */
function checked(pairs: readonly (readonly [name: string, target: string])[], origin: string): Aliases {
  if (pairs.length > MOST_ALIASES) {
    throw new UsageError(`${origin} may have at most ${MOST_ALIASES} names, got ${pairs.length}`)
  }
  const byKey = new Map<string, string>()
  for (const [name, target] of pairs) {
    for (const text of [name, target]) checkText(text, origin)
    const same = byKey.get(aliasKey(name))
    if (same !== undefined)
      throw new UsageError(`${origin} has both '${same}' and '${name}', which are the same name`)
    byKey.set(aliasKey(name), name)
  }
  const found = new Map(pairs)
  const loop = loopIn(found)
  if (loop !== undefined) throw new UsageError(`${origin} has a cycle: ${loop.join(" → ")}`)
  return found
}

function checkText(text: string, origin: string): void {
  const isName = text.trim() !== "" && text.length <= MOST_CHARACTERS && !/[\u0000-\u001f\u007f]/.test(text)
  if (!isName) throw refusal(origin, RULE, JSON.stringify(text.slice(0, 100)))
}
