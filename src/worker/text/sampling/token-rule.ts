/** What may come next in one answer. */
export interface TokenRule extends Disposable {
  /** The token that must come next, whatever the model would choose. */
  readonly forced: number | undefined
  /**
   * Goes on with `token` if it may come next; a refusal changes at most what is {@link forced}. `from`: how many of its bytes belong to what
   * precedes the part of the answer that this rule is about.
   */
  take(token: number, from?: number): boolean
  /** How many of `tokens` may come next, one after another, as far as it can tell without going on. */
  fitting(tokens: readonly number[]): number
  /**
   * After a refusal of `refused`, the likeliest token: the tokens that are left, whose logits are in `logits`. None are
   * returned where only `logits` were changed, in which at least that token is excluded. `banned`: tokens that the
   * request excludes, with their logits; they are used where nothing else may come next.
   * @throws ConstraintFailed if no token at all may come next
   */
  narrow(
    logits: Float32Array,
    banned: ReadonlyMap<number, number>,
    refused: number | undefined,
  ): readonly number[] | void
}

/** Anything. */
export class AnyToken implements TokenRule {
  readonly forced = undefined

  take(): boolean {
    return true
  }

  fitting(tokens: readonly number[]): number {
    return tokens.length
  }

  narrow(logits: Float32Array, _banned: ReadonlyMap<number, number>, refused: number | undefined): void {
    if (refused !== undefined) logits[refused] = Number.NEGATIVE_INFINITY
  }

  [Symbol.dispose](): void {}
}

/** Excludes all tokens but one. */
export function leaveOnly(token: number, logits: Float32Array, banned: ReadonlyMap<number, number>): void {
  const own = logits[token] ?? Number.NEGATIVE_INFINITY
  logits.fill(Number.NEGATIVE_INFINITY)
  logits[token] = own > Number.NEGATIVE_INFINITY ? own : (banned.get(token) ?? 0)
}
