import type { PreparedAnswer } from "../prompt/prepared"
import { type OutputParser, PlainTextParser } from "./parser"

/** Reads the calls of one answer. */
export function toolParserOf(_tools: NonNullable<PreparedAnswer["tools"]>): OutputParser {
  return new PlainTextParser()
}
