import { describe, expect, test } from "bun:test"
import { EditBuffer } from "../../../src/cli/repl/edit-buffer"

/** A text whose cursor is at the bar, after `edit`. */
function edited(text: string, edit: (buffer: EditBuffer) => void): string {
  const buffer = new EditBuffer()
  buffer.set(text.replace("|", ""), text.indexOf("|"))
  edit(buffer)
  return `${buffer.text.slice(0, buffer.cursor)}|${buffer.text.slice(buffer.cursor)}`
}

describe("a text that is typed", () => {
  test.each<[string, string, (buffer: EditBuffer) => void]>([
    ["a|c", "ab|c", (buffer) => buffer.insert("b")],
    ["ab|c", "a|c", (buffer) => buffer.backspace()],
    ["|c", "|c", (buffer) => buffer.backspace()],
    ["a|bc", "a|c", (buffer) => buffer.delete()],
    ["one two|", "one |two", (buffer) => buffer.wordLeft()],
    ["one| two", "one two|", (buffer) => buffer.wordRight()],
    ["one two |x", "one |x", (buffer) => buffer.killWord()],
    ["ab|cd", "|cd", (buffer) => buffer.killToStart()],
    ["ab|cd", "ab|", (buffer) => buffer.killToEnd()],
    ["ab|cd", "cdab|", (buffer) => (buffer.killToEnd(), buffer.home(), buffer.yank(), buffer.end())],
  ])("%j becomes %j", (before, after, edit) => {
    expect(edited(before, edit)).toBe(after)
  })

  test.each(["👩‍👩‍👧", "e\u0301", "🇩🇪", "日"])("has %s as one character", (character) => {
    expect(edited(`a${character}|`, (buffer) => buffer.left())).toBe(`a|${character}`)
    expect(edited(`a|${character}`, (buffer) => buffer.right())).toBe(`a${character}|`)
    expect(edited(`a${character}|`, (buffer) => buffer.backspace())).toBe("a|")
  })

  test("may have several lines, between which the cursor goes up and down", () => {
    expect(edited("one\ntw|o", (buffer) => buffer.up())).toBe("on|e\ntwo")
    expect(edited("on|e\nt", (buffer) => buffer.down())).toBe("one\nt|")
    expect(edited("one\ntwo|", (buffer) => buffer.home())).toBe("one\n|two")
    expect(edited("o|ne\ntwo", (buffer) => buffer.end())).toBe("one|\ntwo")
    expect(edited("one|\ntwo", (buffer) => buffer.killToEnd())).toBe("one|two")
  })

  test("tells where there is no line to go to", () => {
    const buffer = new EditBuffer()
    buffer.set("one")
    expect([buffer.up(), buffer.down()]).toEqual([false, false])
  })
})
