import { MarkedText, type Piece, sharedEnd, sharedStart } from "../tools/learn/marked-text"
import { afterUser, ANSWER_TEXT, type RenderProbe, USER_PROBE } from "../tools/learn/probes"
import type { ThinkingMarkers } from "./markers"

/** Markers around the text of an answer that are no part of it (`<|START_RESPONSE|>`). */
export interface TextMarkers {
  readonly start: string
  /** Empty if the text ends with the answer. */
  readonly end: string
}

/** Learns them from what stands between the opening of an answer and its text. */
export function learnTextMarkers(
  render: RenderProbe,
  controls: readonly string[],
  thinking: ThinkingMarkers | undefined,
): TextMarkers | undefined {
  const pieceOf = (text: string): Piece => ({ of: new MarkedText(text, controls), from: 0, to: text.length })
  const answer = afterUser(render([USER_PROBE, { role: "assistant", content: ANSWER_TEXT }]))
  const at = answer?.indexOf(ANSWER_TEXT) ?? -1
  if (answer === undefined || at === -1) return undefined
  const before = answer.slice(0, at)
  const openings = [true, false].map(
    (thinks) =>
      afterUser(render([USER_PROBE], { opensAnswer: true, variables: { enable_thinking: thinks } })) ?? "",
  )
  const opened = Math.max(...openings.map((text) => sharedStart(pieceOf(before), pieceOf(text))))
  const start = withoutThinking(before.slice(opened), thinking)
  // Without a marker of its own the text cannot be told from what a model writes.
  if (new MarkedText(start, controls).firstMarker() === undefined) return undefined
  if (openings.some((text) => text.trimEnd().endsWith(start))) return undefined
  const after = answer.slice(at + ANSWER_TEXT.length)
  const user = pieceOf(afterUser(render([USER_PROBE])) ?? "")
  const end = after.slice(0, after.length - sharedEnd(pieceOf(after), user)).trim()
  return { start, end: end || firstOfTwo(new MarkedText(after, controls)) }
}

/** A user's text may have the same markers around it; the last one ends the turn. */
function firstOfTwo(after: MarkedText): string {
  const first = after.firstMarker() ?? ""
  return after.text.startsWith(first) && after.lastMarker() !== first ? first : ""
}

function withoutThinking(text: string, thinking: ThinkingMarkers | undefined): string {
  let rest = text.trim()
  if (thinking === undefined) return rest
  for (const marker of [thinking.start, thinking.end])
    if (rest.startsWith(marker)) rest = rest.slice(marker.length).trim()
  return rest
}
