import type { CompletionRequest, OutputConstraint } from "../../domain/chat"
import { InvalidRequest } from "../../errors/request"
import { PRODUCTS } from "../../limits"

/** @throws InvalidRequest if values that are each small multiply to too much */
export function checkProducts(
  prompts: readonly (string | readonly number[])[],
  { n, echo, sampling, output }: Pick<CompletionRequest, "n" | "echo" | "sampling" | "output">,
): void {
  const sequences = prompts.length * n
  if (sequences > PRODUCTS.sequences) {
    throw new InvalidRequest(
      `${prompts.length} prompts with ${n} choices each are ${sequences} answers; ` +
        `a request may have at most ${PRODUCTS.sequences}`,
      "prompt",
    )
  }
  const biases = prompts.length * (sampling.logitBias?.length ?? 0)
  if (biases > PRODUCTS.biases) {
    throw new InvalidRequest(
      `logit_bias must have at most ${Math.floor(PRODUCTS.biases / prompts.length)} entries ` +
        `with ${prompts.length} prompts, got ${sampling.logitBias?.length}`,
      "logit_bias",
    )
  }
  const constrained = prompts.length * (output === undefined ? 0 : lengthOf(output))
  if (constrained > PRODUCTS.constraintCharacters) {
    throw new InvalidRequest(
      `a schema or grammar must have at most ${Math.floor(PRODUCTS.constraintCharacters / prompts.length)} ` +
        `characters with ${prompts.length} prompts`,
      "prompt",
    )
  }
  const echoed = echo ? n * prompts.reduce((sum, prompt) => sum + prompt.length, 0) : 0
  if (echoed > PRODUCTS.echoed) {
    throw new InvalidRequest(
      `echo would repeat ${echoed} characters in ${n} choices; at most ${PRODUCTS.echoed} are possible`,
      "echo",
    )
  }
}

function lengthOf(output: OutputConstraint): number {
  return JSON.stringify(output).length
}
