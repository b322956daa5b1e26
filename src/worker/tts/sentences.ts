/** A piece of text synthesized in one call. */
export interface SentencePiece {
  readonly text: string
  /** Does a sentence end with it? */
  readonly endsSentence: boolean
}

/**
 * A longer first sentence is cut after its first clause, to shorten the time to first sound. In characters;
 * about 2.5 s of speech.
 */
const LONG_FIRST = 40
/** A shorter clause is not cut off: it would sound chopped. */
const SHORTEST_CLAUSE = 10
/** Longer pieces are cut anywhere, to bound the time of one synthesis. */
const LONGEST_PIECE = 400

/** Sentence ends, in scripts with and without a following space. */
const SPACED_END = /[.!?…؟۔।॥։።]+["'”’»)\]]*(?=\s)/g
const UNSPACED_END = /[。！？｡．]+[”’」』）]*/g
const CLAUSE_END = /[,;:—–،؛](?=\s)|[，、；：]/g

/** Words whose full stop does not end a sentence, in lower case. */
const ABBREVIATIONS = new Set(
  "mr mrs ms dr prof st jr sr vs e.g i.e cf fig vol ca approx dept est a.m p.m bzw z.b d.h u.a".split(" "),
)

/** Unpronounceable characters: control characters and marks for display only. */
const UNSPEAKABLE =
  /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffc\ufffd]/gu

/** Splits a text into pieces to synthesize in order. Empty if there is nothing to pronounce. */
export function splitIntoPieces(text: string): SentencePiece[] {
  const pieces = splitIntoSentences(text).flatMap((sentence, index) =>
    limitLength(index === 0 ? cutFirstClause(sentence) : [sentence]),
  )
  return pieces
}

/** Trimmed, non-empty sentences. A blank line ends one too. */
function splitIntoSentences(text: string): string[] {
  return text
    .toWellFormed()
    .split(/\n\s*\n/)
    .flatMap((paragraph) => splitParagraph(paragraph.replace(UNSPEAKABLE, " ").replace(/\s+/g, " ").trim()))
}

function splitParagraph(paragraph: string): string[] {
  const sentences: string[] = []
  let start = 0
  for (const end of ends(paragraph)) {
    if (end <= start) continue
    addSentence(sentences, paragraph.slice(start, end).trim())
    start = end
  }
  addSentence(sentences, paragraph.slice(start).trim())
  return sentences
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
function ends(text: string): number[] {
  const spaced = [...text.matchAll(SPACED_END)]
    .filter((match) => !isAbbreviation(text, match.index, match[0]))
    .map((match) => match.index + match[0].length)
  const unspaced = [...text.matchAll(UNSPACED_END)].map((match) => match.index + match[0].length)
  return [...spaced, ...unspaced].sort((left, right) => left - right)
}

function isAbbreviation(text: string, index: number, mark: string): boolean {
  if (mark !== ".") return false
  const word = /[\p{L}.]+$/u.exec(text.slice(Math.max(0, index - 20), index))?.[0] ?? ""
  const isInitial = /^\p{Lu}$/u.test(word) && word !== "I"
  return isInitial || ABBREVIATIONS.has(word.toLowerCase())
}

/** The sentence, or its first clause and the rest. */
function cutFirstClause(sentence: string): string[] {
  if (sentence.length <= LONG_FIRST) return [sentence]
  for (const match of sentence.matchAll(CLAUSE_END)) {
    const end = match.index + match[0].length
    const rest = sentence.slice(end).trim()
    if (end >= SHORTEST_CLAUSE && rest.length >= SHORTEST_CLAUSE) return [sentence.slice(0, end), rest]
  }
  return [sentence]
}

/** Splits the parts of a sentence that are too long. */
function limitLength(parts: readonly string[]): SentencePiece[] {
  const short = parts.flatMap(cutAnywhere)
  return short.map((text, index) => ({ text, endsSentence: index === short.length - 1 }))
}

/** Cuts at the last clause or space within the limit, otherwise inside a word. */
function cutAnywhere(text: string): string[] {
  const parts: string[] = []
  let rest = text
  while (rest.length > LONGEST_PIECE) {
    const head = rest.slice(0, LONGEST_PIECE)
    const clause = [...head.matchAll(CLAUSE_END)].at(-1)
    const space = head.lastIndexOf(" ")
    const end =
      clause !== undefined ? clause.index + clause[0].length : space > 0 ? space : wholeCharacters(head)
    parts.push(rest.slice(0, end))
    rest = rest.slice(end).trim()
  }
  return rest === "" ? parts : [...parts, rest]
}

/** The length of a text without an unpaired surrogate at its end. */
function wholeCharacters(text: string): number {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length
}
