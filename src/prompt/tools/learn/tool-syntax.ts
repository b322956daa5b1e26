import type { ChatMessage, ToolCall } from "../../../domain/chat"
import { learnIdForm } from "./id-form"
import { cutArguments, taggedArguments, type TaggedPieces } from "./tagged"
import { type ProbedType, type RenderedValues, VALUE_PROBES, WRAPPED_PROBE } from "./values"
import { type ArgumentsStyle, locateCalls, type LocatedCalls, mark, styleOf } from "./locate-calls"
import { markIndices } from "./count-calls"
import {
  commonPrefixLength,
  MARK,
  MarkedText,
  type Piece,
  sharedEnd,
  sharedStart,
  textOfPiece,
  toMarker,
} from "./marked-text"
import {
  afterUser,
  ANSWER_TEXT,
  calling,
  callOf,
  PROBE,
  type ProbeOptions,
  probeTools,
  type RenderProbe,
  resultsOf,
  textArguments,
  THOUGHT_TEXT,
  USER_PROBE,
} from "./probes"
import { type ArgumentsSyntax, type CallSyntax, type Marker, numbersRunOn, type ToolSyntax } from "../syntax"
import { writeHead } from "../write-calls"

export interface LearnOptions {
  readonly render: RenderProbe
  /** The markers around thinking, which are no part of a call. */
  readonly reasoning?: { readonly start: string; readonly end: string }
  /** The texts of the control tokens. */
  readonly controls: readonly string[]
  /** The texts of the tokens that end an answer. */
  readonly ends: readonly string[]
}

const TOOLS = probeTools(PROBE)
const TEXTS = textArguments(PROBE)

/**
 * Learns how a template writes calls, by rendering some and comparing the texts. What is not shown by the template, or
 * in a way that is not understood, is `undefined`; what is returned is still to be proven.
 */
export function learnToolSyntax(options: LearnOptions): ToolSyntax | undefined {
  for (const argumentsAs of ["object", "text"] as const) {
    for (const withResults of [false, true]) {
      const syntax = new Learner(options, argumentsAs, withResults).learn()
      if (syntax !== undefined) return syntax
    }
  }
  return undefined
}

class Learner {
  readonly #options: LearnOptions
  readonly #how: ProbeOptions
  readonly #withResults: boolean

  constructor(options: LearnOptions, argumentsAs: "object" | "text", withResults: boolean) {
    this.#options = options
    this.#how = { argumentsAs, tools: TOOLS }
    this.#withResults = withResults
  }

  learn(): ToolSyntax | undefined {
    const call = callOf(PROBE, 0, TEXTS)
    const body = this.#bodyOf([call])
    const style = body === undefined ? undefined : styleOf(body, call, PROBE)
    if (body === undefined || style === undefined) return undefined
    const located = this.#locate(3, style) ?? this.#locate(2, style) ?? this.#locate(1, style)
    return located && this.#cut(located, style, body)
  }

  /** What is rendered of calls after the user's message. */
  #bodyOf(calls: readonly ToolCall[], said: { text?: string; reasoning?: string } = {}): string | undefined {
    const messages: ChatMessage[] = [USER_PROBE, calling(calls, said)]
    return afterUser(
      this.#options.render(this.#withResults ? [...messages, ...resultsOf(calls)] : messages, this.#how),
    )
  }

  #locate(count: number, style: ArgumentsStyle): LocatedCalls | undefined {
    const calls = Array.from({ length: count }, (_, index) => callOf(PROBE, index, TEXTS))
    const body = this.#bodyOf(calls)
    const located = body === undefined ? undefined : locateCalls(body, calls, PROBE, style)
    return located && markIndices(located)
  }

  #cut(located: LocatedCalls, style: ArgumentsStyle, single: string): ToolSyntax | undefined {
    const { controls } = this.#options
    const { calls } = located
    const of = new MarkedText(located.text, controls)
    const [first, second] = calls
    const last = calls.at(-1)
    if (first === undefined || last === undefined) return undefined
    const opening: Piece = { of, from: first.name - this.#openingLength(single), to: first.name }
    const closing: Piece = { of, from: last.to, to: this.#endOfCalls(of, opening.from, last.to) }
    const between = second && ({ of, from: first.to, to: second.name } satisfies Piece)
    const section = cutSection(opening, closing, between)
    if (section === undefined) return undefined
    const inCall = of.text.slice(first.name + 1, first.from)
    const form = { style, located, section, inCall, end: between?.to ?? closing.to }
    const call = style === "tagged" ? this.#taggedCall(form) : this.#jsonCall(form)
    if (call === undefined) return undefined
    return this.#numbered({
      origin: "learned",
      sectionStart: toMarker(section.start),
      separator: toMarker(section.separator),
      sectionEnd: toMarker(section.end),
      call,
      isParallel: between !== undefined,
      idForm: learnIdForm(this.#options.render, this.#how, located.text),
    })
  }

  /** Says of a call's number whether it goes on from the calls of an earlier answer. */
  #numbered(syntax: ToolSyntax): ToolSyntax {
    const [first, second, third] = [0, 1, 2].map((index) => callOf(PROBE, index, TEXTS))
    if (first === undefined || second === undefined || third === undefined) return syntax
    const running = withRunningNumbers(syntax)
    if (!numbersRunOn(running)) return syntax
    const earlier = [first, second]
    const messages = [USER_PROBE, calling(earlier), ...resultsOf(earlier), USER_PROBE, calling([third])]
    const body = afterUser(
      this.#options.render(this.#withResults ? [...messages, ...resultsOf([third])] : messages, this.#how),
    )
    return body?.includes(writeHead(syntax, third, earlier.length)) === true ? running : syntax
  }

  /**
   * How much of what stands before the first name belongs to the calls: what is the same after the opening of an answer,
   * after text and after thinking.
   */
  #openingLength(single: string): number {
    const { render, controls } = this.#options
    const name = PROBE.functions[0]
    const before = (body: string | undefined, after: string): string[] => {
      const end = body?.indexOf(name) ?? -1
      const from = body?.lastIndexOf(after, end) ?? -1
      return body === undefined || end === -1 || from === -1 ? [] : [body.slice(from + after.length, end)]
    }
    const call = callOf(PROBE, 0, TEXTS)
    const whole = single.slice(0, single.indexOf(name))
    const opened = [undefined, false, true].map((thinks) =>
      afterUser(
        render([USER_PROBE], {
          ...this.#how,
          opensAnswer: true,
          ...(thinks !== undefined && { variables: { enable_thinking: thinks } }),
        }),
      ),
    )
    const wholePiece = pieceOf(whole, controls)
    const openings = opened.map((text) =>
      text === undefined ? 0 : sharedStart(wholePiece, pieceOf(text, controls)),
    )
    const opening = whole.slice(0, Math.max(...openings))
    const candidates = [
      whole.slice(opening.length),
      ...before(this.#bodyOf([call], { text: ANSWER_TEXT }), ANSWER_TEXT),
      ...before(this.#bodyOf([call], { reasoning: THOUGHT_TEXT }), THOUGHT_TEXT),
    ]
    const marked = candidates.map((text) => pieceOf(mark(text, PROBE), controls))
    const lengths = marked.map((piece) => sharedEnd(piece, marked[0] ?? piece, false))
    const shared = textOfPiece(marked[0] ?? wholePiece).slice(-Math.min(...lengths) || Infinity)
    const text = this.#withoutThinking(shared)
    // A blank belongs to the call where the opening of an answer ends with a marker (`<|start|>assistant to=`).
    const isAttached = !/\s$/.test(opening) && shared.endsWith(` ${text}`) && /^\w+=/.test(text)
    return text.length + (isAttached ? 1 : 0)
  }

  #withoutThinking(text: string): string {
    const { reasoning } = this.#options
    let rest = text.trimStart()
    if (reasoning === undefined) return rest
    if (rest.startsWith(reasoning.start)) rest = rest.slice(reasoning.start.length).trimStart()
    if (rest.startsWith(reasoning.end)) rest = rest.slice(reasoning.end.length).trimStart()
    return rest
  }

  /** Where the last call and its section end: before what ends any answer. */
  #endOfCalls(of: MarkedText, start: number, from: number): number {
    const { render, controls, ends } = this.#options
    const plain = render([USER_PROBE, { role: "assistant", content: ANSWER_TEXT }], this.#how)
    const at = plain?.lastIndexOf(ANSWER_TEXT) ?? -1
    const afterText = plain === undefined || at === -1 ? "" : plain.slice(at + ANSWER_TEXT.length)
    const turnEnd = pieceOf(afterText, controls)
    const rest = of.text.slice(from)
    const isOnce = (text: string): boolean => of.text.indexOf(text, start) >= from
    const stops = [...ends, turnEnd.of.firstMarker() ?? ""]
      .filter((text) => text !== "" && isOnce(text))
      .map((text) => rest.indexOf(text))
      .filter((position) => position > 0)
    const turn = sharedEnd({ of, from, to: of.text.length }, turnEnd)
    let end = from + Math.min(rest.length - turn, ...stops)
    // A word before the cut is the start of a marker.
    if (/\w/.test(of.text[end - 1] ?? "")) end = of.nextEnd(end)
    return from + of.text.slice(from, end).trimEnd().length
  }

  #jsonCall({ style, section, inCall }: CallForm): CallSyntax {
    return this.#withEmpty(
      {
        start: toMarker(section.callStart),
        nameEnd: toMarker(inCall),
        arguments: { type: style === "json-text" ? "json-text" : "json" },
        end: toMarker(section.callEnd),
      },
      section,
      style === "json-text" ? undefined : inCall + MARK.arguments + section.callEnd,
    )
  }

  #taggedCall({ located, section, end }: CallForm): CallSyntax | undefined {
    const pieces = cutArguments(located, end, this.#options.controls)
    if (pieces === undefined || !section.callEnd.startsWith(markedAsOne(pieces.valueEnd, section.callEnd)))
      return undefined
    const callEnd = section.callEnd.slice(pieces.valueEnd.length)
    const { syntax } = taggedArguments(pieces, this.#renderValues(pieces, callEnd + section.end))
    return this.#withEmpty(
      {
        start: toMarker(section.callStart),
        nameEnd: toMarker(pieces.nameEnd),
        arguments: syntax satisfies ArgumentsSyntax,
        end: toMarker(callEnd),
      },
      section,
      pieces.nameEnd + callEnd,
    )
  }

  /** A call without arguments may be written in another way than by leaving them out. */
  #withEmpty(call: CallSyntax, section: Section, expected: string | undefined): CallSyntax {
    const empty = callOf(PROBE, 0, {})
    const body = this.#bodyOf([empty])
    const at = body?.indexOf(empty.name) ?? -1
    if (body === undefined || at === -1 || expected === undefined) return call
    const isJson = expected.includes(MARK.arguments)
    const text = mark(body.slice(at + empty.name.length), PROBE)
    const rendered = firstIndexMarked(isJson ? text.replace(/\{\s*\}/, MARK.arguments) : text, expected)
    if (rendered.startsWith(expected)) return call
    const end = section.end === "" ? -1 : rendered.indexOf(section.end)
    const whole =
      end === -1
        ? rendered.slice(0, this.#endOfCalls(pieceOf(rendered, this.#options.controls).of, 0, 0))
        : rendered.slice(0, end)
    return whole.includes(MARK.arguments) || whole === "" ? call : { ...call, empty: toMarker(whole) }
  }

  #renderValues(pieces: TaggedPieces, tail: string): RenderedValues {
    const rendered: Partial<Record<ProbedType | "wrapped", string>> = {}
    const key = PROBE.keys[0]
    const wanted = pieces.valueEnd + tail
    const probes = { ...VALUE_PROBES, wrapped: WRAPPED_PROBE }
    for (const type of Object.keys(probes) as (keyof typeof probes)[]) {
      const body = this.#bodyOf([callOf(PROBE, 0, { [key]: probes[type] })])
      const at = body?.indexOf(key) ?? -1
      if (body === undefined || at === -1) continue
      const text = mark(body.slice(at + key.length), PROBE)
      const quoteless = [wanted, ...quotesLess(wanted)]
      const end = quoteless.map((candidate) => text.lastIndexOf(candidate)).find((found) => found !== -1)
      if (end !== undefined) rendered[type] = text.slice(0, end)
    }
    return rendered
  }
}

function withRunningNumbers(syntax: ToolSyntax): ToolSyntax {
  const running = (marker: Marker): Marker =>
    marker.map((part) => (part.type === "index" ? { ...part, runsOn: true } : part))
  const { start, nameEnd, end, empty } = syntax.call
  return {
    ...syntax,
    call: {
      ...syntax.call,
      start: running(start),
      nameEnd: running(nameEnd),
      end: running(end),
      ...(empty !== undefined && { empty: running(empty) }),
    },
  }
}

interface CallForm {
  readonly style: ArgumentsStyle
  readonly located: LocatedCalls
  readonly section: Section
  /** Between the name and the arguments. */
  readonly inCall: string
  /** Of what follows the first call's arguments. */
  readonly end: number
}

interface Section {
  readonly start: string
  readonly separator: string
  readonly end: string
  readonly callStart: string
  readonly callEnd: string
}

/** What is before every call belongs to the call, and what is before the first alone to the section. */
function cutSection(opening: Piece, closing: Piece, between: Piece | undefined): Section | undefined {
  if (between === undefined) {
    const text = textOfPiece(opening)
    return { start: "", separator: "", end: "", callStart: text, callEnd: textOfPiece(closing) }
  }
  const head = sharedEnd(opening, between)
  const rest: Piece = { ...between, to: between.to - head }
  const tail = sharedStart(rest, closing)
  return {
    start: textOfPiece({ ...opening, to: opening.to - head }),
    callStart: textOfPiece({ ...opening, from: opening.to - head }),
    callEnd: textOfPiece({ ...rest, to: rest.from + tail }),
    separator: textOfPiece({ ...rest, from: rest.from + tail }),
    end: textOfPiece({ ...closing, from: closing.from + tail }),
  }
}

function pieceOf(text: string, controls: readonly string[]): Piece {
  return { of: new MarkedText(text, controls), from: 0, to: text.length }
}

/** With the mark of the second argument, as it stands at the end of a call. */
function markedAsOne(valueEnd: string, callEnd: string): string {
  return callEnd.includes(MARK.secondArgument)
    ? valueEnd.replaceAll(MARK.firstArgument, MARK.secondArgument)
    : valueEnd
}

/** The number of the first call, where a mark is expected. */
function firstIndexMarked(text: string, expected: string): string {
  const at = commonPrefixLength(text, expected)
  const character = expected[at]
  const isIndex = character === MARK.indexFrom0 || character === MARK.indexFrom1
  return isIndex ? text.slice(0, at) + character + text.slice(at + 1) : text
}

/** Without a closing quote in front: values that are no strings have none. */
function quotesLess(text: string): string[] {
  const quote = /^(["']|<\|"\|>)/.exec(text)?.[0]
  return quote === undefined ? [] : [text.slice(quote.length)]
}
