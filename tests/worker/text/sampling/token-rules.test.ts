import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { NativeGrammar } from "../../../../src/llama/grammar"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import { bytePattern } from "../../../../src/worker/text/markers"
import { Constraint } from "../../../../src/worker/text/sampling/constraint"
import { ThinkingRule, type ThinkingParts } from "../../../../src/worker/text/sampling/thinking-rule"
import { TokenPieces } from "../../../../src/worker/text/sampling/token-pieces"
import { AnyToken, type TokenRule } from "../../../../src/worker/text/sampling/token-rule"
import { TriggeredRule, Triggers } from "../../../../src/worker/text/sampling/triggered-rule"
import { type TinyModel, writeTinyModel } from "../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"

setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model
let tiny: TinyModel
let pieces: TokenPieces

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  tiny = writeTinyModel(join(folder.path, "tiny.gguf"), { fim: true })
  const loaded = Model.load(library, tiny.path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
  pieces = new TokenPieces(model.vocabulary)
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

const EOS = 2
/** Two control tokens. */
const OPEN = 3
const CLOSE = 4

function grammar(source: string): Constraint {
  const { library, vocabulary } = model
  const native = NativeGrammar.compile(library, vocabulary.share(), `root ::= ${source}\n`)
  if (native === undefined) throw new Error("llama.cpp refused the grammar")
  return new Constraint(native, vocabulary, [EOS], new Set())
}

/** A token of the vocabulary: one byte or two letters. */
function id(text: string): number {
  return tiny.vocabulary.idOf(text)
}

/** How many of the tokens a rule takes, one after the other. */
function taken(rule: TokenRule, tokens: readonly (string | number)[]): number {
  const refused = tokens.findIndex((each) => !rule.take(typeof each === "string" ? id(each) : each))
  return refused === -1 ? tokens.length : refused
}

/** The tokens that are left of all, from the likeliest on: all are as likely. */
function left(rule: TokenRule, refused?: string): readonly number[] {
  const logits = new Float32Array(model.vocabulary.size)
  const left = rule.narrow(logits, new Map(), refused === undefined ? undefined : id(refused))
  return left ?? [...logits.keys()].filter((token) => logits[token] === 0)
}

describe("a grammar", () => {
  test("takes what it allows, and is as before after a refusal", () => {
    using rule = grammar('"th" [a-z]')
    expect(taken(rule, ["x"])).toBe(0)
    expect(taken(rule, ["th", EOS])).toBe(1)
    expect(taken(rule, ["in"])).toBe(0)
    expect(taken(rule, ["i", EOS])).toBe(2)
  })

  test("takes the end of a token that began before it, as the tokens that make it up", () => {
    using rule = grammar('"h" "e"')
    expect(rule.take(id("te"), 1)).toBe(false)
    expect(rule.take(id("th"), 1)).toBe(true)
    expect(taken(rule, ["e", EOS])).toBe(2)
  })

  test("takes several tokens or none", () => {
    using rule = grammar('"the" "n"')
    expect(rule.takeAll([id("th"), id("a")])).toBe(false)
    expect(rule.takeAll([id("th"), id("e")])).toBe(true)
    expect(taken(rule, ["n"])).toBe(1)
  })

  test("never gets a token that it refuses, for which llama.cpp would end the process", () => {
    using rule = grammar('"a"')
    for (let token = 0; token < model.vocabulary.size; token++)
      if (token !== id("a")) expect(rule.take(token)).toBe(false)
    expect(taken(rule, ["a"])).toBe(1)
    for (let token = 0; token < model.vocabulary.size; token++)
      if (token !== EOS && !model.vocabulary.endsGeneration(token)) expect(rule.take(token)).toBe(false)
    expect(rule.take(EOS)).toBe(true)
  })
})

describe("a trigger", () => {
  const after = (marker: string, source: string): TriggeredRule => {
    const pattern = bytePattern([marker])
    const tokens = pieces.tokensOf(pattern.units) ?? []
    return new TriggeredRule(new Triggers([{ marker: pattern, tokens }]), pieces, () => grammar(source))
  }

  test("leaves everything free before it, and the end too", () => {
    using rule = after("<t", '"<t" "h"')
    expect(taken(rule, ["th", "<", "a", "th", OPEN, EOS])).toBe(6)
  })

  test("begins the grammar, also at its second attempt", () => {
    using rule = after("<<t", '"<<t" "h"')
    expect(taken(rule, ["<", "a", "<", "<", "<", "t", "a"])).toBe(6)
    expect(taken(rule, ["h", EOS])).toBe(2)
  })

  test("within a token begins the grammar with the rest of it, which decides about the token", () => {
    using rule = after("<t", '"<t" "h" "e"')
    expect(taken(rule, ["<", "te"])).toBe(1)
    expect(left(rule, "te")).not.toContain(id("te"))
    expect(left(rule, "te")).toContain(id("th"))
    expect(taken(rule, ["th", "a"])).toBe(1)
    expect(taken(rule, ["e", EOS])).toBe(2)
  })

  test("is completed by a token of its own where every other is refused", () => {
    using rule = after("<t", '"<t" "." "e"')
    expect(taken(rule, ["<", "te"])).toBe(1)
    for (let refusal = 0; refusal < 40; refusal++) left(rule, "te")
    expect(left(rule, "te")).toEqual([id("t")])
    expect(taken(rule, ["t", "."])).toBe(2)
  })

  test("that is a control token is not the text of its name", () => {
    const pattern = bytePattern([OPEN])
    const make = (): TriggeredRule =>
      new TriggeredRule(new Triggers([{ marker: pattern, tokens: [] }]), pieces, () => grammar('"a"'))
    using rule = make()
    expect(
      taken(rule, [
        ...model.vocabulary.tokenize("<|fim_prefix|>", { addSpecial: false, parseSpecial: false }),
        "b",
      ]),
    ).toBeGreaterThan(5)
    expect(taken(rule, [OPEN, "b"])).toBe(1)
    expect(taken(rule, ["a"])).toBe(1)
  })
})

describe("thinking", () => {
  const thinking = (parts: Partial<ThinkingParts> = {}): ThinkingRule =>
    new ThinkingRule({
      start: bytePattern(["<in>"]),
      end: bytePattern(["</t>"]),
      isOpen: true,
      mustAnswer: true,
      pieces,
      answer: () => grammar('"th" | "<t"'),
      ...parts,
    })

  test("is free; then the grammar holds, after blanks that are no part of the answer", () => {
    using rule = thinking()
    expect(taken(rule, ["th", "a", "<", "/", "t", ">", "\n", "\n", " ", "x"])).toBe(9)
    expect(taken(rule, ["th", "a"])).toBe(1)
    expect(taken(rule, [EOS])).toBe(1)
  })

  test("does not go on with blanks for ever", () => {
    using rule = thinking()
    expect(taken(rule, ["<", "/", "t", ">", ...Array.from({ length: 20 }, () => "\n")])).toBe(12)
  })

  test("is not where the answer ends: a wish to end ends the thinking", () => {
    using rule = thinking()
    expect(taken(rule, ["a", "<", EOS])).toBe(2)
    const forced: string[] = []
    for (let token = rule.forced; token !== undefined; token = rule.forced) {
      forced.push(Buffer.from(model.vocabulary.bytes(token)).toString())
      expect(rule.take(token)).toBe(true)
    }
    // Of the marker, the answer had the first character.
    expect(forced.join("")).toBe("/t>")
    expect(taken(rule, ["th", EOS])).toBe(2)
  })

  test("may be where an answer ends that needs nothing more", () => {
    using rule = thinking({ mustAnswer: false })
    expect(taken(rule, ["a", EOS])).toBe(2)
  })

  test("has a budget, after which its marker comes", () => {
    using rule = thinking({ budget: 3 })
    expect(taken(rule, ["a", "b"])).toBe(2)
    expect(rule.forced).toBeUndefined()
    expect(taken(rule, ["c"])).toBe(1)
    let text = ""
    for (let token = rule.forced; token !== undefined; token = rule.forced) {
      text += Buffer.from(model.vocabulary.bytes(token)).toString()
      expect(rule.take(token)).toBe(true)
    }
    expect(text).toBe("</t>")
    expect(taken(rule, ["x"])).toBe(0)
    expect(taken(rule, ["th"])).toBe(1)
  })

  test("ends within no character", () => {
    const bytes = Buffer.from("🙂")
    const parts = [...bytes].map((byte) => tiny.vocabulary.idOfByte(byte))
    using rule = thinking({ budget: 2 })
    expect(taken(rule, ["a", ...parts.slice(0, 3)])).toBe(4)
    expect(rule.forced).toBeUndefined()
    expect(taken(rule, [parts[3]!])).toBe(1)
    expect(rule.forced).toBe(id("<"))
    // Unless the character never ends.
    using endless = thinking({ budget: 2 })
    expect(taken(endless, ["a", ...Array.from({ length: 5 }, () => parts[0]!)])).toBe(6)
    expect(endless.forced).toBe(id("<"))
  })

  test("with a budget of none is closed at once, whoever opened it", () => {
    using open = thinking({ budget: 0 })
    expect(open.forced).toBe(id("<"))
    using rule = thinking({ budget: 0, isOpen: false })
    expect(rule.forced).toBeUndefined()
    expect(taken(rule, ["<", "in", ">"])).toBe(3)
    expect(rule.forced).toBe(id("<"))
  })

  test("may begin an answer with a grammar, or not, even where both begin alike", () => {
    using withThinking = thinking({ isOpen: false })
    expect(taken(withThinking, ["\n", "<", "in", ">", "x", "<", "/", "t", ">", "x"])).toBe(9)
    expect(taken(withThinking, ["<", "t", EOS])).toBe(3)
    using without = thinking({ isOpen: false })
    expect(taken(without, ["<", "t", EOS])).toBe(3)
    using at = thinking({ isOpen: false })
    expect(taken(at, ["th", EOS])).toBe(2)
    using neither = thinking({ isOpen: false })
    expect(taken(neither, ["x"])).toBe(0)
    expect(left(neither, "x")).toEqual([id("<"), id("t"), id("th")].sort((a, b) => a - b))
    expect(taken(neither, ["<", "x"])).toBe(1)
    expect(left(neither, "x")).toEqual([id("t")])
  })

  test("that has begun goes on where the answer cannot", () => {
    using rule = thinking({ isOpen: false, answer: () => grammar('"a"') })
    expect(taken(rule, ["<", "x"])).toBe(1)
    expect(left(rule, "x")).toEqual([id("in")])
  })

  test("before a free answer hides its triggers", () => {
    const marker = bytePattern(["<t"])
    const tokens = pieces.tokensOf(marker.units) ?? []
    using rule = thinking({
      mustAnswer: false,
      answer: () => new TriggeredRule(new Triggers([{ marker, tokens }]), pieces, () => grammar('"<t" "h"')),
    })
    expect(taken(rule, ["<", "t", "a", "<", "/", "t", ">", "a", "<", "t", "a"])).toBe(10)
    expect(taken(rule, ["h", EOS])).toBe(2)
  })

  test("ends within a token whose rest the answer takes", () => {
    using rule = thinking({ end: bytePattern(["</t"]), answer: () => grammar('"h" "e"') })
    expect(taken(rule, ["<", "/", "te"])).toBe(2)
    expect(taken(rule, ["th", "e", EOS])).toBe(3)
    using free = thinking({ end: bytePattern(["</t"]), answer: () => new AnyToken() })
    expect(taken(free, ["<", "/", "te", EOS])).toBe(4)
  })

  test("with markers that are control tokens", () => {
    using rule = thinking({ start: bytePattern([OPEN]), end: bytePattern([CLOSE]), isOpen: false })
    expect(taken(rule, [OPEN, "a", CLOSE, "x"])).toBe(3)
    expect(taken(rule, ["th", EOS])).toBe(2)
  })
})
