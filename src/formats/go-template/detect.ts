/** What only Go's templates have: its keywords, fields and variables right behind `{{`. */
const GO =
  /\{\{-?\s*(?:(?:if|range|with|else|end|define|block|template|break|continue)\b|[.$]|\/\*|(?:json|len|index|slice|printf?|println|and|or|not|eq|ne|currentDate)\s+[.$("])/

const JINJA = /\{[{%#]/

/** The language of a template that somebody wrote; a text without any action is a Go template, as Ollama takes it. */
export function templateSyntax(source: string): "go" | "jinja" {
  return !GO.test(source) && JINJA.test(source) ? "jinja" : "go"
}
