import { expect, test } from "bun:test"
import { InvalidRequest } from "../../src/errors/request"
import { parseGbnf } from "../../src/grammar/gbnf/parse"
import { type Grammar, toGbnf } from "../../src/grammar/print"
import { compileSchema } from "../../src/grammar/schema/compile"
import { mulberry } from "../support/files/mulberry"
import { matches } from "../support/grammar-match"
import { judgeOf } from "../support/json-validity"
import { randomSchema } from "../support/random-schema"
import { randomText } from "../support/random-text"

/** For a longer search, as after changes of the compiler: thousands take minutes. */
const SCHEMAS = Number(process.env["RANDOM_SCHEMAS"] ?? 200)

const TEXTS_EACH = 8

/** Longer texts take the simple matcher of the tests too long. */
const LONGEST_CHANGED = 150

/** The grammar as llama.cpp gets it; undefined for a schema that is refused. */
function compiled(schema: unknown): { readonly grammar: Grammar; readonly isStrict: boolean } | undefined {
  try {
    const { grammar, unenforced } = compileSchema(schema)
    return { grammar: parseGbnf(toGbnf(grammar)), isStrict: unenforced.length === 0 }
  } catch (error) {
    if (error instanceof InvalidRequest) return undefined
    throw error
  }
}

/** The text with one of its characters left out, doubled or exchanged. */
function changed(text: string, random: () => number): string {
  const characters = Array.from(text)
  const at = Math.floor(random() * characters.length)
  const other = characters[Math.floor(random() * characters.length)] ?? ""
  const put = [[], [characters[at] ?? "", characters[at] ?? ""], [other]][Math.floor(random() * 3)] ?? []
  characters.splice(at, 1, ...put)
  return characters.join("")
}

test(
  "texts of the grammar of a random schema are valid by an independent validator",
  () => {
    let judged = 0
    for (let seed = 0; seed < SCHEMAS; seed++) {
      const random = mulberry(seed)
      const schema = randomSchema(random)
      const made = compiled(schema)
      const judge = judgeOf(schema)
      if (made === undefined || judge === undefined) continue
      for (let count = 0; count < TEXTS_EACH; count++) {
        const text = randomText(made.grammar, random)
        const wrong = made.isStrict ? judge(text) : jsonOf(text)
        expect({ seed, schema, text, wrong }).toEqual({ seed, schema, text, wrong: undefined })
        judged++
        const near = changed(text, random)
        if (!made.isStrict || near.length > LONGEST_CHANGED || !matches(made.grammar, near)) continue
        expect({ seed, schema, near, wrong: judge(near) }).toEqual({ seed, schema, near, wrong: undefined })
      }
    }
    // Most schemas have values.
    expect(judged).toBeGreaterThan((SCHEMAS * TEXTS_EACH) / 2)
  },
  SCHEMAS * 1000,
)

function jsonOf(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return "it is no JSON"
  }
}
