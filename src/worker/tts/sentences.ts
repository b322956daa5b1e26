import { LIST_MARKER, type TextBlock } from "./blocks"
import type { StopRules } from "./abbreviations"

/** Sentence ends, in scripts with and without a following space. */
const SPACED_END = /[.!?…؟۔।॥։።\u037e]+["'”’»)\]]*(?=\s)/g
const UNSPACED_END = /[。！？｡．]+[”’」』）]*/g

/** Words before and after a full stop are looked at so far, in characters. */
const LONGEST_WORD = 20

/** Marks before the first word of a sentence. */
const OPENING = /^[\s"'“‘„«‹(\[¿¡*_–—-]*/u

/** The sentences of a block, trimmed and not empty. */
export function splitIntoSentences(block: TextBlock, rules: StopRules, capitalizes: boolean): string[] {
  const { text } = block
  const sentences: string[] = []
  let start = 0
  for (const end of ends(text, rules, capitalizes)) {
    if (end <= start) continue
    addSentence(sentences, text.slice(start, end).trim())
    start = end
  }
  addSentence(sentences, text.slice(start).trim())
  return sentences
}

/** Does the author of a text begin sentences with capital letters? */
export function beginsWithCapital(text: string): boolean {
  const first = /\p{L}/u.exec(text)?.[0]
  return first !== undefined && /\p{Lu}/u.test(first)
}

/**
 * A piece of text without the full stops of abbreviations and initials before names and numbers, where espeak-ng would
 * pause as after a sentence. It pronounces "Dr" and "Mr" like "Dr." and "Mr.".
 */
export function withoutInnerStops(text: string, rules: StopRules): string {
  return text.replace(/(?<!\d)\.(?=\s+[^\p{Ll}\s])/gu, (mark: string, index: number) => {
    const next = nextWord(text, index + mark.length)
    return isPartOfWord(text, index, next, rules) ? "" : mark
  })
}

/** Punctuation without a word is added to the previous sentence. */
function addSentence(sentences: string[], sentence: string): void {
  if (sentence === "") return
  const previous = sentences.at(-1)
  const hasWord = /[\p{L}\p{N}\p{S}\p{Emoji_Presentation}]/u.test(sentence)
  if (hasWord || previous === undefined) sentences.push(sentence)
  else sentences[sentences.length - 1] = `${previous} ${sentence}`
}

/** Offsets of sentence ends, ascending. */
function ends(text: string, rules: StopRules, capitalizes: boolean): number[] {
  const spaced = [...text.matchAll(SPACED_END)]
    .filter(({ index, 0: mark }) => endsSentence(text, index, mark, rules, capitalizes))
    .map(({ index, 0: mark }) => index + mark.length)
  const unspaced = [...text.matchAll(UNSPACED_END)].map((match) => match.index + match[0].length)
  return [...spaced, ...unspaced].sort((left, right) => left - right)
}

function endsSentence(
  text: string,
  index: number,
  mark: string,
  rules: StopRules,
  capitalizes: boolean,
): boolean {
  const next = nextWord(text, index + mark.length)
  if (capitalizes && /^\p{Ll}/u.test(next)) return false
  return mark !== "." || !isPartOfWord(text, index, next, rules)
}

/** What follows, from its first letter on, as far as is needed to judge a full stop. */
function nextWord(text: string, start: number): string {
  return text.slice(start, start + LONGEST_WORD).replace(OPENING, "")
}

/** Does the full stop at `index` belong to the word before it, as in an abbreviation? */
function isPartOfWord(text: string, index: number, next: string, rules: StopRules): boolean {
  if (isListNumber(text, index)) return true
  const before = text.slice(Math.max(0, index - LONGEST_WORD), index)
  const starts = rules.starters.has(/^[\p{L}]+/u.exec(next)?.[0] ?? "")
  const number = /(?:^|\s)\(?(\d{1,2})$/u.exec(before)?.[1]
  if (number !== undefined) return rules.hasOrdinals && !starts
  const word = (/[\p{L}.-]+$/u.exec(before)?.[0] ?? "").replace(/^[.-]+/, "")
  const lower = word.toLowerCase()
  if (rules.titles.has(lower)) return true
  if (rules.beforeNumbers.has(lower) && /^\d/.test(next)) return true
  if (/^\p{L}$/u.test(word) && /^\p{L}\./u.test(next)) return true
  const isInitial = /^\p{Lu}$/u.test(word) && word !== "I"
  const isInitialism = /^(?:\p{L}\.)+\p{L}$/u.test(word)
  return (isInitial || isInitialism || rules.abbreviations.has(lower)) && !starts
}

function isListNumber(text: string, index: number): boolean {
  const marker = index < LONGEST_WORD ? LIST_MARKER.exec(text)?.[0] : undefined
  return marker !== undefined && index < marker.length
}
