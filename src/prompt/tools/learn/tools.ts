import type { TextMarkers } from "../../reasoning/answer-text"
import { GENERIC_SYNTAX, knownSyntax, tellsOfHermes } from "../known"
import { type LearnOptions, learnToolSyntax } from "./tool-syntax"
import { isProven } from "./prove"
import {
  afterUser,
  callOf,
  calling,
  PROBE,
  type ProbeOptions,
  probeTools,
  type RenderProbe,
  resultsOf,
  textArguments,
  USER_PROBE,
} from "./probes"
import { type Marker, markerText, type ToolSyntax } from "../syntax"

/** How tools are shown to a model, and how it calls them. */
export interface LearnedTools {
  readonly syntax: ToolSyntax
  /** Does the template list the tools? Otherwise the system prompt does. */
  readonly listsTools: boolean
  /** Does the template show earlier calls? Otherwise they are written into the text of the message. */
  readonly showsCalls: boolean
  /** Does the template show messages with results? Otherwise they are sent as the user's. */
  readonly showsResults: boolean
}

export interface LearnToolsOptions extends LearnOptions {
  readonly source: string
  readonly text?: TextMarkers
}

const CALLS = [callOf(PROBE, 0, textArguments(PROBE))]
const HOW: ProbeOptions = { tools: probeTools(PROBE) }

/**
 * What the template's own rendering of calls proves; otherwise what is known of its family; otherwise a syntax that the
 * system prompt explains.
 */
export function learnTools(options: LearnToolsOptions): LearnedTools {
  const { render } = options
  const listsTools = shows(render([USER_PROBE], HOW), [PROBE.functions[0], PROBE.keys[0]])
  const showsCalls = showsAll(render, [USER_PROBE, calling(CALLS)])
  return {
    syntax: withTextMarkers(syntaxOf(options, listsTools), options.text),
    listsTools,
    showsCalls,
    showsResults: showsCalls || showsResult(render),
  }
}

function syntaxOf(options: LearnToolsOptions, listsTools: boolean): ToolSyntax {
  const { source } = options
  const preferred = knownSyntax(source, true)
  if (preferred !== undefined) return preferred
  const learned = learnToolSyntax(options)
  if (learned !== undefined && isProven(learned, options.render)) return asTrained(learned)
  const known = knownSyntax(source, false)
  if (known !== undefined) return known
  return listsTools && tellsOfHermes(source) ? { ...GENERIC_SYNTAX, origin: "known" } : GENERIC_SYNTAX
}

/**
 * Templates that were translated for other programs may write several calls as no model does: in one list without commas,
 * or in one of the tags that Hermes and Qwen put around each.
 */
function asTrained(syntax: ToolSyntax): ToolSyntax {
  const { sectionStart, separator, sectionEnd, call } = syntax
  if (separator.length > 0) return syntax
  const [opening, closing] = [plainText(sectionStart), plainText(sectionEnd)]
  if (opening.endsWith("[") && closing.trimStart().startsWith("]"))
    return { ...syntax, separator: markerText(/^\s/.test(plainText(call.start)) ? "," : ", ") }
  if (opening !== "<tool_call>" || closing.trim() !== "</tool_call>") return syntax
  return {
    ...syntax,
    sectionStart: [],
    separator: markerText("\n"),
    sectionEnd: [],
    call: {
      ...call,
      start: joined(sectionStart, call.start),
      end: joined(call.end, sectionEnd),
      ...(call.empty !== undefined && { empty: joined(call.empty, sectionEnd) }),
    },
  }
}

function plainText(marker: Marker): string {
  return marker.map((part) => (part.type === "text" ? part.text : "")).join("")
}

function joined(left: Marker, right: Marker): Marker {
  const [last, first] = [left.at(-1), right[0]]
  if (last?.type !== "text" || first?.type !== "text") return [...left, ...right]
  return [...left.slice(0, -1), ...markerText(last.text + first.text), ...right.slice(1)]
}

/** The end of the text is no part of the section that follows it. */
function withTextMarkers(syntax: ToolSyntax, text: TextMarkers | undefined): ToolSyntax {
  if (text === undefined || syntax.text !== undefined) return syntax
  return { ...syntax, sectionStart: withoutStart(syntax.sectionStart, text.end), text }
}

function withoutStart(marker: Marker, start: string): Marker {
  const [first, ...rest] = marker
  if (start === "" || first?.type !== "text" || !first.text.startsWith(start)) return marker
  return [...markerText(first.text.slice(start.length)), ...rest]
}

function showsAll(render: RenderProbe, messages: Parameters<RenderProbe>[0]): boolean {
  const wanted = [PROBE.functions[0], ...PROBE.values]
  return [messages, [...messages, ...resultsOf(CALLS)]].some((probe) =>
    shows(afterUser(render(probe, HOW)), wanted),
  )
}

function showsResult(render: RenderProbe): boolean {
  const results = resultsOf(CALLS)
  const messages = [USER_PROBE, { role: "assistant", content: "A call." } as const, ...results]
  return shows(
    render(messages, HOW),
    results.map(({ content }) => String(content)),
  )
}

function shows(rendered: string | undefined, texts: readonly string[]): boolean {
  return (
    rendered !== undefined && !rendered.includes("[object ") && texts.every((text) => rendered.includes(text))
  )
}
