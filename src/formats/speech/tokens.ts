/** A table of symbols and ids in sherpa-onnx's format: `symbol id` per line; for the space only the id. */
export type TokenTable = ReadonlyMap<string, number>

/** Names of special tokens in tables of Coqui's models. */
const NAMED_TOKENS = new Set(["<PAD>", "<EOS>", "<BOS>", "<BLNK>"])

const NUMBER = /^-?\d+$/

/** Vocabularies have at most half as many tokens; reading this many lines takes 0.3 s. */
export const MOST_TOKENS = 524_288

/**
 * Parses a table as the engine does, which aborts its process on any invalid line.
 * `characters`: symbols must be single code points.
 * @throws TokenProblem
 */
export function parseTokens(text: string, { characters }: { readonly characters: boolean }): TokenTable {
  const table = new Map<string, number>()
  const lines = text.split("\n")
  if (lines.at(-1) === "") lines.pop()
  if (lines.length > MOST_TOKENS)
    throw new TokenProblem(MOST_TOKENS + 1, "there are more symbols than any model has")
  lines.forEach((line, index) => {
    const [symbol, id] = parseLine(line, index + 1)
    if (characters && NAMED_TOKENS.has(symbol)) return
    if (characters && [...symbol].length !== 1)
      throw new TokenProblem(index + 1, `the symbol '${symbol}' is not one character`)
    if (table.has(symbol)) throw new TokenProblem(index + 1, `duplicate symbol '${symbol}'`)
    table.set(symbol, id)
  })
  if (table.size === 0) throw new TokenProblem(1, "there are no symbols")
  return table
}

function parseLine(line: string, number: number): readonly [symbol: string, id: number] {
  const [first = "", second, ...more] = line.split(/[ \t\r\v\f]+/).filter((part) => part !== "")
  const [symbol, id] = second === undefined ? [" ", first] : [first, second]
  if (more.length > 0 || !NUMBER.test(id))
    throw new TokenProblem(number, `'${line.slice(0, 80)}' is not a symbol and its number`)
  return [symbol, Number(id)]
}

/** An error in a token table. */
export class TokenProblem extends Error {
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`)
  }
}

/** Writes a table for {@link parseTokens}. Its symbols are single characters. */
export function formatTokens(table: TokenTable): string {
  return [...table].map(([symbol, id]) => `${symbol} ${id}\n`).join("")
}

/** The `symbols` missing from the table, for a message; empty if none is missing. */
export function missingSymbols(table: TokenTable, symbols: readonly string[]): string[] {
  return symbols.filter((symbol) => !table.has(symbol))
}
