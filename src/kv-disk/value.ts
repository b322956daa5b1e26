import type { PromptHead } from "./file"

const HOUR_MS = 3_600_000

/** A saved prompt, as far as its value depends on it. */
export interface Valued extends Pick<PromptHead, "computeMs" | "uses" | "name"> {
  readonly bytes: number
  readonly usedAt: number
}

/**
 * What a saved prompt is worth: the time that it saves, for each byte that it takes, times how likely it is to be
 * wanted again, which grows with its uses and falls with its age.
 */
export function worthOf({ computeMs, uses, bytes, usedAt }: Valued, now: number): number {
  const ageHours = Math.max(0, now - usedAt) / HOUR_MS
  return ((1 + uses) * (1 + computeMs)) / ((1 + ageHours) * bytes)
}

/**
 * Which to remove, the least valuable first, so that at most `mostBytes` and `mostFiles` remain. Those with a name come
 * last.
 */
export function chooseExpendable<T extends Valued>(
  prompts: readonly T[],
  limits: { readonly mostBytes: number; readonly mostFiles: number },
  now: number,
): readonly T[] {
  let bytes = prompts.reduce((sum, prompt) => sum + prompt.bytes, 0)
  let files = prompts.length
  const expendable: T[] = []
  const isNamed = ({ name }: T): number => Number(name !== undefined)
  const order = prompts.toSorted((a, b) => isNamed(a) - isNamed(b) || worthOf(a, now) - worthOf(b, now))
  for (const prompt of order) {
    if (bytes <= limits.mostBytes && files <= limits.mostFiles) break
    expendable.push(prompt)
    bytes -= prompt.bytes
    files--
  }
  return expendable
}
