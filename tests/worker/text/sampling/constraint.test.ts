import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { toGbnf } from "../../../../src/grammar/print"
import { compileSchema } from "../../../../src/grammar/schema/compile"
import { NotNumbers } from "../../../../src/errors/engine"
import { NativeGrammar } from "../../../../src/llama/grammar"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import { Constraint } from "../../../../src/worker/text/sampling/constraint"
import { byLikelihood, LikeliestTokens } from "../../../../src/worker/text/sampling/likeliest"
import { mulberry } from "../../../support/files/mulberry"
import { type TinyModel, writeTinyModel } from "../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"

setDefaultTimeout(120_000)

/** As large as vocabularies are. */
const VOCABULARY = 262_144
const EOS = 2
const START = 1

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model
let tiny: TinyModel

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  tiny = writeTinyModel(join(folder.path, "large.gguf"), {
    vocab: VOCABULARY,
    words: true,
    dim: 32,
    heads: 1,
    kvHeads: 1,
    layers: 1,
    ffn: 32,
    weights: "q8_0",
  })
  const loaded = Model.load(library, tiny.path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

function constraint(source: string, named: readonly number[] = []): Constraint {
  const { library, vocabulary } = model
  const native = NativeGrammar.compile(library, vocabulary.share(), source)
  if (native === undefined) throw new Error("llama.cpp refused the grammar")
  return new Constraint(native, vocabulary, [EOS], new Set(named))
}

function id(text: string): number {
  return tiny.vocabulary.idOf(text)
}

function logits(seed = 1): Float32Array {
  const random = mulberry(seed)
  return Float32Array.from({ length: VOCABULARY }, () => random() * 20 - 10)
}

const NONE: ReadonlyMap<number, number> = new Map()

describe("with a vocabulary of 262,144 tokens, a token costs", () => {
  test("one look at one candidate where the model obeys", () => {
    using rule = constraint("root ::= [a-z ]*\n")
    for (const text of ["t", "th", "e", " t"]) expect(rule.take(id(text))).toBe(true)
    expect(rule.work).toEqual({ checks: 4, candidates: 4 })
  })

  test("one more check of the likeliest 64 and the end where one of those may come", () => {
    using rule = constraint("root ::= [a-z ]+\n")
    rule.narrow(logits(), NONE)
    expect(rule.work.checks).toBe(1)
    expect(rule.work.candidates).toBeLessThanOrEqual(65)
  })

  test("a check of the likeliest 1,024 where only one of those may come", () => {
    using rule = constraint('root ::= "{"\n')
    const values = logits()
    values[id("{")] = [...values].sort((a, b) => b - a)[500] as number
    const left = rule.narrow(values, NONE)
    expect(left).toEqual([id("{")])
    // The likeliest 64, each byte, and the few of the likeliest 1,024 that begin with a brace.
    expect(rule.work.candidates).toBeLessThanOrEqual(65 + 256 + 16)
    expect(rule.work.checks).toBe(3)
  })

  test("a look at the tokens that begin as one may, where only the least likely one may come", () => {
    using rule = constraint('root ::= "{"\n')
    const values = logits()
    values[id("{")] = -1000
    const left = rule.narrow(values, NONE)
    expect(left).toEqual([id("{")])
    // Each byte, and the few tokens that begin with a brace.
    expect(rule.work.candidates).toBeLessThanOrEqual(65 + 256 + 16)
  })

  test("no more where half of the vocabulary begins with a space that may come", () => {
    using rule = constraint('root ::= " "? "{"\n')
    const values = logits()
    for (const [token, byte] of [...values.keys()].map(
      (each) => [each, model.vocabulary.bytes(each)[0]] as const,
    ))
      if (byte === 0x20 || byte === 0x7b) values[token] = -1000
    const left = rule.narrow(values, NONE)
    expect(new Set(left)).toEqual(new Set([id("{"), id(" ")]))
    expect(rule.work.candidates).toBeLessThanOrEqual(65 + 2 * 256 + 64)
  })

  test("the same tokens as a check of all would leave", () => {
    const source = 'root ::= [ -~]{1,3} "x" | "q" ["] [^a-z]\n'
    using rule = constraint(source)
    const values = new Float32Array(VOCABULARY).fill(Number.NEGATIVE_INFINITY)
    // No more than one stage of candidates; those that may come are not among the likeliest.
    for (let token = 0; token < 4000; token++) values[token] = -token
    using native = NativeGrammar.compile(model.library, model.vocabulary.share(), source) as NativeGrammar
    const wanted = native.allowed(
      [...Array(4000).keys()].filter((token) => !model.vocabulary.isControl(token)),
    )
    for (const token of wanted) values[token] = -100_000 + token
    const left = rule.narrow(values, NONE)
    expect(new Set(left)).toEqual(new Set(wanted))
  })

  test("no more with an enum of 1,000 values: it is as many ways as there are next characters", () => {
    const values = Array.from({ length: 1000 }, (_, index) => `value ${index}`)
    using rule = constraint(toGbnf(compileSchema({ enum: values }).grammar))
    for (const text of ['"', "v", "a", "l", "u", "e", " ", "7", "3", '"', EOS])
      expect(rule.take(typeof text === "string" ? id(text) : text)).toBe(true)
    expect(rule.work).toEqual({ checks: 11, candidates: 11 })
  })
})

describe("a token that must not come", () => {
  test("is refused and leaves the process alive, whether it is wrong, an end too early, or one after the end", () => {
    using rule = constraint('root ::= "a" "b"\n')
    expect(rule.take(EOS)).toBe(false)
    expect(rule.take(id("x"))).toBe(false)
    expect(rule.take(id("a"))).toBe(true)
    expect(rule.take(EOS)).toBe(false)
    expect(rule.take(START)).toBe(false)
    expect(rule.take(id("b"))).toBe(true)
    expect(rule.take(id("b"))).toBe(false)
    expect(rule.take(EOS)).toBe(true)
  })

  test("is not used, even if the request excludes all others", () => {
    using rule = constraint('root ::= "a"\n')
    const values = new Float32Array(VOCABULARY).fill(Number.NEGATIVE_INFINITY)
    values[id("x")] = 1
    const left = rule.narrow(
      values,
      new Map([
        [id("a"), 3],
        [id("b"), 5],
      ]),
    )
    expect(left).toEqual([id("a")])
    expect(values[id("a")]).toBe(3)
  })

  test("is all that there is: the answer fails, not the process", () => {
    using rule = constraint('root ::= "\\U0001F600"\n')
    // The bytes of the character are excluded, and not even the request's own bans help.
    const values = new Float32Array(VOCABULARY).fill(Number.NEGATIVE_INFINITY)
    expect(() => rule.narrow(values, NONE)).toThrow("no token that could come next")
  })
})

describe("the name of a control token", () => {
  const plain = [..."<|im_start|>"]

  test("is text of other tokens where the grammar says it as text", () => {
    using rule = constraint('root ::= "<|im_start|>"\n')
    expect(rule.take(START)).toBe(false)
    for (const character of plain) expect(rule.take(id(character))).toBe(true)
    expect(rule.take(EOS)).toBe(true)
  })

  test("never stands for the token in free text", () => {
    using rule = constraint("root ::= .*\n")
    const values = new Float32Array(VOCABULARY)
    values[START] = 100
    const left = rule.narrow(values, NONE)
    expect(left).not.toContain(START)
    expect(rule.take(START)).toBe(false)
  })

  test("is the token alone where the grammar names it, and only there", () => {
    using rule = constraint(`root ::= <[${START}]> "a" .*\n`, [START])
    expect(rule.take(id("<"))).toBe(false)
    expect(rule.take(START)).toBe(true)
    expect(rule.take(START)).toBe(false)
    expect(rule.take(id("a"))).toBe(true)
    expect(rule.take(id("<"))).toBe(true)
  })
})

describe("the likeliest tokens", () => {
  test("are the same as a sort finds", () => {
    const values = logits(3)
    const sorted = [...values.keys()].sort((a, b) => (values[b] as number) - (values[a] as number))
    const same = (count: number): boolean =>
      Bun.deepEquals(new Set(new LikeliestTokens().find(values, count)), new Set(sorted.slice(0, count)))
    expect([1, 2, 64, 1024].filter((count) => !same(count))).toEqual([])
    expect([...new LikeliestTokens().findInOrder(values, 100)]).toEqual(sorted.slice(0, 100))
  })

  test("are fewer where fewer are not ruled out", () => {
    const values = Float32Array.of(1, Number.NEGATIVE_INFINITY, 3, 2)
    expect([...new LikeliestTokens().findInOrder(values, 10)]).toEqual([2, 3, 0])
  })

  test("are none of what is no number, wherever it stands", () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY])
      for (const place of [0, 1, 2]) {
        const values = Float32Array.of(5, 4, 3)
        values[place] = wrong
        expect(() => new LikeliestTokens().find(values, 1)).toThrow(NotNumbers)
      }
  })

  test("come in order of likelihood, up to the width of a step, without those that are ruled out", () => {
    const values = logits(4)
    values[7] = Number.NEGATIVE_INFINITY
    const ordered = byLikelihood(values, [...values.keys()])
    expect(ordered).toHaveLength(VOCABULARY - 1)
    expect(new Set(ordered).size).toBe(VOCABULARY - 1)
    const step = 20 / 1000
    let wrong = 0
    for (let at = 1; at < ordered.length; at++)
      if ((values[ordered[at] as number] as number) > (values[ordered[at - 1] as number] as number) + step)
        wrong++
    expect(wrong).toBe(0)
    expect(byLikelihood(new Float32Array(3), [0, 2])).toEqual([0, 2])
  })
})
