/** Found only in Go templates: keywords, fields and variables directly after `{{`. */
const GO =
  /\{\{-?\s*(?:(?:if|range|with|else|end|define|block|template|break|continue)\b|[.$]|\/\*|(?:json|len|index|slice|printf?|println|and|or|not|eq|ne|currentDate)\s+[.$("])/

const JINJA = /\{[{%#]/

/** The language of a template. A text without any action is a Go template, as in Ollama. */
export function templateSyntax(source: string): "go" | "jinja" {
  return !GO.test(source) && JINJA.test(source) ? "jinja" : "go"
}
