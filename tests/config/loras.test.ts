import { describe, expect, test } from "bun:test"
import { homedir } from "node:os"
import { resolve } from "node:path"
import { adapterFlags, withAdapters } from "../../src/cli/args/adapter-flags"
import { parseArguments } from "../../src/cli/args/flags"
import { loras } from "../../src/config/loras"

const at = (name: string) => resolve(name)

describe("adapters in a setting", () => {
  test.each([
    ["a.gguf", [{ path: at("a.gguf"), scale: 1 }]],
    [
      "a.gguf:0.5,/x/b.gguf:-2",
      [
        { path: at("a.gguf"), scale: 0.5 },
        { path: "/x/b.gguf", scale: -2 },
      ],
    ],
    ["c:\\a.gguf", [{ path: at("c:\\a.gguf"), scale: 1 }]],
    ["~/a.gguf", [{ path: `${homedir()}/a.gguf`, scale: 1 }]],
    ["none", []],
  ])("%j", (text, expected) => {
    expect(loras.parse(text, "XLLM_LORA")).toEqual(expected)
    expect(loras.parse(loras.show(expected), "XLLM_LORA")).toEqual(expected)
  })

  test("may be texts and objects in a file", () => {
    expect(loras.read(["/a.gguf:2", { file: "/b:1.gguf" }, { file: "/c.gguf", scale: 0 }], "loras")).toEqual([
      { path: "/a.gguf", scale: 2 },
      { path: "/b:1.gguf", scale: 1 },
      { path: "/c.gguf", scale: 0 },
    ])
  })

  test.each(["", "a.gguf:101", "a.gguf:-101", ":1,", Array.from({ length: 17 }, () => "a").join(",")])(
    "%j is refused",
    (text) => expect(() => loras.parse(text, "XLLM_LORA")).toThrow("XLLM_LORA"),
  )
})

describe("the flags", () => {
  const parsed = (...argv: string[]) => {
    const { flags, words } = parseArguments(adapterFlags, argv)
    return { lora: withAdapters(flags).lora, words }
  }

  test("can be repeated, and a scale may follow the file", () => {
    expect(
      parsed("m", "--lora", "/a", "--lora-scaled", "/b", "0.5", "--lora=/c", "--lora-scaled", "/d:2", "text"),
    ).toEqual({
      lora: [
        { path: "/a", scale: 1 },
        { path: "/c", scale: 1 },
        { path: "/b", scale: 0.5 },
        { path: "/d", scale: 2 },
      ],
      words: ["m", "text"],
    })
  })

  test("take no number where there is none", () => {
    expect(parsed("--lora-scaled", "/a", "text").words).toEqual(["text"])
    expect(parsed().lora).toBeUndefined()
  })
})
