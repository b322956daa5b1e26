import { describe, expect, test } from "bun:test"
import { textOf } from "../../../src/domain/content"
import { XllmError } from "../../../src/errors/base"
import { toChatCall, toCompletionCall } from "../../../src/http/openai/translate"
import { USER_HI } from "../../support/http"

const chat = (fields: object) => toChatCall({ messages: USER_HI, ...fields }).request
const completion = (fields: object) => toCompletionCall({ prompt: "Hi", ...fields })

/** The error that the fields of a chat request lead to. */
function refused(fields: object, run: (fields: object) => unknown = chat) {
  try {
    run(fields)
  } catch (error) {
    if (error instanceof XllmError) return error.toWire()
    throw error
  }
  throw new Error(`${JSON.stringify(fields)} was accepted`)
}

describe("a chat request", () => {
  test("needs nothing but messages; everything else has a default or is left to the model", () => {
    expect(toChatCall({ messages: USER_HI })).toEqual({
      request: {
        kind: "chat",
        n: 1,
        minTokens: 0,
        stop: [],
        sampling: {},
        cachePrompt: true,
        returnProgress: false,
        messages: [{ role: "user", content: "Hi" }],
        templateArguments: {},
        addGenerationPrompt: true,
        continueFinalMessage: false,
      },
      reply: { stream: false, includeUsage: false, timingsPerToken: false, returnProgress: false },
    })
  })

  test("takes null for every field as its default", () => {
    const names = [
      ...[
        "model",
        "n",
        "stop",
        "seed",
        "temperature",
        "top_p",
        "logit_bias",
        "max_tokens",
        "max_completion_tokens",
      ],
      ...[
        "stream",
        "stream_options",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "response_format",
        "functions",
      ],
      ...["reasoning_effort", "chat_template_kwargs", "cache_prompt", "modalities", "audio", "mirostat"],
    ]
    expect(chat(Object.fromEntries(names.map((name) => [name, null])))).toEqual(chat({}))
  })

  test("may carry hints and unknown fields, which change nothing", () => {
    const hints = {
      ...{ user: "u", metadata: { a: "b" }, store: true, service_tier: "auto", parallel_tool_calls: true },
      ...{
        prediction: {},
        safety_identifier: "x",
        verbosity: "low",
        unheard_of: [1],
        id_slot: null,
        n_keep: 5,
      },
      ...{
        tools: [],
        functions: [],
        tool_choice: "auto",
        response_format: { type: "text" },
        modalities: ["text"],
      },
      ...{ lora: [], grammar: "", samplers: [], t_max_predict_ms: -1 },
    }
    expect(chat(hints)).toEqual(chat({}))
  })

  test("hands every sampling field over under its domain name", () => {
    const fields = {
      ...{ temperature: 0.1, dynatemp_range: 0.2, dynatemp_exponent: 1.3, top_k: 4, top_p: 0.5, min_p: 0.06 },
      ...{ typical_p: 0.7, top_n_sigma: 1.8, min_keep: 9, xtc_probability: 0.1, xtc_threshold: 0.11 },
      ...{ repeat_penalty: 1.2, repeat_last_n: 13, presence_penalty: -1.4, frequency_penalty: 1.5 },
      ...{ dry_multiplier: 1.6, dry_base: 1.7, dry_allowed_length: 18, dry_penalty_last_n: 19 },
      ...{ dry_sequence_breakers: ["\n"], mirostat: 2, mirostat_tau: 2.1, mirostat_eta: 0.22, seed: 23 },
      ...{ ignore_eos: true },
    }
    expect(chat(fields).sampling).toEqual({
      ...{
        temperature: 0.1,
        dynamicTemperatureRange: 0.2,
        dynamicTemperatureExponent: 1.3,
        topK: 4,
        topP: 0.5,
      },
      ...{ minP: 0.06, typicalP: 0.7, topNSigma: 1.8, minKeep: 9, xtcProbability: 0.1, xtcThreshold: 0.11 },
      ...{
        repeatPenalty: 1.2,
        repeatLastN: 13,
        presencePenalty: -1.4,
        frequencyPenalty: 1.5,
        dryMultiplier: 1.6,
      },
      ...{
        dryBase: 1.7,
        dryAllowedLength: 18,
        dryPenaltyLastN: 19,
        drySequenceBreakers: ["\n"],
        mirostat: 2,
      },
      ...{ mirostatTau: 2.1, mirostatEta: 0.22, seed: 23, ignoreEos: true },
    })
  })

  test("hands its other fields over", () => {
    const fields = { model: "m", n: 2, max_tokens: 3, min_tokens: 1, stop: "x", cache_prompt: false }
    expect(chat(fields)).toMatchObject({
      ...{ model: "m", n: 2, maxTokens: 3, minTokens: 1, stop: ["x"], cachePrompt: false },
    })
  })

  test("prefers max_completion_tokens, then max_tokens, then n_predict; -1 is no limit", () => {
    expect(chat({ n_predict: 3 }).maxTokens).toBe(3)
    expect(chat({ n_predict: 3, max_tokens: 2 }).maxTokens).toBe(2)
    expect(chat({ n_predict: 3, max_tokens: 2, max_completion_tokens: 1 }).maxTokens).toBe(1)
    expect(chat({ max_tokens: -1 }).maxTokens).toBe(Number.POSITIVE_INFINITY)
    expect(chat({})).not.toHaveProperty("maxTokens")
  })

  test("takes seeds of any size: -1 is random, large ones are folded and never mean random", () => {
    const seedOf = (seed: number | string) => chat({ seed }).sampling.seed
    expect(seedOf(-1)).toBeNull()
    expect(seedOf(0)).toBe(0)
    expect(seedOf(2 ** 32 - 1)).toBe(0)
    expect(seedOf(-2)).toBe(2 ** 32 - 3)
    expect(seedOf(Number.MAX_SAFE_INTEGER)).toBeLessThan(2 ** 32 - 1)
    // 64 bits, of which JSON's numbers keep the first 53: 2^63 and 2^64.
    expect(seedOf(9223372036854775807)).toBe(2 ** 31)
    expect(seedOf(18446744073709551615)).toBe(1)
    expect(seedOf(-9223372036854775808)).toBe(2 ** 31 - 1)
  })

  test("takes a seed as a string, and reads it as the number", () => {
    const seedOf = (seed: number | string) => chat({ seed }).sampling.seed
    expect(seedOf("42")).toBe(42)
    expect(seedOf("-1")).toBeNull()
    expect(seedOf("9223372036854775807")).toBe(2 ** 31)
    for (const seed of ["", "4.5", "0x10", "1e3", "1 2", "9".repeat(41)])
      expect(refused({ seed }).message).toStartWith("seed must be a whole number, got ")
  })

  test("takes every reasoning effort that a peer has", () => {
    for (const reasoning_effort of ["minimal", "low", "medium", "high", "xhigh", "max"])
      expect(chat({ reasoning_effort }).reasoning).toEqual({ effort: reasoning_effort })
  })

  test("takes biases by id or text, as an object or as pairs; false bans", () => {
    const biases = (logit_bias: unknown) => chat({ logit_bias }).sampling.logitBias
    expect(biases({ "15": 2.5, "16": false, no: -100 })).toEqual([
      [15, 2.5],
      [16, -Infinity],
      ["no", -100],
    ])
    expect(
      biases([
        [15, 1],
        ["no", false],
      ]),
    ).toEqual([
      [15, 1],
      ["no", -Infinity],
    ])
  })

  test("takes the sampler chain that is applied, by llama-server's names, others' and letters", () => {
    const whole = [
      "penalties",
      "dry",
      "top_n_sigma",
      "top_k",
      "typ_p",
      "top_p",
      "min_p",
      "xtc",
      "temperature",
    ]
    const fields = { temperature: 0.5, top_k: 9, repeat_penalty: 1.5 }
    const plain = chat(fields)
    expect(chat({ ...fields, samplers: whole })).toEqual(plain)
    expect(chat({ ...fields, samplers: "edskypmxt" })).toEqual(plain)
    const others = ["e", "d", "top-n-sigma", "top-k", "typical", "nucleus", "min-p", "xtc", "temp"]
    expect(chat({ ...fields, samplers: others })).toEqual(plain)
    expect(chat({ ...fields, samplers: "" })).toEqual(plain)
  })

  test("turns samplers off that the chain leaves out, whatever else is said of them", () => {
    expect(
      chat({ samplers: ["top_k"], top_k: 9, temperature: 0, min_p: 0.2, dry_multiplier: 1 }).sampling,
    ).toEqual({
      ...{
        topK: 9,
        temperature: 1,
        dynamicTemperatureRange: 0,
        minP: 0,
        dryMultiplier: 0,
        topP: 1,
        typicalP: 1,
      },
      ...{ topNSigma: -1, xtcProbability: 0, repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
    })
  })

  test("keeps the order of samplers, and the one for gaps in code", () => {
    expect(chat({ samplers: ["temperature", "top_k"] }).sampling.order).toEqual(["temperature", "topK"])
    expect(chat({ samplers: "edkypmxt" }).sampling.order).toBeUndefined()
    expect(chat({ samplers: "tke" }).sampling.order).toEqual(["temperature", "topK"])
    expect(chat({ samplers: ["top_k", "top_p", "infill"] }).sampling.order).toEqual([
      "topK",
      "topP",
      "infill",
    ])
  })

  test("refuses a penalty that is to be applied after other samplers", () => {
    expect(refused({ samplers: ["top_k", "penalties"], repeat_penalty: 1.2 })).toMatchObject({
      code: "unsupported",
      message: "samplers has penalties after others, but it is always applied first",
    })
  })

  test.each([
    ["kk", "samplers must have each sampler at most once"],
    [Array(11).fill("top_k"), "samplers must have each sampler at most once"],
    ["z".repeat(11), "samplers must have each sampler at most once"],
    [
      ["top_k", "typo"],
      'samplers has "typo"; there are penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p',
    ],
    ["kz", 'samplers has "z"; there are penalties'],
    [[["top_k"]], "samplers has something that is not a name"],
    [7, "samplers must be an array of names or a string of letters, got 7"],
  ])("refuses the samplers %j, which it could not apply", (samplers, message) => {
    expect(refused({ samplers })).toMatchObject({ status: 400, param: "samplers" })
    expect(refused({ samplers }).message).toStartWith(message)
  })

  test("takes a repetition penalty as one that is about the whole context", () => {
    const of = (fields: object) => chat(fields).sampling
    expect(of({ repetition_penalty: 1.3 })).toEqual({ repeatPenalty: 1.3, repeatLastN: -1 })
    expect(of({ repetition_penalty: 1.3, repeat_last_n: 64 })).toEqual({
      repeatPenalty: 1.3,
      repeatLastN: 64,
    })
    // Off: nothing is said of what other penalties look back on.
    expect(of({ repetition_penalty: 1 })).toEqual({ repeatPenalty: 1 })
    expect(of({ repetition_penalty: 1.3, repeat_penalty: 1.3 })).toEqual({ repeatPenalty: 1.3 })
    expect(refused({ repetition_penalty: 1.3, repeat_penalty: 1.1 }).message).toBe(
      "repetition_penalty (1.3) must not differ from repeat_penalty (1.1): both mean the same",
    )
  })

  test("takes the tokens and texts that end an answer, and how they are shown", () => {
    expect(chat({ stop_token_ids: [7, 9], include_stop_str_in_output: true })).toMatchObject({
      stopTokens: [7, 9],
      keepsStop: true,
    })
    expect(chat({ no_stop_trim: true }).keepsStop).toBe(true)
    expect(chat({ skip_special_tokens: true }).hidesControlTokens).toBe(true)
    expect(chat({ return_tokens: true }).reportsTokens).toBe(true)
    const many = { stop_token_ids: Array(1025).fill(1) }
    expect(refused(many).message).toBe("stop_token_ids must have at most 1024 entries, got 1025")
    expect(refused({ stop_token_ids: [-1] }).message).toStartWith("stop_token_ids[0] must be a whole number")
  })

  test("takes other servers' words for n and keep_alive", () => {
    expect(chat({ n_cmpl: 3 }).n).toBe(3)
    expect(chat({ n_cmpl: 3, n: 2 }).n).toBe(2)
    expect(chat({ ttl: 60 }).keepAliveSeconds).toBe(60)
    expect(chat({ ttl: 60, keep_alive: -1 }).keepAliveSeconds).toBeNull()
  })

  test("keeps llama.cpp's ranges of llama.cpp's own fields, and forms", () => {
    const { topLogprobs, sampling } = chat({
      ...{ n_probs: 512, top_k: -3, dynatemp_range: 900 },
      logit_bias: [
        [1, -5000],
        ["x", false],
      ],
    })
    expect(topLogprobs).toBe(512)
    expect(sampling).toMatchObject({ topK: 0, dynamicTemperatureRange: 900 })
    expect(sampling.logitBias).toEqual([
      [1, -5000],
      ["x", -Infinity],
    ])
    expect(chat({ post_sampling_probs: true, t_max_predict_ms: 5 })).toMatchObject({
      logprobsAfterSampling: true,
      lineBreakEndsAfterMs: 5,
    })
  })

  test("turns log probabilities on with logprobs, or with llama.cpp's n_probs", () => {
    expect(chat({ logprobs: true }).topLogprobs).toBe(0)
    expect(chat({ logprobs: true, top_logprobs: 5 }).topLogprobs).toBe(5)
    expect(chat({ n_probs: 3 }).topLogprobs).toBe(3)
    expect(chat({ logprobs: false, top_logprobs: 0 })).not.toHaveProperty("topLogprobs")
    expect(refused({ top_logprobs: 5 }).message).toBe("top_logprobs must come with logprobs: true")
  })

  test("may go on from an unfinished assistant message", () => {
    const messages = [...USER_HI, { role: "assistant", content: "Well" }]
    expect(chat({ messages, continue_final_message: true })).toMatchObject({
      continueFinalMessage: true,
      addGenerationPrompt: false,
    })
    expect(refused({ continue_final_message: true }).message).toBe(
      "continue_final_message needs a last message of role assistant, got user",
    )
    const both = { messages, continue_final_message: true, add_generation_prompt: true }
    expect(refused(both).param).toBe("continue_final_message")
  })
})

describe("messages", () => {
  const messagesOf = (...messages: readonly object[]) => chat({ messages }).messages

  test("may have any of the four roles besides that of tools, and names", () => {
    const roles = ["system", "developer", "user", "assistant"]
    expect(
      messagesOf(...roles.map((role) => ({ role, content: role }))).map(({ role }) => role as string),
    ).toEqual(roles)
    expect(messagesOf({ role: "user", content: "4", name: "Ada" })).toEqual([
      { role: "user", content: "4", name: "Ada" },
    ])
  })

  test("may have text parts, and an assistant none at all", () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ]
    const [message] = messagesOf({ role: "user", content: parts })
    expect(message?.content).toEqual([
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ])
    expect(textOf(message?.content ?? "")).toBe("a\nb")
    expect(messagesOf({ role: "assistant", content: null }, ...USER_HI)[0]?.content).toBe("")
    expect(messagesOf({ role: "assistant", content: null, tool_calls: [] }, ...USER_HI)[0]?.content).toBe("")
  })

  test.each([
    [undefined, "messages is required"],
    [[], "messages must not be empty"],
    ["Hi", 'messages must be an array, got "Hi"'],
    [["Hi"], 'messages[0] must be an object, got "Hi"'],
    [[{ content: "Hi" }], "messages[0].role is required"],
    [
      [{ role: "robot", content: "Hi" }],
      'messages[0].role must be one of system, developer, user, assistant, tool, function, got "robot"',
    ],
    [[...USER_HI, { role: "user" }], "messages[1].content is required for role user"],
    [[{ role: "user", content: null }], "messages[0].content is required for role user"],
    [[{ role: "user", content: 5 }], "messages[0].content must be a string or an array of parts, got 5"],
    [[{ role: "user", content: ["x"] }], 'messages[0].content[0] must be an object with a type, got "x"'],
    [
      [{ role: "user", content: [{ type: "text" }] }],
      "messages[0].content[0].text must be a string, got nothing",
    ],
    [
      [{ role: "user", content: "\ud800" }],
      "messages[0].content is not valid Unicode: it has a lone surrogate",
    ],
  ])("%j are refused: %s", (messages, message) => {
    expect(refused({ messages })).toMatchObject({ code: "invalid_request_error", status: 400, message })
  })

  test.each([
    [
      { role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] },
      "messages[0].content[0].image_url.url",
    ],
    [
      { role: "user", content: [{ type: "input_audio", input_audio: {} }] },
      "messages[0].content[0].input_audio.data",
    ],
    [{ role: "user", content: [{ type: "file", file: {} }] }, "messages[0].content[0]"],
    [
      { role: "assistant", tool_calls: [{ id: "1", type: "custom", custom: {} }] },
      "messages[0].tool_calls[0]",
    ],
    [{ role: "assistant", content: "", audio: { id: "a" } }, "messages[0].audio"],
  ])("%j are unsupported", (message, param) => {
    expect(refused({ messages: [message] })).toMatchObject({ code: "unsupported", status: 400, param })
  })
})

test.each([
  [{ tools: [{ type: "custom", custom: { name: "f" } }] }, "tools[0]"],
  [{ reasoning_format: "deepseek-legacy" }, "reasoning_format"],
  [{ lora_path: "x" }, "lora_path"],
  [{ modalities: ["text", "audio"] }, "modalities"],
  [{ audio: { voice: "x" } }, "audio"],
  [{ web_search_options: {} }, "web_search_options"],
  [{ samplers: ["top_k", "dry"], dry_multiplier: 1 }, "samplers"],
])("%j asks for what is not there", (fields, param) => {
  const error = refused(fields)
  expect(error).toMatchObject({ code: "unsupported", status: 400, param })
  expect(error.message).toContain(param)
})

test.each([
  [{ temperature: 9 }, "temperature must be between 0 and 2, got 9"],
  [{ temperature: -0.1 }, "temperature must be between 0 and 2, got -0.1"],
  [{ temperature: "hot" }, 'temperature must be a number between 0 and 2, got "hot"'],
  [{ temperature: Infinity }, "temperature must be between 0 and 2, got Infinity"],
  [{ top_p: 1.1 }, "top_p must be between 0 and 1, got 1.1"],
  [{ top_k: 1.5 }, "top_k must be a whole number between -2147483647 and 2147483647, got 1.5"],
  [{ min_p: -1 }, "min_p must be between 0 and 1, got -1"],
  [{ typical_p: 2 }, "typical_p must be between 0 and 1, got 2"],
  [{ top_n_sigma: -2 }, "top_n_sigma must be between -1 and 1000, got -2"],
  [{ min_keep: -1 }, "min_keep must be a whole number between 0 and 2147483647, got -1"],
  [{ repeat_penalty: 0 }, "repeat_penalty must be between 0.01 and 100, got 0"],
  [{ repeat_last_n: -2 }, "repeat_last_n must be a whole number between -1 and 2147483647, got -2"],
  [{ presence_penalty: 3 }, "presence_penalty must be between -2 and 2, got 3"],
  [{ frequency_penalty: -3 }, "frequency_penalty must be between -2 and 2, got -3"],
  [{ xtc_probability: 2 }, "xtc_probability must be between 0 and 1, got 2"],
  [{ xtc_threshold: -1 }, "xtc_threshold must be between 0 and 1, got -1"],
  [{ dry_multiplier: -1 }, "dry_multiplier must be between 0 and 100, got -1"],
  [{ dry_base: 0.5 }, "dry_base must be between 1 and 100, got 0.5"],
  [{ dry_allowed_length: -1 }, "dry_allowed_length must be a whole number between 0 and 2147483647, got -1"],
  [{ dry_penalty_last_n: -2 }, "dry_penalty_last_n must be a whole number between -1 and 2147483647, got -2"],
  [{ dry_sequence_breakers: "x" }, 'dry_sequence_breakers must be an array, got "x"'],
  [{ dry_sequence_breakers: [1] }, "dry_sequence_breakers[0] must be a string, got 1"],
  [{ mirostat: 3 }, "mirostat must be a whole number between 0 and 2, got 3"],
  [{ mirostat_tau: -1 }, "mirostat_tau must be between 0 and 100, got -1"],
  [{ mirostat_eta: 2 }, "mirostat_eta must be between 0 and 1, got 2"],
  [{ dynatemp_range: 1001 }, "dynatemp_range must be between 0 and 1000, got 1001"],
  [{ dynatemp_exponent: -1 }, "dynatemp_exponent must be between 0 and 100, got -1"],
  [{ seed: 0.5 }, "seed must be a whole number, got 0.5"],
  [{ seed: Infinity }, "seed must be a whole number, got Infinity"],
  [{ seed: true }, "seed must be a whole number, got true"],
  [{ ignore_eos: 1 }, "ignore_eos must be true or false, got 1"],
  [{ n: 0 }, "n must be a whole number between 1 and 128, got 0"],
  [{ n: 129 }, "n must be a whole number between 1 and 128, got 129"],
  [{ max_tokens: -2 }, "max_tokens must be a whole number between -1 and 2147483647, got -2"],
  [
    { max_completion_tokens: 1.5 },
    "max_completion_tokens must be a whole number between -1 and 2147483647, got 1.5",
  ],
  [{ cache_salt: "" }, "cache_salt must not be empty"],
  [{ cache_salt: 5 }, "cache_salt must be a string, got 5"],
  [{ max_tokens: 5, min_tokens: 9 }, "min_tokens must be at most max_tokens (5), got 9"],
  [{ stop: "" }, "stop must not be empty"],
  [{ stop: ["a", ""] }, "stop[1] must not be empty"],
  [{ stop: ["a", 5] }, "stop[1] must be a string, got 5"],
  [{ stop: Array(17).fill("x") }, "stop must have at most 16 texts, got 17"],
  [{ stream: "yes" }, 'stream must be true or false, got "yes"'],
  [{ stream_options: true }, "stream_options must be an object, got true"],
  [{ stream_options: { include_usage: 1 } }, "stream_options.include_usage must be true or false, got 1"],
  [{ logprobs: true, top_logprobs: 21 }, "top_logprobs must be a whole number between 0 and 20, got 21"],
  [{ logprobs: 3 }, "logprobs must be true or false, got 3"],
  [{ logit_bias: 5 }, "logit_bias must be an object or an array of pairs, got 5"],
  [{ logit_bias: { "1": 101 } }, "logit_bias.1 must be between -100 and 100, got 101"],
  [{ logit_bias: { "1": true } }, "logit_bias.1 must be false or a number between -100 and 100, got true"],
  [
    { logit_bias: [[1]] },
    "logit_bias[0] must be false or a number between -1000000 and 1000000, got nothing",
  ],
  [{ logit_bias: [[-1, 5]] }, "logit_bias[0] must be a whole number between 0 and 2147483647, got -1"],
  [{ logit_bias: [[1, 2, 3]] }, "logit_bias[0] must be a pair [token, bias]"],
  [{ model: "" }, "model must not be empty"],
  [{ model: 5 }, "model must be a string, got 5"],
  [{ model: "\udc00" }, "model is not valid Unicode: it has a lone surrogate"],
  [{ chat_template_kwargs: [] }, "chat_template_kwargs must be an object, got an array"],
  [{ cache_prompt: "no" }, 'cache_prompt must be true or false, got "no"'],
  [
    { reasoning_effort: "huge" },
    'reasoning_effort must be one of none, minimal, low, medium, high, xhigh, max, got "huge"',
  ],
])("%j is refused with the name, the rule and the value", (fields, message) => {
  const error = refused(fields)
  expect(error).toMatchObject({ code: "invalid_request_error", status: 400, message })
  expect(message.startsWith(error.param ?? "?")).toBe(true)
})

test("template arguments nested without end are refused before they reach the worker", () => {
  let nested: object = {}
  for (let level = 0; level < 10_000; level++) nested = { nested }
  expect(refused({ chat_template_kwargs: nested })).toMatchObject({
    message: "chat_template_kwargs must be nested at most 32 levels deep",
    param: "chat_template_kwargs",
  })
})

test.each([
  [{ prompt: undefined }, "prompt is required"],
  [{ prompt: 5 }, "prompt must be a string, token ids, or an array of these, got 5"],
  [{ prompt: [] }, "prompt must not be empty"],
  [{ prompt: [[]] }, "prompt[0] must not be empty"],
  [{ prompt: [1, -1] }, "prompt[1] must be a whole number between 0 and 2147483647, got -1"],
  [{ prompt: [1, "a"] }, 'prompt[1] must be a whole number between 0 and 2147483647, got "a"'],
  [{ prompt: ["a", 1] }, "prompt[1] must be a string or an array of token ids, got a number"],
  [{ prompt: [[1.5]] }, "prompt[0][0] must be a whole number between 0 and 2147483647, got 1.5"],
  [{ prompt: Array(2049).fill("x") }, "prompt must have at most 2048 prompts, got 2049"],
  [{ prompt: "\ud800" }, "prompt is not valid Unicode: it has a lone surrogate"],
  [{ logprobs: 21 }, "logprobs must be a whole number between 0 and 20, got 21"],
  [{ best_of: 129 }, "best_of must be a whole number between 1 and 128, got 129"],
  [{ suffix: 5 }, "suffix must be a string, got 5"],
  [{ echo: "yes" }, 'echo must be true or false, got "yes"'],
])("a completion with %j is refused", (fields, message) => {
  expect(refused(fields, completion)).toMatchObject({ code: "invalid_request_error", status: 400, message })
})

test("a prompt of many tokens is checked in one pass", () => {
  const prompt = Array.from({ length: 1_000_000 }, (_, index) => index % 50_000)
  expect(completion({ prompt }).requests[0]?.prompt).toHaveLength(1_000_000)
})

test("a completion may have the beginning of its prompt left out, as much as it says or as has to be", () => {
  const keepLast = (truncate_prompt_tokens: number) =>
    completion({ truncate_prompt_tokens }).requests[0]?.keepLast
  expect(keepLast(20)).toBe(20)
  expect(keepLast(-1)).toBe(0)
  expect(completion({}).requests[0]).not.toHaveProperty("keepLast")
  const refusal = (fields: object) => refused({ truncate_prompt_tokens: 20, ...fields }, completion)
  expect(refusal({ suffix: "x" }).param).toBe("truncate_prompt_tokens")
  expect(refusal({ truncate_prompt_tokens: 0 }).message).toBe(
    "truncate_prompt_tokens must be -1 or at least 1, got 0",
  )
  expect(refusal({ truncation_side: "right" }).message).toBe("truncation_side right is not supported")
  expect(refused({ truncate_prompt_tokens: 20 }).param).toBe("truncate_prompt_tokens")
})
