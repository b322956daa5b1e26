import { controlsOf } from "../markers"
import type { PreparedAnswer, PreparedReasoning, PreparedRequest } from "../prompt/prepared"
import { AnswerOutput } from "./answer-output"
import { type OutputParser, PlainTextParser } from "./parser"
import { ReasoningSplitter } from "./reasoning-splitter"
import { TextOutput } from "./text-output"
import { toolParserOf } from "./tool-parser"

/** What reads one answer of a request. */
export function answerOutputOf({
  stops,
  keepsStop,
  answer,
}: Pick<PreparedRequest, "stops" | "keepsStop" | "answer">): AnswerOutput {
  if (answer === undefined) return new AnswerOutput(new TextOutput(stops, keepsStop), new PlainTextParser())
  const said = answer.tools === undefined ? new PlainTextParser() : toolParserOf(answer.tools)
  const splitter = answer.reasoning && splitterOf(answer.reasoning, said)
  return new AnswerOutput(new TextOutput([]), splitter ?? said, {
    controls: controlTokens(answer),
    stops,
    keepsStop,
    isThinking: () => splitter?.isThinking === true,
  })
}

function splitterOf(reasoning: PreparedReasoning, answer: OutputParser): ReasoningSplitter {
  return new ReasoningSplitter({ ...reasoning, answer })
}

/** The control tokens that mean something in an answer. */
function controlTokens({ reasoning, tools }: PreparedAnswer): ReadonlySet<number> {
  return new Set([
    ...controlsOf(reasoning?.start ?? []),
    ...controlsOf(reasoning?.end ?? []),
    ...(tools?.controls ?? []).map(([, token]) => token),
  ])
}
