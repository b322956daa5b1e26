import type { Tool } from "../../../domain/tools"
import { controlsOf } from "../markers"
import type { PreparedAnswer, PreparedReasoning, PreparedRequest } from "../prompt/prepared"
import { AnswerOutput } from "./answer-output"
import { type OutputParser, PlainTextParser } from "./parser"
import { ReasoningSplitter } from "./reasoning-splitter"
import { TextOutput } from "./text-output"
import { TextMarkersParser } from "./text-markers"
import { ToolOutputParser } from "./tool-parser"

/** What reads one answer of a request. `tools`: those that may be called. */
export function answerOutputOf(
  {
    stops,
    keepsStop,
    leastIndent,
    answer,
  }: Pick<PreparedRequest, "stops" | "keepsStop" | "answer"> & Partial<Pick<PreparedRequest, "leastIndent">>,
  tools: readonly Tool[] = [],
): AnswerOutput {
  if (answer === undefined)
    return new AnswerOutput(new TextOutput(stops, keepsStop, leastIndent), new PlainTextParser())
  const said = parserOf(answer, tools)
  const splitter = answer.reasoning && splitterOf(answer.reasoning, said)
  return new AnswerOutput(new TextOutput([]), splitter ?? said, {
    controls: controlTokens(answer),
    stops,
    keepsStop,
    isThinking: () => splitter?.isThinking === true,
  })
}

function parserOf({ calls, text }: PreparedAnswer, tools: readonly Tool[]): OutputParser {
  if (calls !== undefined) return new ToolOutputParser(calls, tools)
  return text === undefined ? new PlainTextParser() : new TextMarkersParser(text)
}

function splitterOf(reasoning: PreparedReasoning, answer: OutputParser): ReasoningSplitter {
  return new ReasoningSplitter({ ...reasoning, answer })
}

/** The control tokens that mean something in an answer. */
function controlTokens({ reasoning, calls, text }: PreparedAnswer): ReadonlySet<number> {
  const markers = [reasoning?.start, reasoning?.end, text?.start, text?.end]
  return new Set([
    ...markers.flatMap((marker) => controlsOf(marker ?? [])),
    ...(calls?.controls ?? []).map(({ id }) => id),
  ])
}
