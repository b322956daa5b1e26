import type { ProbedType, RenderedValues } from "./values"
import { learnValues } from "./values"
import type { LocatedCalls } from "./locate-calls"
import { MARK, MarkedText, type Piece, sharedEnd, sharedStart, textOfPiece, toMarker } from "./marked-text"
import type { Marker, TaggedArguments } from "../syntax"

/** The markers of a tagged call around its first and second argument. */
export interface TaggedPieces {
  /** Between the function's name and the first argument. */
  readonly nameEnd: string
  readonly start: string
  readonly argumentNameEnd: string
  readonly valueEnd: string
  readonly separator: string
}

/**
 * Compares what stands before the first argument, between the two, and after the last.
 * @param end of what follows the last argument of the first call
 */
export function cutArguments(
  located: LocatedCalls,
  end: number,
  controls: readonly string[],
): TaggedPieces | undefined {
  const [call] = located.calls
  if (call === undefined) return undefined
  const { text } = located
  const firstValue = text.indexOf(MARK.value, call.from)
  const second = text.indexOf(MARK.secondArgument, firstValue)
  const secondValue = text.indexOf(MARK.value, second)
  if (firstValue === -1 || second === -1 || secondValue + 1 !== call.to) return undefined
  // The names of both arguments are the same part of a marker.
  const of = new MarkedText(text.replaceAll(MARK.secondArgument, MARK.firstArgument), controls)
  const before: Piece = { of, from: call.name + 1, to: call.from }
  const between: Piece = { of, from: firstValue + 1, to: second }
  const after: Piece = { of, from: call.to, to: end }
  const argumentNameEnd = of.text.slice(call.from + 1, firstValue)
  if (of.text.slice(second + 1, secondValue) !== argumentNameEnd) return undefined
  const start = sharedEnd(before, between)
  const rest: Piece = { ...between, to: between.to - start }
  const valueEnd = sharedStart(rest, after)
  return {
    nameEnd: textOfPiece({ ...before, to: before.to - start }),
    start: textOfPiece({ ...before, from: before.to - start }),
    argumentNameEnd,
    valueEnd: textOfPiece({ ...rest, to: rest.from + valueEnd }),
    separator: textOfPiece({ ...rest, from: rest.from + valueEnd }),
  }
}

/** Also returns how much of `valueEnd` belongs to the strings. */
export function taggedArguments(
  pieces: TaggedPieces,
  rendered: RenderedValues,
): { readonly syntax: TaggedArguments; readonly quote: string } {
  const learned = learnValues(pieces.argumentNameEnd, pieces.valueEnd, rendered)
  const { quote, nameEndOf } = learned
  const others = Object.entries(nameEndOf).map(([type, text]): [ProbedType, Marker] => [
    type as ProbedType, // the keys are types
    toMarker(text),
  ])
  const nameEnd = pieces.argumentNameEnd
  return {
    quote,
    syntax: {
      type: "tagged",
      start: toMarker(pieces.start),
      nameEnd: toMarker(nameEnd.slice(0, nameEnd.length - quote.length)),
      ...(others.length > 0 && { nameEndOf: Object.fromEntries(others) }),
      valueEnd: toMarker(pieces.valueEnd.slice(quote.length)),
      separator: toMarker(pieces.separator),
      strings: learned.strings,
      ...(learned.wrap !== undefined && { stringWrap: learned.wrap }),
      values: learned.values,
    },
  }
}
