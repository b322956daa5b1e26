import type { ChatMessage } from "../../domain/chat"
import { MarkedText, sharedStart } from "../tools/learn/marked-text"
import {
  afterUser,
  ANSWER_TEXT,
  calling,
  callOf,
  PROBE,
  probeTools,
  type RenderProbe,
  resultsOf,
  textArguments,
  THOUGHT_TEXT,
  USER_PROBE,
} from "../tools/learn/probes"
import { knownAround, knownIn, type ThinkingMarkers } from "./markers"

export interface LearnedMarkers extends ThinkingMarkers {
  /** The template shows what was thought in earlier answers, or the prompt opens it: not only its source has them. */
  readonly isShown: boolean
}

/** Learns the markers around thinking from how a template shows an answer that has some. */
export function learnThinking(
  source: string,
  render: RenderProbe,
  controls: readonly string[],
): LearnedMarkers | undefined {
  const openings = openingsOf(render)
  const shown = thoughtMarkers(render, controls, openings)
  if (shown !== undefined) return { ...shown, isShown: true }
  const known = knownIn(source, openings)
  if (known === undefined) return undefined
  return { ...known, isShown: openings.some((text) => text.includes(known.start)) }
}

function openingsOf(render: RenderProbe): string[] {
  return [{}, { enable_thinking: false }].flatMap(
    (variables) => afterUser(render([USER_PROBE], { opensAnswer: true, variables })) ?? [],
  )
}

function thoughtMarkers(
  render: RenderProbe,
  controls: readonly string[],
  openings: readonly string[],
): ThinkingMarkers | undefined {
  const context = { controls, openings }
  const answer: ChatMessage = { role: "assistant", content: ANSWER_TEXT }
  const plain = afterUser(render([USER_PROBE, answer]))
  const thought = afterUser(render([USER_PROBE, { ...answer, reasoning: THOUGHT_TEXT }]))
  const found = markersAround(thought, ANSWER_TEXT, plain, context)
  if (found !== undefined) return found
  // Some show what was thought before calls only.
  const calls = [callOf(PROBE, 0, textArguments(PROBE))]
  const how = { tools: probeTools(PROBE) }
  const before = (said: { reasoning?: string }): string | undefined =>
    afterUser(
      render([USER_PROBE, calling(calls, said)], how) ??
        render([USER_PROBE, calling(calls, said), ...resultsOf(calls)], how),
    )
  return markersAround(before({ reasoning: THOUGHT_TEXT }), PROBE.functions[0], before({}), context)
}

/** @param without the same without the thought */
function markersAround(
  rendered: string | undefined,
  next: string,
  without: string | undefined,
  { controls, openings }: { readonly controls: readonly string[]; readonly openings: readonly string[] },
): ThinkingMarkers | undefined {
  const at = rendered?.lastIndexOf(THOUGHT_TEXT) ?? -1
  if (rendered === undefined || at === -1) return undefined
  const before = rendered.slice(0, at)
  const following = rendered.slice(at + THOUGHT_TEXT.length)
  const known = knownAround(before, following, openings)
  if (known !== undefined) return known
  const to = following.indexOf(next)
  const after = to === -1 ? following : following.slice(0, to)
  const opening = sharedStart(pieceOf(before, controls), pieceOf(without ?? "", controls))
  const start = before.slice(opening).trim() || lastMarker(before, controls)
  const end = firstMarker(after, controls)
  return start === "" || end === "" ? undefined : { start, end }
}

/** The marker at the start of a text, or its first line. */
function firstMarker(text: string, controls: readonly string[]): string {
  const rest = text.trimStart()
  const marker = new MarkedText(rest, controls).firstMarker()
  if (marker !== undefined && rest.startsWith(marker)) return marker
  return (rest.split("\n", 1)[0] ?? "").trim()
}

function lastMarker(text: string, controls: readonly string[]): string {
  const rest = text.trimEnd()
  const marker = new MarkedText(rest, controls).lastMarker()
  return marker !== undefined && rest.endsWith(marker) ? marker : ""
}

function pieceOf(text: string, controls: readonly string[]) {
  return { of: new MarkedText(text, controls), from: 0, to: text.length }
}
