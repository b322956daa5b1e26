import {
  type Completion,
  type Endpoint,
  type SentPrompt,
  streamCompletion,
} from "../src/measure/http/completion"
import { BenchFailure } from "./failure"

/**
 * Generates exactly `maxTokens` tokens greedily and streams them to the end.
 * @param onText called for each piece of text with the number of pieces so far
 * @throws CannotMeasure if the server refuses or the stream ends early, BenchFailure if the number of tokens differs
 */
export async function complete(
  endpoint: Endpoint,
  prompt: SentPrompt,
  maxTokens: number,
  onText?: (pieces: number) => void,
): Promise<Completion> {
  const completion = await streamCompletion(endpoint, prompt, maxTokens, onText)
  if (completion.completionTokens !== maxTokens)
    throw new BenchFailure(
      `asked for ${maxTokens} tokens with ignore_eos, got ${completion.completionTokens}`,
    )
  return completion
}
