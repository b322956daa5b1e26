/** One file of a model that is split over several, as llama.cpp names them: `name-00001-of-00003.gguf`. */
export interface SplitName {
  /** The model's name, without number and extension. */
  readonly stem: string
  /** From 1. */
  readonly part: number
  readonly parts: number
}

/** What a split file's name says (with or without folders before it); `undefined` for any other name. */
export function parseSplitName(fileName: string): SplitName | undefined {
  const match = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/.exec(fileName)
  const [, stem, part, parts] = match ?? []
  if (stem === undefined) return undefined
  return { stem, part: Number(part), parts: Number(parts) }
}

/** The name of another file of the same model. */
export function splitFileName({ stem, parts }: SplitName, part: number): string {
  return `${stem}-${fiveDigits(part)}-of-${fiveDigits(parts)}.gguf`
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, "0")
}
