import { describe, expect, test } from "bun:test"
import { toBlocks } from "../../../src/worker/tts/blocks"
import { toReadable } from "../../../src/worker/tts/readable"

const read = (text: string) => toBlocks(toReadable(text), { raw: false }).map((block) => block.text)

describe("a text is read as a person would", () => {
  test.each([
    ["This is **very** *important*, ***really***.", "This is very important, really."],
    ["It is __bold__ and _slanted_, ~~gone~~ and ==marked==.", "It is bold and slanted, gone and marked."],
    ["Call `run_all()` or ``a`b``.", "Call run all() or a`b."],
    [
      'See [the docs](https://example.com/a_(b)?q=1 "Docs") and ![a cat](cat.png).',
      "See the docs and a cat.",
    ],
    ["See [this][1] and that[^2].", "See this and that."],
    ["Go to https://www.example.com/docs/?utm=1#top.", "Go to example.com/docs."],
    [
      "(https://example.com) or <https://example.org/> or www.x.org!",
      "(example.com) or example.org or x.org!",
    ],
    [
      "Long: https://example.com/a/very/long/path/that/goes/on/and/on/and/never/stops/here",
      "Long: example.com",
    ],
    ["Mail <mailto:joe@example.com>.", "Mail joe@example.com."],
    ["Great 🎉! We did it 👩‍👩‍👧‍👦🇩🇪 👍🏽 today ❤️.", "Great! We did it today."],
    ["Press 1️⃣ now :-) please.", "Press 1 now please."],
    ["© 2024 Acme™ costs 5 * 3 = 15 € & more", "© 2024 Acme™ costs 5 * 3 = 15 € & more"],
    ["a_variable and file_name_two", "a variable and file name two"],
    ["<p>Hello <b>you</b> &amp; me&#33;</p>", "Hello you & me!"],
    ["where a<b and c>d, #1 of 2", "where a<b and c>d, #1 of 2"],
    ["Only \\*today\\*.", "Only *today*."],
    ["price* is per person.", "price is per person."],
  ])("%p", (text, expected) => {
    expect(read(text)).toEqual([expected])
  })

  test("its headings, lists, tables, quotes, rules and code without their marks", () => {
    const text = [
      "# The *plan* #",
      "Some text",
      "on two lines.",
      "- [x] first",
      "- second",
      "  goes on",
      "",
      "> quoted",
      "> text",
      "",
      "---",
      "| Name | Age |",
      "|------|----:|",
      "| Joe  | 5   |",
      "",
      "```js",
      "let a = 1",
      "```",
      "[1]: https://example.com",
    ].join("\r\n")
    expect(read(text)).toEqual([
      "The plan",
      "Some text on two lines.",
      "first",
      "second goes on",
      "quoted text",
      "Name, Age",
      "Joe, 5",
      "let a = 1",
    ])
  })

  test("numbers of lists are read, and end no sentence", () => {
    expect(read("1. one\n2. two")).toEqual(["1) one", "2) two"])
  })

  test.each(["🙂", "***", "https://", "…"])(
    "%p, of which nothing would be left, is read as it is",
    (text) => {
      expect(toReadable(text)).toBe(text)
    },
  )

  test("a text of plain words stays as it is", () => {
    const text = "Plain words, it's 5 o'clock (or 6).\nA wrapped line — and so on.\n\nThe end."
    expect(toReadable(text)).toBe(text)
  })

  test("marks without a partner take no long time", () => {
    const start = performance.now()
    for (const mark of ["*a ", "_a ", "`a ", "[a", "![a](", "<a ", "**a ", "|a", "http://a", "[a](("])
      toReadable(mark.repeat(100_000 / mark.length))
    // Without bounds it would take minutes.
    expect(performance.now() - start).toBeLessThan(20_000)
  })
})
