import { MARK } from "./marked-text"
import type { LocatedCalls } from "./locate-calls"

/**
 * Replaces the numbers that count the calls. Such a number is one higher in the next call; it stands either at a place
 * of the call itself, or before the first call's name as well.
 */
export function markIndices(located: LocatedCalls): LocatedCalls {
  const { text, calls } = located
  const [first, second, third] = calls
  if (first === undefined || second === undefined || third === undefined) return located
  const numbers = [text.slice(first.name, second.name), text.slice(second.name, third.name)].map(numbersIn)
  const [inFirst = [], inSecond = []] = numbers
  const counting = inFirst.filter(
    ({ value, at }, place) => inSecond[place]?.value === value + 1 && inSecond[place]?.at === at,
  )
  if (counting.length === 0) return located
  const marks = counting.flatMap(({ at, value, length }) => {
    const isBefore = isBeforeName(located, at, value, length)
    const start = isBefore ? value - 1 : value
    if (start !== 0 && start !== 1) return []
    const character = start === 0 ? MARK.indexFrom0 : MARK.indexFrom1
    const places = calls.map((call, index) => ({
      at: isBefore ? call.name - (second.name - first.name - at) : call.name + at,
      value: String(start + index),
    }))
    return places
      .filter((place) => place.at >= 0 && text.startsWith(place.value, place.at))
      .map((place) => ({ ...place, character }))
  })
  return replaceAll(located, marks)
}

interface NumberIn {
  readonly at: number
  readonly value: number
  readonly length: number
}

function numbersIn(text: string): NumberIn[] {
  return [...text.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({
    at: index,
    value: Number(digits),
    length: digits.length,
  }))
}

/** Does the number belong to the call that begins after it? Then the one before the first call is one lower. */
function isBeforeName({ text, calls }: LocatedCalls, at: number, value: number, length: number): boolean {
  const [first, second] = calls
  if (first === undefined || second === undefined || first.name + at < first.to) return false
  const place = first.name - (second.name - first.name - at)
  return place >= 0 && text.slice(place, place + length) === String(value - 1)
}

function replaceAll(
  { text, calls }: LocatedCalls,
  marks: readonly { readonly at: number; readonly value: string; readonly character: string }[],
): LocatedCalls {
  const sorted = marks.toSorted((a, b) => a.at - b.at)
  let result = ""
  let copied = 0
  for (const { at, value, character } of sorted) {
    if (at < copied) continue
    result += text.slice(copied, at) + character
    copied = at + value.length
  }
  const moved = (position: number): number =>
    position - sorted.reduce((sum, { at, value }) => (at < position ? sum + value.length - 1 : sum), 0)
  return {
    text: result + text.slice(copied),
    calls: calls.map(({ name, from, to }) => ({ name: moved(name), from: moved(from), to: moved(to) })),
  }
}
