import type { Dialect } from "../context/dialect"
import { anthropicDialect } from "../anthropic/dialect"
import { llamaServerDialect } from "../llama-server/dialect"
import { ollamaDialect } from "../ollama/dialect"
import { openAiDialect } from "../openai/dialect"

/** All APIs of the server. */
const DIALECTS: readonly Dialect[] = [anthropicDialect, llamaServerDialect, openAiDialect, ollamaDialect]

/** The API that a path belongs to; OpenAI's for other paths, such as the server's own routes. */
export function dialectOf(path: string): Dialect {
  return DIALECTS.find((dialect) => dialect.match(path)) ?? openAiDialect
}
