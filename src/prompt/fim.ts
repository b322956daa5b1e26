import { Unsupported } from "../errors/request"

/** Ids of the fill-in-the-middle tokens of a model. */
export interface FimTokens {
  readonly prefix: number
  readonly suffix: number
  readonly middle: number
  /** In front of the name of the project, and of each file's; absent: the model does not know files. */
  readonly repository?: number
  readonly file?: number
}

/** A file of the project that the gap is in. */
export interface ProjectFile {
  readonly name: string
  readonly text: string
}

/** Part of a fill-in-the-middle prompt. */
export type FimPiece =
  | { readonly type: "tokens"; readonly ids: readonly number[] }
  /** Tokenized as plain text: control tokens in it are not parsed. */
  | { readonly type: "text"; readonly text: string }

/** The name of the project, which no client tells: any word will do. */
const PROJECT = "project\n"

/**
 * What comes before the gap's own file: other files, as the models with tokens for them are trained
 * (https://arxiv.org/abs/2409.12186, section 3.2.2), and as plain text for others.
 */
export function renderFiles(files: readonly ProjectFile[], { repository, file }: FimTokens): FimPiece[] {
  if (files.length === 0) return []
  if (file === undefined)
    return files.map(({ name, text }) => ({
      type: "text",
      text: `${name === "" ? "" : `${name}\n`}${text}\n\n`,
    }))
  const project: FimPiece[] =
    repository === undefined
      ? []
      : [
          { type: "tokens", ids: [repository] },
          { type: "text", text: PROJECT },
        ]
  const pieces = files.flatMap(({ name, text }): FimPiece[] => [
    { type: "tokens", ids: [file] },
    { type: "text", text: `${name}\n${text}` },
  ])
  return [...project, ...pieces, { type: "tokens", ids: [file] }, { type: "text", text: "\n" }]
}

/** How many tokens of the text before and after a gap fit into `room`: the text before it gets three quarters. */
export function fitGap(
  room: number,
  { before, after }: { readonly before: number; readonly after: number },
): { readonly before: number; readonly after: number } {
  const keptAfter = Math.min(after, Math.max(Math.floor(room / 4), room - before))
  return { before: Math.min(before, room - keptAfter), after: keptAfter }
}

/**
 * The prompt that asks for the text between `prompt` and `suffix`, in the order prefix, suffix, middle that
 * published models are trained with (https://arxiv.org/abs/2207.14255, there called PSM). Does not include
 * BOS.
 * @throws Unsupported if the model has no such tokens
 */
export function renderFim(
  gap: { readonly prompt: string | readonly number[]; readonly suffix: string },
  tokens: FimTokens | undefined,
): FimPiece[] {
  if (tokens === undefined) {
    throw new Unsupported("the model has no fill-in-the-middle tokens, so it cannot use a suffix", "suffix")
  }
  const { prompt, suffix } = gap
  const before: FimPiece =
    typeof prompt === "string" ? { type: "text", text: prompt } : { type: "tokens", ids: prompt }
  return [
    { type: "tokens", ids: [tokens.prefix] },
    before,
    { type: "tokens", ids: [tokens.suffix] },
    { type: "text", text: suffix },
    { type: "tokens", ids: [tokens.middle] },
  ]
}
