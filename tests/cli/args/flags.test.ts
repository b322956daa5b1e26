import { describe, expect, test } from "bun:test"
import { type Flag, parseArguments, switchFlag } from "../../../src/cli/args/flags"
import { integer, text } from "../../../src/config/values"

const stop: Flag<readonly string[]> = {
  value: { placeholder: "TEXT", parse: (given) => [given] },
  description: "",
  combine: (earlier, later) => [...earlier, ...later],
}
const table = {
  gpuLayers: { value: integer("N", -1, 999), description: "" },
  system: { value: text("TEXT"), description: "" },
  verbose: switchFlag("", "v"),
  think: { value: text("LEVEL"), description: "", bare: "true" },
  stop,
}
const parse = (...argv: string[]) => parseArguments(table, argv)

describe("arguments", () => {
  test("flags stand anywhere between the words", () => {
    const { flags, words } = parse("model", "--gpu-layers", "3", "say", "--verbose", "hello")
    expect(words).toEqual(["model", "say", "hello"])
    expect(flags).toEqual({ gpuLayers: 3, verbose: true })
  })

  test.each([
    ["--gpu-layers=3", 3],
    ["--gpu-layers=-1", -1],
  ])("%s is a flag with its value", (word, value) => {
    expect(parse(word).flags).toEqual({ gpuLayers: value })
  })

  test("a negative number is a flag's value, or a word", () => {
    expect(parse("--gpu-layers", "-1").flags).toEqual({ gpuLayers: -1 })
    expect(parse("-1", "-.5", "-").words).toEqual(["-1", "-.5", "-"])
  })

  test("a value may look like a flag", () => {
    expect(parse("--system", "--verbose").flags).toEqual({ system: "--verbose" })
    expect(parse("--system", "--no-verbose").flags).toEqual({ system: "--no-verbose" })
    expect(parse("--system", "--").flags).toEqual({ system: "--" })
  })

  test("a value may hold an equals sign", () => {
    expect(parse("--system=a=b").flags).toEqual({ system: "a=b" })
  })

  test("a flag that needs no value takes one only after an equals sign", () => {
    expect(parse("--think", "hello")).toMatchObject({ flags: { think: "true" }, words: ["hello"] })
    expect(parse("--think=low", "hello")).toMatchObject({ flags: { think: "low" }, words: ["hello"] })
    expect(parse("--think=", "--think=low", "--think").flags).toEqual({ think: "true" })
  })

  test("after -- everything is a word", () => {
    const parsed = parse("model", "--", "--verbose", "--", "-h")
    expect(parsed).toEqual({ flags: {}, words: ["model", "--verbose", "--", "-h"], wantsHelp: false })
  })

  test("switches have a short form and a negation", () => {
    expect(parse("-v").flags).toEqual({ verbose: true })
    expect(parse("--no-verbose").flags).toEqual({ verbose: false })
    expect(parse("--verbose=false").flags).toEqual({ verbose: false })
    expect(parse("--no-verbose=false").flags).toEqual({ verbose: true })
  })

  test("the last of a repeated flag counts, where the flag does not collect", () => {
    expect(parse("--system", "a", "--system", "b").flags).toEqual({ system: "b" })
    expect(parse("--stop", "a", "--stop", "b").flags).toEqual({ stop: ["a", "b"] })
    expect(parse("--no-verbose", "-v").flags).toEqual({ verbose: true })
    expect(parse("-v", "--no-verbose").flags).toEqual({ verbose: false })
  })

  test.each(["-h", "--help"])("%s asks for help wherever it stands", (flag) => {
    expect(parse("model", flag).wantsHelp).toBe(true)
  })
})

describe("wrong arguments", () => {
  test.each([
    [["--gpu-layer", "3"], "unknown flag --gpu-layer; did you mean --gpu-layers?"],
    [["--gpulayers=3"], "unknown flag --gpulayers; did you mean --gpu-layers?"],
    [["--verbsoe"], "unknown flag --verbsoe; did you mean --verbose?"],
    [["--halp"], "unknown flag --halp; did you mean --help?"],
    [["-x"], "unknown flag -x"],
    [["--no-system"], "unknown flag --no-system"],
    [["--gpu-layers"], "--gpu-layers needs a value: --gpu-layers N"],
    [["--gpu-layers", "many"], "--gpu-layers must be a whole number from -1 to 999, got 'many'"],
    [["--verbose=maybe"], "--verbose must be true or false, got 'maybe'"],
  ])("%p", (argv, message) => {
    expect(() => parse(...argv)).toThrow(message)
  })
})
