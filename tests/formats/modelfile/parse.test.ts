import { describe, expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import { type InstructionBody, parseModelfile } from "../../../src/formats/modelfile/parse"
import { decodeModelfile } from "../../../src/formats/modelfile/text"
import { mulberry } from "../../support/files/mulberry"

function instructionsOf(text: string): InstructionBody[] {
  const { instructions, problems } = parseModelfile(text)
  expect(problems).toEqual([])
  return instructions.map(({ line: _, ...body }) => body)
}

/** `LINE: message`, or the message alone. */
function faultsOf(text: string): string[] {
  return parseModelfile(text).problems.map(({ line, message }) =>
    line === undefined ? message : `${line}: ${message}`,
  )
}

/** The instructions after `FROM foo`. */
function afterFrom(text: string): InstructionBody[] {
  return instructionsOf(`FROM foo\n${text}`).slice(1)
}

describe("what is read", () => {
  test("every instruction, in any case of letters", () => {
    const text = [
      "FROM ./model.gguf",
      "from ./mmproj.gguf",
      "Parameter temperature 0.5",
      "TEMPLATE {{ .Prompt }}",
      "sYsTeM You are helpful.",
      "ADAPTER ./lora.gguf",
      "LICENSE MIT",
      "MESSAGE user Hello, there!",
      "message assistant Hi.",
      "REQUIRES 0.14.0",
      "RENDERER qwen3-coder",
      "PARSER qwen3-coder",
      "DRAFT ./draft.gguf",
    ].join("\n")
    expect(instructionsOf(text)).toEqual([
      { type: "from", value: "./model.gguf" },
      { type: "from", value: "./mmproj.gguf" },
      { type: "parameter", name: "temperature", value: 0.5 },
      { type: "template", value: "{{ .Prompt }}" },
      { type: "system", value: "You are helpful." },
      { type: "adapter", value: "./lora.gguf" },
      { type: "license", value: "MIT" },
      { type: "message", role: "user", content: "Hello, there!" },
      { type: "message", role: "assistant", content: "Hi." },
      { type: "requires", value: "0.14.0" },
      { type: "renderer", value: "qwen3-coder" },
      { type: "parser", value: "qwen3-coder" },
      { type: "draft", value: "./draft.gguf" },
    ])
  })

  test("comments, blank lines and indentation between instructions", () => {
    const text = "# a comment\n\n   \t# another\r\n  FROM foo\n\t PARAMETER   top_k\t 5  \n#end"
    expect(instructionsOf(text)).toEqual([
      { type: "from", value: "foo" },
      { type: "parameter", name: "top_k", value: 5 },
    ])
  })

  test("lines are counted the same with LF, CR and CR LF", () => {
    for (const newline of ["\n", "\r", "\r\n"]) {
      const text = ["# c", "FROM foo", "", 'SYSTEM """a', 'b"""', "MESSAGE user hi"].join(newline)
      expect(parseModelfile(text).instructions.map(({ line }) => line)).toEqual([2, 4, 6])
    }
  })

  test.each<[written: string, text: string]>([
    ["You are a bot.", "You are a bot."],
    ["  spaces around  ", "spaces around"],
    ["a # is no comment here", "a # is no comment here"],
    ['"in quotes"', "in quotes"],
    ['"  spaces inside  "', "  spaces inside  "],
    ['"quotes "inside" them"', 'quotes "inside" them'],
    ['said "so"', 'said "so"'],
    ["'single' quotes are text", "'single' quotes are text"],
    ['"a\\nb \\"c\\""', 'a\\nb \\"c\\"'],
    ['"over\ntwo lines"', "over\ntwo lines"],
    ['"closed at the end\nof "a" line"  ', 'closed at the end\nof "a" line'],
    ['"""in three"""', "in three"],
    ['"""\nfirst newline is kept\n"""', "\nfirst newline is kept\n"],
    ['"""a\r\nb"""', "a\nb"],
    ['"""a\rb"""', "a\nb"],
    ['"""has "quotes" and ""two"" inside"""', 'has "quotes" and ""two"" inside'],
    ['"""ends with a quote""""', 'ends with a quote"'],
    ['"""# no comment\nFROM nothing\n"""', "# no comment\nFROM nothing\n"],
    ['""""""', ""],
    ['""', ""],
    ['"""three""" and on\nto """', 'three""" and on\nto '],
    ["日本語 🦙 👨‍👩‍👧", "日本語 🦙 👨‍👩‍👧"],
  ])("the text %j is %j", (written, text) => {
    expect(afterFrom(`SYSTEM ${written}`)).toEqual([{ type: "system", value: text }])
    expect(afterFrom(`SYSTEM ${written}\nPARAMETER seed 1`)[0]).toEqual({ type: "system", value: text })
    expect(afterFrom(`MESSAGE user ${written}`)).toEqual([{ type: "message", role: "user", content: text }])
  })

  test.each<[line: string, value: unknown]>([
    ["temperature 0", 0],
    ["temperature 1", 1],
    ["temperature .7", 0.7],
    ["temperature 5e-1", 0.5],
    ['temperature "0.3"', 0.3],
    ["top_k -1", -1],
    ["top_p 0.95", 0.95],
    ["min_p 0.05", 0.05],
    ["typical_p 1.0", 1],
    ["repeat_last_n 64", 64],
    ["repeat_penalty 1.1", 1.1],
    ["presence_penalty -0.5", -0.5],
    ["frequency_penalty 2", 2],
    ["seed -1", -1],
    ["seed 9007199254740991", 9007199254740991],
    ["seed 18446744073709551615", 2 ** 64],
    ["num_predict -2", -2],
    ["num_ctx 131072", 131072],
    ["num_batch 512", 512],
    ["num_gpu 99", 99],
    ["main_gpu 0", 0],
    ["num_thread 8", 8],
    ["num_keep 24", 24],
    ["use_mmap true", true],
    ["use_mmap 0", false],
    ["use_mmap F", false],
    ["kv_cache_type q8_0", "q8_0"],
    ["cache_type_k Q4_0", "q4_0"],
    ["cache_type_v f16", "f16"],
    ["parallel 4", 4],
    ["rope_scaling YaRN", "yarn"],
    ["rope_freq_base 1e6", 1_000_000],
    ["rope_freq_scale .25", 0.25],
    ["yarn_orig_ctx 32768", 32768],
    ["keep_alive 30m", "30m"],
    ["keep_alive -1", "-1"],
    ["keep_alive 0", "0"],
    ["adapter_scale 0.5", 0.5],
    ["draft_num_predict 4", 4],
    ["draft_p_min 0.75", 0.75],
    ["stop <|im_end|>", "<|im_end|>"],
    ['stop "User: "', "User: "],
    ['stop "\n"', "\n"],
    ["stop ### User:", "### User:"],
    ["xtc_probability 0.1", 0.1],
    ["ignore_eos true", true],
  ])("PARAMETER %s", (line, value) => {
    const [name = ""] = line.split(" ")
    // The table holds what the type allows.
    expect(afterFrom(`PARAMETER ${line}`)).toEqual([{ type: "parameter", name, value: value as string }])
  })

  test("stop, MESSAGE, LICENSE and FROM may be repeated", () => {
    const text = "FROM a\nFROM b\nPARAMETER stop x\nPARAMETER stop y\nLICENSE 1\nLICENSE 2"
    expect(instructionsOf(text)).toHaveLength(6)
  })

  test("deprecated parameters are left out with a warning", () => {
    const { instructions, warnings } = parseModelfile(
      "FROM foo\nPARAMETER mirostat 2\nPARAMETER low_vram true",
    )
    expect(instructions).toHaveLength(1)
    expect(warnings).toEqual([
      { line: 2, message: "the parameter 'mirostat' is deprecated and has no effect" },
      { line: 3, message: "the parameter 'low_vram' is deprecated and has no effect" },
    ])
  })
})

describe("what is refused", () => {
  test.each<[text: string, faults: string[]]>([
    ["", ["no FROM line: it names the base of the model"]],
    ["# FROM foo", ["no FROM line: it names the base of the model"]],
    ["FROM", ["1: FROM needs a value: unexpected end of the line"]],
    ["FROM\nfoo", ["1: FROM needs a value", "2: command must be one of"]],
    ['FROM ""', ["1: FROM needs a value: unexpected end of the line"]],
    ["FORM foo", ["got 'FORM'; did you mean 'FROM'?", "no FROM line"]],
    ["FROM foo\nFROM=bar", ["2: command must be one of FROM, TEMPLATE, SYSTEM, ADAPTER, LICENSE"]],
    ["FROM foo\nPARAMETER", ["2: PARAMETER needs a name and a value"]],
    ["FROM foo\nPARAMETER top_k", ["2: the parameter 'top_k' needs a value"]],
    ["FROM foo\nPARAMETER top_k\n5", ["2: the parameter 'top_k' needs", "3: command"]],
    ["FROM foo\nPARAMETER temprature 1", ["2: unknown parameter 'temprature'; did you mean 'temperature'?"]],
    ["FROM foo\nPARAMETER Temperature 1", ["unknown parameter 'Temperature'; did you mean 'temperature'?"]],
    ["FROM foo\nPARAMETER constructor 1", ["unknown parameter 'constructor'"]],
    ["FROM foo\nPARAMETER temperature hot", ["temperature must be a number from 0 to 2, got 'hot'"]],
    ["FROM foo\nPARAMETER temperature 9", ["temperature must be a number from 0 to 2, got '9'"]],
    [
      "FROM foo\nPARAMETER temperature 0.5 # warm",
      ["temperature must be a number from 0 to 2, got '0.5 # warm'; a comment needs a line of its own"],
    ],
    ["FROM foo\nPARAMETER num_ctx 4k", ["num_ctx must be a whole number from 1 to 16777216, got '4k'"]],
    ["FROM foo\nPARAMETER num_ctx 1.5", ["num_ctx must be a whole number"]],
    ["FROM foo\nPARAMETER top_k 0x10", ["top_k must be a whole number"]],
    ["FROM foo\nPARAMETER use_mmap yes", ["use_mmap must be true or false, got 'yes'"]],
    ["FROM foo\nPARAMETER kv_cache_type q2_k", ["kv_cache_type must be one of f32, f16, bf16"]],
    ["FROM foo\nPARAMETER rope_scaling longrope", ["rope_scaling must be one of none, linear, yarn"]],
    [
      "FROM foo\nPARAMETER rope_freq_base 0",
      ["rope_freq_base must be a number from 1 to 1000000000000, got"],
    ],
    [
      "FROM foo\nPARAMETER rope_freq_scale 0",
      ["rope_freq_scale must be a number from 0.001 to 1000, got '0'"],
    ],
    ["FROM foo\nPARAMETER yarn_orig_ctx 0.5", ["yarn_orig_ctx must be a whole number from 1 to 16777216"]],
    ["FROM foo\nPARAMETER keep_alive soon", ["keep_alive must be a time such as 5m"]],
    ['FROM foo\nPARAMETER stop ""', ["stop must be a string of 1 to 1024 characters, got ''"]],
    ["FROM foo\nMESSAGE badguy I'm bad", ["2: the role of a MESSAGE must be one of system, user"]],
    [
      "FROM foo\nMESSAGE User hi",
      ["the role of a MESSAGE must be one of system, user, assistant: got 'User'"],
    ],
    ["FROM foo\nMESSAGE system", ["2: MESSAGE needs content after its role: unexpected end"]],
    ["FROM foo\nMESSAGE", ["the role of a MESSAGE must be one of system, user, assistant: unexpected end"]],
    ["FROM foo\nREQUIRES soon", ["REQUIRES must be a version such as 0.14.0, got 'soon'"]],
    ['FROM foo\nSYSTEM """never\nends""', ['2: unexpected end of the file: a string begins with """']],
    ['FROM foo\nSYSTEM "', ["2: unexpected end of the file"]],
    ['FROM foo\nSYSTEM """"', ["2: unexpected end of the file"]],
    ["FROM foo\nSYSTEM You are\nhelpful today", ['a value of several lines stands between """ and """']],
    ["FROM foo\nSYSTEM", ["2: SYSTEM needs a value"]],
  ])("%j", (text, faults) => {
    const found = faultsOf(text)
    expect(found).toHaveLength(faults.length)
    for (const [index, fault] of faults.entries()) expect(found[index]).toContain(fault)
  })

  test.each([
    ["SYSTEM", `"${"x".repeat(2 ** 20 + 1)}"`, "2: SYSTEM must have at most 1048576 characters, got 1048577"],
    ["TEMPLATE", "x".repeat(2 ** 17 + 1), "2: TEMPLATE must have at most 131072 characters, got 131073"],
    ["MESSAGE user", "x".repeat(2 ** 20 + 1), "2: MESSAGE must have at most 1048576 characters, got 1048577"],
    ["LICENSE", "x".repeat(2 ** 20 + 1), "2: LICENSE must have at most 1048576 characters, got 1048577"],
    ["ADAPTER", "x".repeat(4097), "2: ADAPTER must have at most 4096 characters, got 4097"],
    ["PARAMETER stop", "x".repeat(1025), "2: stop must be a string of 1 to 1024 characters, got"],
    [
      "PARAMETER keep_alive",
      "36501d",
      "2: keep_alive must be a time such as 5m, 1h30m or 90 (seconds), of at most 36500d",
    ],
    ["PARAMETER num_ctx", "16777217", "2: num_ctx must be a whole number from 1 to 16777216, got"],
    [
      "PARAMETER repeat_last_n",
      "2147483648",
      "2: repeat_last_n must be a whole number from -1 to 2147483647, got",
    ],
    ["PARAMETER", `${"x".repeat(5000)} 1`, `2: unknown parameter '${"x".repeat(60)}…'`],
  ])("%s has an end", (instruction, value, fault) => {
    const [found = "", ...others] = faultsOf(`FROM foo\n${instruction} ${value}`)
    expect(others).toEqual([])
    expect(found).toStartWith(fault)
    expect(found.length).toBeLessThan(300)
  })

  test.each([
    ["MESSAGE user hi", 1024, "there must be at most 1024 lines of MESSAGE"],
    ["LICENSE mine", 64, "there must be at most 64 lines of LICENSE"],
    ["PARAMETER stop x", 64, "there must be at most 64 lines of PARAMETER stop"],
    ["REQUIRES 1.0", 4095, "more than 4096 instructions"],
  ])("there are not any number of lines such as %s", (line, most, fault) => {
    const text = (lines: number) => `FROM foo\n${`${line}\n`.repeat(lines)}`
    expect(instructionsOf(text(most))).toHaveLength(most + 1)
    expect(faultsOf(text(most + 5))).toEqual([`${most + 2}: ${fault}`])
  })

  test("all faults are told at once", () => {
    const text =
      "PARAMETER top_k x\nBAD one\nMESSAGE bot hi\nPARAMETER nothing 1\nSYSTEM fine\n" + 'TEMPLATE """open'
    const lines = parseModelfile(text).problems.map(({ line }) => line)
    expect(lines.toSorted()).toEqual([1, 2, 3, 4, 6, undefined])
    expect(parseModelfile(text).instructions).toEqual([{ type: "system", value: "fine", line: 5 }])
  })
})

describe("bytes", () => {
  const text = 'FROM bob\nSYSTEM "🦙 ü"\n'

  test.each<[name: string, bytes: Uint8Array]>([
    ["UTF-8", Buffer.from(text)],
    ["UTF-8 with a byte order mark", Buffer.from(`\uFEFF${text}`)],
    ["UTF-16, little-endian", Buffer.from(`\uFEFF${text}`, "utf16le")],
    ["UTF-16, big-endian", Buffer.from(`\uFEFF${text}`, "utf16le").swap16()],
    ["UTF-16 without a mark", Buffer.from(text, "utf16le")],
  ])("%s", (_, bytes) => {
    const decoded = decodeModelfile(bytes, "Modelfile")
    expect(instructionsOf(decoded)).toEqual([
      { type: "from", value: "bob" },
      { type: "system", value: "🦙 ü" },
    ])
  })

  test.each<[name: string, bytes: Uint8Array, words: string]>([
    [
      "a model",
      Buffer.from("GGUF\x03\0\0\0"),
      "it is a model, not a Modelfile; write a file with the line 'FROM x'",
    ],
    ["Latin-1", Buffer.from("FROM caf\xe9", "latin1"), "x: it is not text in UTF-8 or UTF-16"],
    ["NUL", Buffer.from("FROM a\0b"), "x: it is not a text file: it has NUL characters"],
  ])("%s is refused", (_, bytes, words) => {
    expect(() => decodeModelfile(bytes, "x")).toThrow(words)
    expect(() => decodeModelfile(bytes, "x")).toThrow(XllmError)
  })

  test("of any kind are a text or refused", () => {
    const random = mulberry(11)
    for (let round = 0; round < 1000; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))
      try {
        parseModelfile(decodeModelfile(bytes, "x"))
      } catch (error) {
        expect(error).toBeInstanceOf(XllmError)
      }
    }
  })
})

describe("text after closing quotes", () => {
  test.each([
    ['PARAMETER stop "User:" # x', 'unexpected text after the closing "; a comment needs a line of its own'],
    [
      'PARAMETER stop """User:""" # x',
      'unexpected text after the closing """; a comment needs a line of its own',
    ],
    ['PARAMETER stop "User:" and more', 'unexpected text after the closing "'],
    ['SYSTEM "Be brief." # really', 'unexpected text after the closing "; a comment needs a line of its own'],
  ])("%s: is refused on its line, and the lines below are read as they are", (line, message) => {
    const { instructions, problems } = parseModelfile(`FROM foo\n${line}\nPARAMETER stop "B:"\nSYSTEM "hi"\n`)
    expect(problems).toEqual([{ line: 2, message }])
    expect(instructions.map(({ line: at }) => at)).toEqual([1, 3, 4])
  })

  test("is a part of a text of several lines that has quotes inside", () => {
    expect(parseModelfile('FROM foo\nSYSTEM "Say "hi" and\nmore"').problems).toEqual([])
  })
})
