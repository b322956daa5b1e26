import type { XllmError } from "../../errors/base"
import type { Dialect } from "../context/dialect"

/** Ollama's clients expect its error format even though the server has none of its routes. */
export const ollamaDialect: Dialect = {
  match: (path) => path.startsWith("/api/"),
  renderError: errorBody,
  // Streams are JSON lines.
  renderStreamError: (error) => `${JSON.stringify(errorBody(error))}\n`,
}

function errorBody(error: XllmError): Readonly<Record<string, unknown>> {
  return { error: error.publicMessage }
}
