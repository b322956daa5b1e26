/** What a model thinks stands between these. */
export interface ThinkingMarkers {
  readonly start: string
  readonly end: string
}

/** Of published models: used where a template shows none, but has them in its source. */
const KNOWN: readonly ThinkingMarkers[] = [
  { start: "<think>", end: "</think>" },
  { start: "<thinking>", end: "</thinking>" },
  { start: "<seed:think>", end: "</seed:think>" },
  { start: "<mm:think>", end: "</mm:think>" },
  { start: "[THINK]", end: "[/THINK]" },
  { start: "<|START_THINKING|>", end: "<|END_THINKING|>" },
  // The thinking of Kimi K3, Gemma 4, GPT-OSS, Solar and Muse is a part with a name.
  { start: "<|open|>think<|sep|>", end: "<|close|>think<|sep|>" },
  { start: "<|channel>thought", end: "<channel|>" },
  { start: "<|channel|>analysis<|message|>", end: "<|end|><|start|>assistant" },
  { start: "<|think|>", end: "<|end|><|begin|>assistant" },
  { start: "to=self<|message|>", end: "<|eom|><|start|>assistant" },
  { start: "<|inner_prefix|>", end: "<|inner_suffix|>" },
  { start: "Here are my reasoning steps:", end: "[BEGIN FINAL RESPONSE]" },
]

/**
 * The known markers between which a thought was rendered; only the opening of an answer may have the first.
 * @param openings the openings of answers
 */
export function knownAround(
  before: string,
  after: string,
  openings: readonly string[],
): ThinkingMarkers | undefined {
  const texts = [before, ...openings].map((text) => text.trimEnd())
  return KNOWN.find(
    ({ start, end }) => after.trimStart().startsWith(end) && texts.some((text) => text.endsWith(start)),
  )
}

/** The known markers with which the opening of an answer ends, or that a template has in its source. */
export function knownIn(source: string, openings: readonly string[]): ThinkingMarkers | undefined {
  const opened = KNOWN.find(({ start }) => openings.some((text) => text.trimEnd().endsWith(start)))
  return opened ?? KNOWN.find(({ start, end }) => has(source, end) && has(source, start))
}

/** Templates put texts together: only markers that are one word, or all of their parts, can be found. */
function has(source: string, marker: string): boolean {
  // Many templates only remove what was thought, and know the end alone.
  if (marker === "<think>") return true
  return marker.split(/(?<=>)(?=<)/).every((part) => source.includes(part))
}
