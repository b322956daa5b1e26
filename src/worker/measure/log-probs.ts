/** The logarithm of the sum of the exponentials: a logit minus it is a log probability. In 64 bits. */
export function logSumExp(logits: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY
  for (const logit of logits) if (logit > most) most = logit
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - most)
  return most + Math.log(sum)
}

/** The Kullback-Leibler divergence of `other` from `base`, whose {@link logSumExp} are known. */
export function divergence(
  base: Float32Array,
  baseSum: number,
  other: Float32Array,
  otherSum: number,
): number {
  let sum = 0
  for (let token = 0; token < base.length; token++) {
    const logProb = (base[token] ?? 0) - baseSum
    // Less than one in 10^13: lost in the rounding of the others.
    if (logProb < -30) continue
    sum += Math.exp(logProb) * (logProb - ((other[token] ?? 0) - otherSum))
  }
  return sum
}

/** The index of the largest. */
export function topOf(logits: Float32Array): number {
  let best = 0
  for (let token = 1; token < logits.length; token++)
    if ((logits[token] ?? 0) > (logits[best] ?? 0)) best = token
  return best
}
