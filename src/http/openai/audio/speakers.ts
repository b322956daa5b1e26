import type { TtsDetails } from "../../../domain/model"

/** What selects the speakers of a model in requests: their names, for those without one their numbers. */
export function speakerIds({ speakers }: Pick<TtsDetails, "speakers">): string[] {
  return speakers.map((name, index) => name ?? String(index))
}
