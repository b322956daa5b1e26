import hljs from "highlight.js/lib/core"
import bash from "highlight.js/lib/languages/bash"
import c from "highlight.js/lib/languages/c"
import cpp from "highlight.js/lib/languages/cpp"
import css from "highlight.js/lib/languages/css"
import diff from "highlight.js/lib/languages/diff"
import go from "highlight.js/lib/languages/go"
import java from "highlight.js/lib/languages/java"
import javascript from "highlight.js/lib/languages/javascript"
import json from "highlight.js/lib/languages/json"
import markdown from "highlight.js/lib/languages/markdown"
import python from "highlight.js/lib/languages/python"
import rust from "highlight.js/lib/languages/rust"
import sql from "highlight.js/lib/languages/sql"
import typescript from "highlight.js/lib/languages/typescript"
import xml from "highlight.js/lib/languages/xml"
import yaml from "highlight.js/lib/languages/yaml"
import type { ComponentChildren } from "preact"
import { visible } from "./safe-link"

const LANGUAGES = {
  bash,
  c,
  cpp,
  css,
  diff,
  go,
  java,
  javascript,
  json,
  markdown,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
}

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language)

/** A node of the library's result: it has no public form besides HTML, which the page never makes. */
interface Scope {
  readonly scope?: string
  readonly children: readonly (Scope | string)[]
}

/** Elements for code; undefined: the language is not known. */
export function coloured(code: string, language: string): ComponentChildren {
  const name = language.toLowerCase()
  if (hljs.getLanguage(name) === undefined) return undefined
  const { _emitter } = hljs.highlight(code, { language: name, ignoreIllegals: true })
  return elements((_emitter as unknown as { readonly rootNode: Scope }).rootNode.children)
}

function elements(children: Scope["children"]): ComponentChildren {
  return children.map((child) => {
    if (typeof child === "string") return visible(child)
    const content = elements(child.children)
    return child.scope === undefined ? (
      content
    ) : (
      <span class={`c-${child.scope.split(".")[0]}`}>{content}</span>
    )
  })
}
