import type { Dialect } from "../context/dialect"
import { ollamaDialect } from "../ollama/dialect"
import { openAiDialect } from "../openai/dialect"

/** Every API that the server speaks. */
const DIALECTS: readonly Dialect[] = [openAiDialect, ollamaDialect]

/** The API that a path belongs to; OpenAI's where it belongs to none, as the server's own routes do. */
export function dialectOf(path: string): Dialect {
  return DIALECTS.find((dialect) => dialect.match(path)) ?? openAiDialect
}
