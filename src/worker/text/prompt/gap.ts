import type { CompletionRequest } from "../../../domain/chat"
import type { Vocabulary } from "../../../llama/vocabulary"
import { type FimPiece, fitGap, renderFiles, renderFim } from "../../../prompt/fim"

const PLAIN_TEXT = { addSpecial: false, parseSpecial: false }

/** What is needed of a model's tokens. */
type GapVocabulary = Pick<Vocabulary, "tokenize" | "fillInTheMiddle" | "addsBos" | "bos">

/**
 * The tokens of a prompt for the text between a completion's prompt and `suffix`.
 * @throws Unsupported if the model has no tokens for that
 */
export function gapTokens(
  { prompt, files = [], cutsToFit = false, maxTokens = 0 }: CompletionRequest,
  suffix: string,
  vocabulary: GapVocabulary,
  contextLength: number,
): readonly number[] {
  const tokens = vocabulary.fillInTheMiddle
  const reserved = Math.min(maxTokens, Math.floor(contextLength / 2))
  const most = cutsToFit ? Math.max(0, contextLength - reserved) : Number.POSITIVE_INFINITY
  const idsOf = (piece: FimPiece, kept: Kept, count: number): readonly number[] =>
    piece.type === "tokens" ? piece.ids : tokensOf(piece.text, kept, count, vocabulary)
  const [start = [], before = [], between = [], after = [], end = []] = renderFim(
    { prompt, suffix },
    tokens,
  ).map((piece, index) => idsOf(piece, index < 2 ? "end" : "start", most))
  const begin = vocabulary.addsBos ? [vocabulary.bos] : []
  const put = (context: readonly number[], head: readonly number[], tail: readonly number[]) => [
    ...begin,
    ...context,
    ...start,
    ...head,
    ...between,
    ...tail,
    ...end,
  ]
  const room = Math.max(0, most - put([], [], []).length)
  const kept = cutsToFit
    ? fitGap(room, { before: before.length, after: after.length })
    : { before: before.length, after: after.length }
  const left = room - kept.before - kept.after
  const around: (readonly number[])[] = []
  let count = 0
  for (const piece of tokens === undefined ? [] : renderFiles(files, tokens).reverse()) {
    if (count >= left) break
    const ids = idsOf(piece, "end", left - count)
    around.unshift(ids)
    count += ids.length
  }
  return put(lastOf(around.flat(), left), lastOf(before, kept.before), after.slice(0, kept.after))
}

/** The part of a text that stays where it is too long. */
type Kept = "start" | "end"

/** With this many characters per token most texts are read once. */
const CHARACTERS_PER_TOKEN = 8

/**
 * The tokens of a text, of which only the first or the last `count` are needed: of a long one no more is tokenized than
 * that takes, which for megabytes would be seconds.
 */
function tokensOf(text: string, kept: Kept, count: number, vocabulary: GapVocabulary): readonly number[] {
  for (let size = count * CHARACTERS_PER_TOKEN; size < text.length; size *= 4) {
    if (size === 0) return []
    const part = kept === "start" ? text.slice(0, size) : text.slice(-size)
    const ids = vocabulary.tokenize(part.toWellFormed(), PLAIN_TEXT)
    if (ids.length >= count) return Array.from(ids)
  }
  return Array.from(vocabulary.tokenize(text, PLAIN_TEXT))
}

function lastOf(ids: readonly number[], count: number): readonly number[] {
  return count === 0 ? [] : ids.slice(-count)
}
