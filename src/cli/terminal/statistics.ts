import type { Timings, Usage } from "../../domain/chat"
import { aligned, formatDuration } from "./output"

/**
 * The output of `--verbose` after an answer. Rows without data are omitted. The generation rate excludes the first
 * token, whose time belongs to the prompt.
 */
export function statistics(usage: Usage, timings: Timings, totalMs: number): string {
  const { loadMs, queueMs, promptTokens, promptMs, generatedTokens, generationMs } = timings
  const rows: (readonly [string, string] | undefined)[] = [
    ["total duration:", formatDuration(totalMs)],
    duration("load duration:", loadMs),
    duration("queue duration:", queueMs),
    ["prompt eval count:", `${promptTokens} token(s)`],
    usage.cachedTokens === 0 ? undefined : ["prompt cached count:", `${usage.cachedTokens} token(s)`],
    duration("prompt eval duration:", promptMs),
    rate("prompt eval rate:", promptTokens, promptMs),
    ["eval count:", `${generatedTokens} token(s)`],
    usage.reasoningTokens === undefined
      ? undefined
      : ["thinking count:", `${usage.reasoningTokens} token(s)`],
    timings.drafts && ["guessed count:", guessed(timings.drafts)],
    duration("eval duration:", generationMs),
    rate("eval rate:", generatedTokens - 1, generationMs),
  ]
  return aligned(
    rows.filter((row) => row !== undefined),
    1,
  )
}

function guessed({ tokens, accepted }: NonNullable<Timings["drafts"]>): string {
  return `${tokens} token(s), ${accepted} of them right`
}

function duration(label: string, ms: number): readonly [string, string] | undefined {
  return ms === 0 ? undefined : [label, formatDuration(ms)]
}

function rate(label: string, tokens: number, ms: number): readonly [string, string] | undefined {
  return tokens <= 0 || ms <= 0 ? undefined : [label, `${((tokens / ms) * 1000).toFixed(2)} tokens/s`]
}
