import { describe, expect, test } from "bun:test"
import { regexOfLark } from "../../../src/formats/lark/to-regex"

function matches(grammar: string, text: string): boolean {
  return new RegExp(`^(?:${regexOfLark(grammar)})$`, "u").test(text)
}

/** The notation of patches that coding agents use. */
const PATCH = String.raw`
start: begin_patch hunk+ end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?

filename: /(.+)/
add_line: "+" /(.*)/ LF -> line

change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF

%import common.LF
`

const SUM = String.raw`
// Sums of products.
start: expr
expr: term (ADD term)* -> sum
    | term
?term: INT | INT MUL INT
ADD.2: "+"
MUL: "*"
%import common (INT, WS)
%ignore WS
`

describe("a grammar in Lark's notation", () => {
  test.each([
    [PATCH, "*** Begin Patch\n*** Add File: a.txt\n+one\n+\n*** End Patch", true],
    [PATCH, "*** Begin Patch\n*** Update File: a\n@@ f\n-x\n+y\n z\n*** End of File\n*** End Patch\n", true],
    [PATCH, "*** Begin Patch\n*** Delete File: a\n*** Delete File: b\n*** End Patch", true],
    [PATCH, "*** Begin Patch\n*** End Patch", false],
    [PATCH, "*** Begin Patch\n*** Add File: a.txt\none\n*** End Patch", false],
    [SUM, "1 + 2*3", true],
    [SUM, "1+2 + 3 ", true],
    [SUM, "1+*3", false],
    ['start: "a".."c" ~ 2..3', "abc", true],
    ['start: "a".."c" ~ 2..3', "a", false],
    ['start: "Yes"i | ["no"] "!"', "yES", true],
    ['start: "Yes"i | ["no"] "!"', "!", true],
    ['start: list\nlist: /[a-z]/ | list "," /[a-z]/', "a,b,c", true],
    ['start: list\nlist: /[a-z]/ | list "," /[a-z]/', "a,,c", false],
    ['start: line | line start\nline: /[^\\n]*/ "\\n"', "a\nb\n", true],
    ["start: /a.[.]/s", "a\n.", true],
    ["start: /a.[.]/s", "a\nx", false],
    ['start: "\\u00e4(\\x41)" /b\\/c/', "ä(A)b/c", true],
    ["start: NAME\n%import common.CNAME -> NAME", "_x1", true],
  ])("%#: matches the same texts as the expression", (grammar, text, isMatch) => {
    expect(matches(grammar, text)).toBe(isMatch)
  })

  test.each([
    ['start: "(" start ")" | "x"', "contains itself"],
    ["start: a\na: b\nb: a", "contains itself"],
    ["start: nothing", "'nothing' is not defined"],
    ["rule: /a/", "'start' is not defined"],
    ["start: /(?P<x>a)/", "another language's notation"],
    ["start: /a/i", "the flag i"],
    ["start{x}: x", "is no rule that can be translated"],
    ["%declare A\nstart: A", "%declare cannot be translated"],
    ["%import python.NAME\nstart: NAME", "only the library 'common'"],
    ["start: ", ""],
    ["start: (/a/", "a bracket is not closed"],
    ["start: @", "is not Lark's notation"],
    [`start: ${"(".repeat(100)}/a/${")".repeat(100)}`, "groups within each other"],
    [
      Array.from({ length: 40 }, (_, index) => `r${index}: r${index + 1} r${index + 1}`)
        .join("\n")
        .replace("r0", "start")
        .concat('\nr40: "a"'),
      "too large without its rules",
    ],
  ])("%#: is refused where it cannot be one", (grammar, reason) => {
    if (reason === "") expect(matches(grammar, "")).toBe(true)
    else expect(() => regexOfLark(grammar)).toThrow(reason)
  })
})
