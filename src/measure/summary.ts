import type { BenchReport } from "./report"

/** What is known of one model when several are compared. */
export interface ComparedModel {
  readonly model: string
  readonly size: number
  readonly peakRam?: number
  /** Tokens/s. */
  readonly reading?: number
  readonly generating?: number
  /** Bits per byte, which models of all vocabularies have in common. Less is better. */
  readonly bitsPerByte?: number
  /** Models that are at least as good in everything that is known, and better in something. */
  readonly dominatedBy: readonly string[]
}

/** A difference of speed that is no reason to choose. */
const SAME_SPEED = 0.02

type Figures = Omit<ComparedModel, "dominatedBy">

export function comparedModels(report: BenchReport): readonly ComparedModel[] {
  const rows = report.models.map((model) => figuresOf(model, report))
  return rows.map((row) => ({
    ...row,
    dominatedBy: rows.filter((other) => other !== row && dominates(other, row)).map(({ model }) => model),
  }))
}

function figuresOf({ name, size }: BenchReport["models"][number], report: BenchReport): Figures {
  const speed = (isReading: boolean) =>
    report.tests.find(
      ({ model, via, prompt, generated }) =>
        model === name && via === "worker" && (isReading ? prompt > 0 : generated > 0),
    )?.median
  const [reading, generating] = [speed(true), speed(false)]
  const peakRam = report.memory.find(({ model }) => model === name)?.peak_ram
  const bitsPerByte = report.quality?.find(({ model }) => model === name)?.bits_per_byte
  return {
    model: name,
    size,
    ...(peakRam !== undefined && { peakRam }),
    ...(reading !== undefined && { reading }),
    ...(generating !== undefined && { generating }),
    ...(bitsPerByte !== undefined && { bitsPerByte }),
  }
}

/** Is one at least as good in all that is known of both, and better in something? */
function dominates(one: Figures, other: Figures): boolean {
  const better = [
    less(one.size, other.size, 0),
    less(one.bitsPerByte, other.bitsPerByte, 0),
    less(other.reading, one.reading, SAME_SPEED),
    less(other.generating, one.generating, SAME_SPEED),
  ].filter((each) => each !== undefined)
  return better.every((each) => each >= 0) && better.some((each) => each > 0)
}

/** 1: a is less, -1: more, 0: about the same; undefined where one is unknown. */
function less(a: number | undefined, b: number | undefined, tolerance: number): number | undefined {
  if (a === undefined || b === undefined) return undefined
  if (Math.abs(a - b) <= tolerance * Math.max(a, b)) return 0
  return a < b ? 1 : -1
}
