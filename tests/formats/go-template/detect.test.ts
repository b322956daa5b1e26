import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { templateSyntax } from "../../../src/formats/go-template/detect"

const TEMPLATES = join(import.meta.dir, "templates")

test.each(readdirSync(TEMPLATES))("%s is known as a Go template", (name) => {
  expect(templateSyntax(readFileSync(join(TEMPLATES, name), "utf8"))).toBe("go")
})

test.each<[source: string, syntax: "go" | "jinja"]>([
  ["{% for m in messages %}{{ m.content }}{% endfor %}", "jinja"],
  ["{{ messages[0].content }}", "jinja"],
  ["{{- bos_token -}}{%- if x %}{% endif %}", "jinja"],
  ["{{ .Prompt }}", "go"],
  ["{{- if .System }}a{{ end }}", "go"],
  ["{{/* nothing */}}", "go"],
  ["{{ json .Tools }} and a literal {%", "go"],
  ["no action at all", "go"],
])("%j is %s", (source, syntax) => {
  expect(templateSyntax(source)).toBe(syntax)
})
