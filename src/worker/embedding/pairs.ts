import type { TokenizeOptions, Vocabulary } from "../../llama/vocabulary"

/** How a model that ranks reads a query and a document. */
export interface PairLayout {
  readonly options: TokenizeOptions
  /** The texts to tokenize. */
  texts(query: string, documents: readonly string[]): readonly string[]
  /** The tokens of a pair, from those of the texts; the document is cut so that there are at most so many. */
  join(tokens: readonly Int32Array[], document: number, most: number): Int32Array
}

type PairTokens = Pick<Vocabulary, "bos" | "eos" | "sep" | "addsBos" | "addsEos" | "addsSep">

const NONE = new Int32Array(0)

/** By the model's own template, or else as `BOS query EOS SEP document EOS`, as far as the vocabulary adds them. */
export function pairLayout(template: string | undefined, tokens: PairTokens): PairLayout {
  return template === undefined ? plainPairs(tokens) : templatePairs(template)
}

function plainPairs({ bos, eos, sep, addsBos, addsEos, addsSep }: PairTokens): PairLayout {
  const only = (token: number, isAdded: boolean) => (isAdded && token >= 0 ? [token] : [])
  const end = only(eos >= 0 ? eos : sep, addsEos)
  const separator = only(sep, addsSep)
  // WordPiece vocabularies end a text with a separator.
  const after = end.length > 0 ? end : separator
  return {
    options: { addSpecial: false, parseSpecial: false },
    texts: (query, documents) => [query, ...documents],
    join([query = NONE, ...documents], index, most) {
      const before = [...only(bos, addsBos), ...query, ...end, ...separator]
      const left = Math.max(0, most - before.length - after.length)
      return Int32Array.from([...before, ...(documents[index] ?? NONE).subarray(0, left), ...after])
    },
  }
}

/** Pairs are tokenized as a whole: a tokenizer may merge across the template's edges. */
function templatePairs(template: string): PairLayout {
  const filled = (query: string, document: string) =>
    template.replace(/\{(query|document)\}/g, (_, name: string) => (name === "query" ? query : document))
  const tail = template.split("{document}").at(-1) ?? ""
  return {
    options: { addSpecial: false, parseSpecial: true },
    texts: (query, documents) => [
      tail.replaceAll("{query}", () => query),
      ...documents.map((document) => filled(query, document)),
    ],
    join([end = NONE, ...pairs], index, most) {
      const whole = pairs[index] ?? NONE
      if (whole.length <= most) return whole
      return Int32Array.from([...whole.subarray(0, Math.max(0, most - end.length)), ...end])
    },
  }
}
