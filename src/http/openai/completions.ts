import { Elysia } from "elysia"
import type { GenerationEvent } from "../../domain/chat"
import { BODY_BYTES } from "../../limits"
import { abortControllerFor, consume } from "../context/consume"
import { mayBeSilent } from "../context/idle"
import { type RequestContext, requestContextOf } from "../context/request-context"
import { readHeaderOptions } from "../read/headers"
import { readJsonObject } from "../read/body/json-body"
import { joinMixedPrompts } from "../read/mixed-prompts"
import { AnswerBuilder, type AnswerChoice, type CompleteAnswer, LogprobBudget } from "../render/answer"
import { type Indexed, merge, PROMPTS_AT_A_TIME } from "../render/merge"
import { sse } from "../render/sse"
import { toTimingsBody } from "../render/timings"
import { waitingNote } from "../render/waiting-note"
import { type ChunkFormat, Chunks } from "./chunks"
import { openAiDialect } from "./dialect"
import { CompletionLogprobsWriter } from "./logprobs"
import { createIdentity, type OpenAiContext, type ReplyIdentity } from "./reply"
import { type CompletionCall, toCompletionCall } from "./translate"
import { toUsageBody } from "./usage"
import { completionLogprobs, noLogprobs, tokensMember, wholeAnswer } from "./whole-answer"

const CHUNKS: ChunkFormat = {
  object: "text_completion",
  textStart: `"text":`,
  textEnd: "",
  empty: `"text":""`,
  // Completions have text only.
  part: (event) => `"text":${JSON.stringify(event.type === "delta" ? event.text : "")}`,
  finishReason: (reason) => reason,
  opening: undefined,
  createLogprobs() {
    const writer = new CompletionLogprobsWriter()
    return (tokens) => writer.write(tokens)
  },
}

/** POST /v1/completions */
export function completionRoutes(context: OpenAiContext) {
  return new Elysia({ name: "openai-completions" }).post(
    "/v1/completions",
    async ({ request, server }) => {
      const requestContext = requestContextOf(request)
      const given = await readJsonObject(request, BODY_BYTES.generation)
      mayBeSilent(request, server)
      const client = abortControllerFor(request)
      const { engine } = context
      const body = await joinMixedPrompts(given, "prompt", {
        engine,
        kind: "completion",
        signal: client.signal,
      })
      const call = toCompletionCall(body, readHeaderOptions(request))
      const identity = await createIdentity(context, "cmpl", call.requests[0]?.model)
      requestContext.logRequests(call.requests, context.settings().logContent)
      const run: Run = { identity, call, client, requestContext }
      return call.reply.stream ? streamCompletion(context, run) : answerCompletion(context, run)
    },
    { parse: "none" },
  )
}

interface Run {
  readonly identity: ReplyIdentity
  readonly call: CompletionCall
  readonly client: AbortController
  readonly requestContext: RequestContext
}

function start(
  { engine }: OpenAiContext,
  { call, client, requestContext }: Run,
): AsyncIterableIterator<Indexed<GenerationEvent>> {
  const sources = call.requests.map(
    (request) => () => requestContext.takeModelFrom(engine.complete(request, client.signal)),
  )
  return merge(sources, PROMPTS_AT_A_TIME)
}

function streamCompletion(context: OpenAiContext, run: Run): Promise<Response> {
  const { identity, call, client, requestContext } = run
  const chunks = new Chunks(CHUNKS, { identity, reply: call.reply, prompts: call.requests.length, n: call.n })
  return sse({
    events: start(context, run),
    client,
    requestContext,
    render({ index, value }) {
      requestContext.observe(value)
      return chunks.render(value, index)
    },
    waiting: ({ value }) => waitingNote(value),
    end: () => chunks.end(),
    fail: openAiDialect.renderStreamError,
  })
}

async function answerCompletion(context: OpenAiContext, run: Run): Promise<Response> {
  const { identity, call, client, requestContext } = run
  const budget = new LogprobBudget()
  const builders = call.requests.map((request) => new AnswerBuilder(request.n, budget))
  try {
    await consume(start(context, run), client.signal, ({ index, value }) => {
      requestContext.observe(value)
      builders[index]?.add(value)
    })
  } catch (error) {
    // If one prompt fails, so does the request: cancel the others.
    client.abort()
    throw error
  }
  const answers = builders.map((builder) => builder.build())
  return toTextCompletion(identity, call, answers)
}

function toTextCompletion(
  identity: ReplyIdentity,
  call: CompletionCall,
  answers: readonly CompleteAnswer[],
): Promise<Response> {
  const choices = answers.flatMap((answer) => bestChoices(answer.choices, call.n))
  const [first, ...others] = answers
  return wholeAnswer(
    { ...identity, object: "text_completion" },
    choices.map(({ text, logprobs, tokens, finishReason }, index) => ({
      head: `{"index":${index},"text":${JSON.stringify(text)},"logprobs":`,
      logprobs: call.logprobs ? () => completionLogprobs(logprobs) : noLogprobs,
      tail: `,"finish_reason":${JSON.stringify(finishReason)}${tokensMember(tokens)}}`,
    })),
    {
      usage: toUsageBody(answers.map(({ usage }) => usage)),
      // Several prompts ran in parallel, so their times cannot be combined.
      ...(first !== undefined &&
        others.length === 0 && {
          timings: toTimingsBody(first.timings, first.usage.cachedTokens, first.choices.length),
        }),
    },
  )
}

/** The `n` choices with the highest mean log probability, best first. */
function bestChoices(choices: readonly AnswerChoice[], n: number): readonly AnswerChoice[] {
  if (choices.length === n) return choices
  return choices
    .map((choice) => ({ choice, score: meanLogprob(choice) }))
    .sort((a, b) => (a.score === b.score ? 0 : b.score - a.score))
    .slice(0, n)
    .map(({ choice }) => choice)
}

/** Empty completions rank last. */
function meanLogprob({ logprobs, echoedTokens }: AnswerChoice): number {
  const values = logprobs.slice(echoedTokens).flatMap((token) => ("top" in token ? [token.logprob] : []))
  return values.length === 0 ? -Infinity : values.reduce((sum, value) => sum + value, 0) / values.length
}
