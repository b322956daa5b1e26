import type { XllmError } from "../../errors/base"
import type { Dialect } from "../context/dialect"

/** Ollama's clients expect its shape of errors also from a server that has none of its routes. */
export const ollamaDialect: Dialect = {
  match: (path) => path.startsWith("/api/"),
  renderError: errorBody,
  // Its streams are lines of JSON.
  renderStreamError: (error) => `${JSON.stringify(errorBody(error))}\n`,
}

function errorBody(error: XllmError): Readonly<Record<string, unknown>> {
  return { error: error.publicMessage }
}
