import { inGib, rounded } from "./columns"
import type { ProfileFacts } from "./facts"
import { snippetOf } from "./recommend"

/** What a profile found, for people. */
export function factsText(facts: ProfileFacts): string {
  const { load, memory, depths, threads, gpuLayers, batchCosts, conversation, notes } = facts
  const cold = load.cold_ms === undefined ? "" : `${rounded(load.cold_ms)} ms from disk, `
  const fastest = Math.max(...threads.map(({ generating }) => generating))
  const parts = [
    `Load: ${cold}${rounded(load.warm_ms)} ms from memory; first token after ${rounded(load.first_token_ms)} ms\n`,
    table(
      ["memory", "measured", "estimated"],
      [
        ["weights", inGib(memory.weights), inGib(memory.estimated.weights)],
        ["KV cache of 1k tokens", inGib(memory.kv_per_1k_tokens), inGib(memory.estimated.kv_per_1k_tokens)],
        ["compute buffers", inGib(memory.compute), inGib(memory.estimated.compute)],
        ...memory.devices.map(({ name, bytes }) => [`weights on ${name}`, inGib(bytes), ""]),
      ],
    ),
    table(
      ["tokens in the context", "reading t/s", "generating t/s"],
      depths.map(speedRow(({ depth }) => depth)),
    ),
    table(
      ["threads", "reading t/s", "generating t/s", ""],
      threads.map((row) => [
        ...speedRow<typeof row>(({ threads }) => threads)(row),
        bar(row.generating / fastest),
      ]),
    ),
    ...(gpuLayers.length === 0
      ? []
      : [
          table(
            ["layers on GPUs", "reading t/s", "generating t/s"],
            gpuLayers.map(speedRow(({ layers }) => layers)),
          ),
        ]),
    table(
      ["tokens of a batch", "ms", "ms for each"],
      batchCosts.map(({ tokens, ms }) => [String(tokens), rounded(ms), rounded(ms / tokens)]),
    ),
    `A conversation of ${conversation.tokens} tokens: ${rounded(conversation.seconds)} s to read, ` +
      `${inGib(conversation.kv)} of KV cache\n`,
    ...notes.map((note) => `note: ${note}\n`),
    !facts.steady
      ? "Other programs disturbed the measurement: no settings are recommended, and none are kept for the server.\n"
      : facts.settings.length === 0
        ? "Nothing was measured to be better than the usual settings.\n"
        : `Recommended settings:\n\n${snippetOf(facts.model.name, facts.settings)}`,
  ]
  return parts.join("\n")
}

function speedRow<T extends { readonly reading: number; readonly generating: number }>(
  first: (row: T) => number,
): (row: T) => readonly string[] {
  return (row) => [String(first(row)), rounded(row.reading), rounded(row.generating)]
}

const BAR_WIDTH = 24

/** A bar of a chart. */
export function bar(share: number, width = BAR_WIDTH): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8)
  return "█".repeat(eighths >> 3) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths & 7]
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows]
  const widths = heading.map((_, column) => Math.max(...all.map((row) => Bun.stringWidth(row[column] ?? ""))))
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("")
}
