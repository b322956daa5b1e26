import type { CompletionRequest, RenderedPrompt } from "../../domain/chat"
import { samplerNames } from "../read/samplers"
import { toSamplingBody } from "../render/sampling-body"

/** llama.cpp's number for "a new one for every answer": clients in typed languages expect a number. */
const RANDOM_SEED = 0xffffffff

/** What a request says besides the parameters; the defaults where there is none. */
interface SettingsOptions {
  readonly request?: CompletionRequest
  readonly grammar?: string | undefined
  readonly stream?: boolean
  readonly timingsPerToken?: boolean
}

/** The effective parameters of an answer, with the fields that llama-server has and this server does not use. */
export function toGenerationSettings(
  parameters: RenderedPrompt["parameters"],
  { request, grammar, stream = false, timingsPerToken = false }: SettingsOptions = {},
): Readonly<Record<string, unknown>> {
  const { seed, maxTokens, stop, order, logitBias } = parameters
  return {
    ...toSamplingBody(parameters),
    // JSON has no -Infinity.
    logit_bias: logitBias.map(([token, bias]) => ({ token, bias: bias === -Infinity ? null : bias })),
    seed: seed ?? RANDOM_SEED,
    samplers: samplerNames(order),
    n_predict: maxTokens,
    max_tokens: maxTokens,
    stop,
    n_keep: 0,
    n_discard: 0,
    n_probs: request?.topLogprobs ?? 0,
    post_sampling_probs: request?.logprobsAfterSampling ?? false,
    timings_per_token: timingsPerToken,
    grammar: grammar ?? "",
    // Its adaptive sampler is off: there is none here.
    adaptive_target: -1,
    adaptive_decay: 0,
    backend_sampling: false,
    // Adapters belong to a model.
    lora: [],
    stream,
  }
}
