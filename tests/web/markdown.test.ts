import { describe, expect, test } from "bun:test"
import { blocksOf, type MarkdownBlock, MarkdownBlocks } from "../../src/web/markdown/blocks"
import { hold } from "../../src/web/markdown/hold"
import { parseMarkdown, type Token } from "../../src/web/markdown/parser"
import { safeImage, safeLink, visible } from "../../src/web/markdown/safe-link"

const MIXED = `# Title

A paragraph with **bold**, \`code\` and a [link](https://example.org/).
Its second line.

- one
- two
  - inner

  still two

1. first
2. second

\`\`\`ts
const a = 1

- no list
\`\`\`

> quoted
> twice

| a | b |
|---|---|
| 1 | 2 |
| 3 | 4 |

Formula $a^2$ and

$$
a

b
$$

~~~
tildes
~~~
    indented after

***

last words`

const TEXTS = {
  mixed: MIXED,
  "an unclosed fence": "Text\n```python\nprint(1)\n\nprint(2)\n",
  "a fence in a list": "- item\n  ```js\n  a\n  ```\n- next\n\nend",
  "a fence of four marks": "````md\n```js\n```\n````\nafter",
  "a heading by an underline": "Title\n=====\n\nbody\n---\nend",
  html: "<script>alert(1)</script>\n\n<b>bold</b> text\n",
  "carriage returns": "a\r\n\r\n```\r\nb\r\n```\r\nc",
  empty: "",
} as const

describe("a growing text", () => {
  for (const [name, text] of Object.entries(TEXTS)) {
    for (const size of [1, 3, 7, 64]) {
      test(`has in the end the blocks of the whole: ${name}, by ${size}`, () => {
        const blocks = new MarkdownBlocks()
        for (let at = 0; at < text.length; at += size) blocks.append(text.slice(at, at + size))
        blocks.append("", true)
        expect(blocks.open).toBeUndefined()
        expect(blocks.closed.map(shapeOf)).toEqual(blocksOf(text).map(shapeOf))
      })
    }
  }

  test("keeps closed blocks as they are", () => {
    const blocks = new MarkdownBlocks()
    let before: readonly MarkdownBlock[] = []
    for (const character of MIXED) {
      blocks.append(character)
      expect(blocks.closed.slice(0, before.length).every((block, index) => block === before[index])).toBe(
        true,
      )
      before = [...blocks.closed]
    }
    expect(new Set(before.map(({ key }) => key)).size).toBe(before.length)
  })

  test("shows code before its end, and not the marks that may end it", () => {
    const blocks = new MarkdownBlocks()
    blocks.append("```js\nlet a\n``")
    expect(blocks.open?.content).toEqual({
      type: "code",
      language: "js",
      code: { pieces: [], rest: "let a\n" },
      isOpen: true,
    })
    blocks.append("`\n")
    expect(blocks.open).toBeUndefined()
    expect(blocks.closed).toHaveLength(1)
  })

  test("has long code in pieces of 200 lines that stay", () => {
    const blocks = new MarkdownBlocks()
    blocks.append("```\n")
    for (let line = 0; line < 450; line++) blocks.append(`line ${line}\n`)
    const content = blocks.open?.content
    if (content?.type !== "code") throw new Error("no code")
    expect(content.code.pieces.map((piece) => piece.split("\n").length - 1)).toEqual([200, 200])
    expect(content.code.rest.split("\n")).toHaveLength(51)
  })

  test("is parsed quickly, whatever a model writes", () => {
    for (const piece of ["_a", "**a", "[", "> ", "`", "![a](", "$", "\\(", "| ", "<a "]) {
      const text = piece.repeat(20_000)
      const blocks = new MarkdownBlocks()
      const started = process.cpuUsage().user
      blocks.append(text)
      blocks.append("", true)
      // Far more than it takes, far less than a parser whose time grows with the square.
      expect((process.cpuUsage().user - started) / 1e6).toBeLessThan(3)
    }
  })
})

test("what follows a deeply nested list is shown", () => {
  const list = Array.from({ length: 20 }, (_, depth) => `${"  ".repeat(depth)}- ${depth}`).join("\n")
  expect(parseMarkdown(`${list}\n\nafter it`).some(({ content }) => content === "after it")).toBe(true)
})

describe("an unfinished end", () => {
  test("is held back where it may become something else", () => {
    for (const end of ["-", "*", "#", "##", "1", "1.", ">", "`", "```", "=", "---"]) {
      expect(hold(`Text:\n${end}`)).toBe("Text:\n")
    }
  })

  test("has its open marks closed", () => {
    expect(hold("some **bold te")).toBe("some **bold te**")
    expect(hold("a `cod")).toBe("a `cod`")
  })

  test("of a table is shown by whole rows, once it is one", () => {
    expect(hold("| a | b |\n|---|-")).toBe("")
    expect(hold("| a | b |\n|---|---|\n| 1 | 2 |\n| 3")).toBe("| a | b |\n|---|---|\n| 1 | 2 |\n")
  })
})

describe("formulas", () => {
  const formulas = (text: string) =>
    blocksOf(text)
      .flatMap(({ content }) => (content.type === "tokens" ? flat(content.tokens) : []))
      .filter(({ type }) => type === "math")
      .map(({ content, markup }) => (markup === "block" ? `[${content}]` : content))

  test("are found in each notation", () => {
    expect(formulas("$a_1$ and \\(b_2\\), $$c_3$$ or \\[d_4\\].")).toEqual(["a_1", "b_2", "[c_3]", "[d_4]"])
    expect(formulas("\\[\nx = 1\n\n- y\n\\]\n")).toEqual(["[x = 1\n\n- y]"])
  })

  test("are not money", () => {
    expect(formulas("from $5 to $10, or $ 3 $")).toEqual([])
  })
})

describe("addresses", () => {
  test("lead to the web or to a mailbox only", () => {
    expect(safeLink("https://example.org/a?b")).toBe("https://example.org/a?b")
    expect(safeLink("mailto:a@example.org")).toBe("mailto:a@example.org")
    for (const address of [
      "javascript:alert(1)",
      "java\nscript:alert(1)",
      " JAVASCRIPT:alert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc/passwd",
      "//example.org",
      "/v0/stop",
      "https://bank.example@evil.example/",
      "blob:https://example.org/1",
    ])
      expect(safeLink(address)).toBeUndefined()
  })

  test("of pictures are never fetched", () => {
    expect(safeImage("data:image/png;base64,AAAA")).toBe("data:image/png;base64,AAAA")
    for (const address of ["https://example.org/a.png", "/v0/health", "data:image/svg+xml;base64,AAAA"])
      expect(safeImage(address)).toBeUndefined()
  })

  test("show characters that turn a text around", () => {
    expect(visible("a\u202egnp.exe")).toBe("a⟨U+202E⟩gnp.exe")
  })
})

function shapeOf({ content }: MarkdownBlock) {
  if (content.type === "code")
    return { language: content.language, text: content.code.pieces.join("") + content.code.rest }
  return flat(content.tokens).map(({ type, tag, content, markup, hidden }) => ({
    type,
    tag,
    content,
    markup,
    hidden,
  }))
}

function flat(tokens: readonly Token[]): readonly Token[] {
  return tokens.flatMap((token) => [token, ...flat(token.children ?? [])])
}
