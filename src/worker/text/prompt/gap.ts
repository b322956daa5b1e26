import type { CompletionRequest } from "../../../domain/chat"
import type { Vocabulary } from "../../../llama/vocabulary"
import { type FimPiece, fitGap, renderFiles, renderFim } from "../../../prompt/fim"

const PLAIN_TEXT = { addSpecial: false, parseSpecial: false }

/**
 * The tokens of a prompt for the text between a completion's prompt and `suffix`.
 * @throws Unsupported if the model has no tokens for that
 */
export function gapTokens(
  { prompt, files = [], cutsToFit = false, maxTokens = 0 }: CompletionRequest,
  suffix: string,
  vocabulary: Vocabulary,
  contextLength: number,
): readonly number[] {
  const tokens = vocabulary.fillInTheMiddle
  const idsOf = (piece: FimPiece): readonly number[] =>
    piece.type === "tokens" ? piece.ids : Array.from(vocabulary.tokenize(piece.text, PLAIN_TEXT))
  const [start = [], before = [], between = [], after = [], end = []] = renderFim(
    { prompt, suffix },
    tokens,
  ).map(idsOf)
  const begin = vocabulary.addsBos ? [vocabulary.bos] : []
  const around = tokens === undefined ? [] : renderFiles(files, tokens).flatMap(idsOf)
  const put = (context: readonly number[], head: readonly number[], tail: readonly number[]) => [
    ...begin,
    ...context,
    ...start,
    ...head,
    ...between,
    ...tail,
    ...end,
  ]
  if (!cutsToFit) return put(around, before, after)
  const reserved = Math.min(maxTokens, Math.floor(contextLength / 2))
  const markers = put([], [], []).length
  const room = Math.max(0, contextLength - reserved - markers)
  const kept = fitGap(room, { before: before.length, after: after.length })
  const left = room - kept.before - kept.after
  return put(lastOf(around, left), lastOf(before, kept.before), after.slice(0, kept.after))
}

function lastOf(ids: readonly number[], count: number): readonly number[] {
  return count === 0 ? [] : ids.slice(-count)
}
