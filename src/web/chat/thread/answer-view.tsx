import type { AnswerFacts } from "../../conversations/types"
import { durationText, numberText } from "../../lib/format"
import { BlockList, Markdown } from "../../markdown/markdown"
import { chatTexts } from "../../texts/chat"
import { Icon } from "../../ui/icons"
import { lazy } from "../../ui/lazy"
import type { AnswerPhase, RunningAnswer } from "../answer"
import type { MessageRowProps } from "./message-row"
import { ToolCalls } from "./tool-calls"

const Probabilities = lazy(async () => (await import("./probabilities")).Probabilities)

/** An answer: its thoughts, text, tool calls, how it ended, and its numbers. */
export function AnswerView(props: MessageRowProps & { readonly showsTokens: boolean }) {
  const { message, running, session, results, showsTokens } = props
  if (running !== undefined) return <Growing running={running} />
  const { answer, text } = message
  return (
    <>
      <p class="author">{answer?.model}</p>
      {answer?.thinking !== undefined && (
        <details class="thoughts">
          <summary>
            <Icon name="thought" />
            {answer.thinkingMs === undefined
              ? chatTexts.value.thought
              : chatTexts.value.thoughtFor(durationText(answer.thinkingMs))}
          </summary>
          <Markdown text={answer.thinking} />
        </details>
      )}
      {showsTokens && answer?.logprobs !== undefined ? (
        <Probabilities tokens={answer.logprobs} />
      ) : (
        text !== "" && <Markdown text={text} />
      )}
      {answer?.toolCalls !== undefined && (
        <ToolCalls session={session} message={message} calls={answer.toolCalls} results={results} />
      )}
      <End answer={answer} />
    </>
  )
}

function Growing({ running }: { readonly running: RunningAnswer }) {
  // Draws again with every new piece.
  void running.drawn.value
  const phase = running.phase.value
  const { thinking, text, thought } = running
  const hasThought = thinking.closed.length > 0 || thinking.open !== undefined
  const calls = running.soFar.answer?.toolCalls
  return (
    <>
      <p class="author">{running.message.answer?.model}</p>
      {hasThought && (
        <details class="thoughts">
          <summary>
            <Icon name="thought" />
            {thought.from !== undefined && thought.to !== undefined
              ? chatTexts.value.thoughtFor(durationText(thought.to - thought.from))
              : chatTexts.value.thinkingNow}
          </summary>
          <BlockList closed={thinking.closed} open={thinking.open} />
        </details>
      )}
      <BlockList closed={text.closed} open={text.open} />
      {calls?.map((call) => (
        <pre key={call.id} class="plain">{`${call.name}(${call.arguments}`}</pre>
      ))}
      <p class="phase" role="status">
        {phase.name !== "writing" && (
          <>
            <span class="pulse" />
            {phaseText(phase, running.message.answer?.model ?? "")}
          </>
        )}
      </p>
    </>
  )
}

function phaseText(phase: AnswerPhase, model: string): string {
  const texts = chatTexts.value
  switch (phase.name) {
    case "sent":
      return texts.sent
    case "loading":
      return texts.loading(model, phase.percent)
    case "queued":
      return texts.queued(phase.ahead)
    case "prompt":
      return texts.reading(numberText(phase.done), numberText(phase.total))
    case "thinking":
      return texts.thinkingNow
    case "writing":
      return ""
    default:
      return phase satisfies never
  }
}

function End({ answer }: { readonly answer: AnswerFacts | undefined }) {
  const texts = chatTexts.value
  const warnings = answer?.warnings?.map((each) => (
    <p key={each} class="ending warning">
      <Icon name="warning" />
      {each}
    </p>
  ))
  if (answer?.error !== undefined) {
    return (
      <>
        {warnings}
        <div class="ending failed" role="alert">
          <Icon name="warning" />
          <p>
            <strong>{texts.failedAnswer}.</strong> {answer.error.message}
          </p>
        </div>
      </>
    )
  }
  const end =
    answer?.end === undefined
      ? texts.ended.interrupted
      : answer.end === "length" || answer.end === "stopped"
        ? texts.ended[answer.end]
        : undefined
  return (
    <>
      {warnings}
      {end !== undefined && <p class="ending">{end}</p>}
    </>
  )
}

/** How many tokens an answer has, and how fast they came. */
export function AnswerNumbers({ answer }: { readonly answer: AnswerFacts | undefined }) {
  const texts = chatTexts.value
  if (answer?.usage === undefined) return null
  const { usage, timings, firstTokenMs } = answer
  const rate = timings?.predicted_per_second ?? 0
  const cached = usage.prompt_tokens_details.cached_tokens
  const parts = [
    texts.tokens(usage.completion_tokens, numberText(usage.completion_tokens)),
    ...(rate > 0 ? [texts.tokensPerSecond(numberText(rate, rate < 100 ? 1 : 0))] : []),
    ...(firstTokenMs === undefined ? [] : [texts.firstToken(durationText(firstTokenMs))]),
    ...(cached > 0 ? [texts.cached(numberText(cached))] : []),
  ]
  return <span class="numbers number">{parts.join(" · ")}</span>
}
