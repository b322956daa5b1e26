import { readSettings } from "../../config/resolve"
import { kvDiskSettings } from "../../config/sections/kv-disk"
import { logSettings } from "../../config/sections/log"
import { profileSettings, runSettings } from "../../config/sections/model"
import { storeSettings } from "../../config/sections/pull"
import { connectionSettings } from "../../config/sections/server"
import { text, type Value } from "../../config/values"
import type { ChatMessage, Content, MediaPart, ReasoningOptions } from "../../domain/chat"
import { contentOf } from "../../domain/content"
import { UsageError } from "../../errors/cli"
import { keepAliveSeconds } from "../../formats/modelfile/parameters"
import { MODEL_TEXTS } from "../../limits"
import { adapterFlags, withAdapters } from "../args/adapter-flags"
import { defineCommand } from "../args/command"
import { configFlag, type FlagValues, grouped, switchFlag } from "../args/flags"
import { type AnswerOptions, answerOptions, parameterFlags } from "../args/parameters"
import { parseThink } from "../args/think"
import { toChatRequest } from "../client/chat-request"
import { addedText, mayNameFiles, mediaFile, sensesOf, takeFiles, unseenText } from "../client/media-files"
import { readFormat } from "../args/output-format"
import { fullContext, printAnswer, type PrintedAnswer } from "../client/print-answer"
import { type ModelRunner, openRunner } from "../client/runner"
import { withRightCommand } from "../models/wrong-kind"
import { offerRepair } from "../pull/offer-repair"
import { findOrPull } from "../pull/pull-missing"
import type { Io } from "../terminal/io"
import { printable, toJson } from "../terminal/output"
import { exitCodeOf, watchSignals } from "../terminal/signals"
import { statistics } from "../terminal/statistics"
import { wordWrapFor } from "../terminal/word-wrap"

/** Like keep_alive in requests: in seconds; `null`: for ever. */
const keepAlive: Value<number | null> = {
  placeholder: "TIME",
  parse(given, origin) {
    const seconds = keepAliveSeconds(given)
    if (seconds !== undefined) return seconds
    throw new UsageError(`${origin} must be a time such as 5m or 90 (seconds), got '${given}'`)
  },
}

const think: Value<ReasoningOptions> = { placeholder: "LEVEL|false", parse: parseThink }

const imageFiles: Value<readonly MediaPart[]> = { placeholder: "FILE", parse: (given) => [mediaFile(given)] }

const flagTable = {
  system: { value: text("TEXT", MODEL_TEXTS.system), description: "system prompt" },
  image: {
    value: imageFiles,
    description: "show the model this picture with the prompt (repeatable); sounds too, if it takes audio",
    combine: (earlier: readonly MediaPart[], later: readonly MediaPart[]) => [...earlier, ...later],
  },
  keepalive: {
    value: keepAlive,
    description: "how long the model stays loaded after an answer; 0 = unload at once, -1 = forever",
  },
  nowordwrap: switchFlag("do not wrap lines between words on a terminal"),
  format: {
    value: text("json|FILE", { maxLength: 4096 }),
    description: "answer with JSON: any object, or one that the JSON schema in FILE allows",
  },
  think: {
    value: think,
    bare: "true",
    description:
      "let the model think before it answers: as much as LEVEL (low, medium, high, …), or not at all",
  },
  hideThinking: switchFlag("do not show on the terminal what the model thinks"),
  verbose: switchFlag("print timings to stderr"),
  json: switchFlag("print the answer as one JSON object; needs a PROMPT"),
  ...grouped(connectionSettings, "Flags"),
  ...configFlag,
  ...parameterFlags,
  ...adapterFlags,
  ...grouped(
    { ...storeSettings, ...runSettings, ...profileSettings, ...kvDiskSettings, ...logSettings },
    "Without a server",
  ),
}

type RunFlags = FlagValues<typeof flagTable>

export const command = defineCommand({
  name: "run",
  summary: "Chat with a model, or ask it one question",
  words: "MODEL [PROMPT…]",
  minimumWords: 1,
  details: `MODEL is a model's name or the path of a GGUF; NAME@ADAPTER applies an adapter of ~/.xllm/loras. With a PROMPT, or with piped text, the answer is printed; piped text
follows the prompt after a blank line. With neither, on a terminal, a conversation begins.
A model that sees is shown the pictures of --image, and of paths in the PROMPT that begin with /, ./ or ~/.

Uses the server at --host (or XLLM_HOST) if one answers; otherwise, and for a path or --lora, the model runs without a
server.
A missing model is downloaded first, as by 'xllm pull'.`,
  examples: [
    { line: "xllm run ./model.gguf", does: "a conversation" },
    { line: 'xllm run smollm "What is the capital of France?"', does: "one answer" },
    { line: 'xllm run smollm "Summarize this:" < notes.txt', does: "one answer about a file" },
    { line: 'git diff | xllm run smollm "Review this:"', does: "one answer about another program's output" },
    { line: 'xllm run gemma3 "What is this?" --image photo.jpg', does: "one answer about a picture" },
    { line: "xllm run gemma3 What is in ./photo.jpg", does: "the same" },
    { line: 'xllm run smollm "Describe a cat" --format cat.schema.json', does: "JSON of that schema" },
    { line: "xllm run smollm --lora ./style.gguf", does: "with an adapter" },
    { line: "xllm run smollm hello --json --temperature 0", does: "text, usage and timings as JSON" },
  ],
  flags: flagTable,
  async run({ flags: given, words: [model = "", ...prompt], io }) {
    const flags = withAdapters(given)
    const question = await readQuestion(prompt, flags, io)
    const options = {
      ...kept(flags),
      ...(await readFormat(flags.format)),
      ...(flags.think !== undefined && { reasoning: flags.think }),
    }
    // Contradictions are reported before a model is downloaded or loaded.
    answerOptions(flags)
    const runner = await openRunner(model, flags, io)
    try {
      const name = await nameFor(model, runner, flags, io)
      const talk = () => talkTo(name, { question, flags, options, io, runner })
      await talk().catch(async (error: unknown) => {
        const settings = await readSettings(flags, io.environment)
        if (hasOtherFolder(runner) || !(await offerRepair(error, name, settings, io))) throw error
        await talk()
      })
    } catch (error) {
      throw withRightCommand(error, model)
    } finally {
      await runner.backend.close()
    }
  },
})

interface Talk {
  /** `undefined`: a conversation. */
  readonly question: string | undefined
  readonly flags: RunFlags
  /** Options besides the parameters. */
  readonly options: Partial<AnswerOptions>
  readonly io: Io
  readonly runner: ModelRunner
}

async function talkTo(name: string, { question, flags, options, io, runner }: Talk): Promise<void> {
  if (question !== undefined) return await answerOnce({ name, question, flags, options, io, runner })
  const { startConversation } = await import("../repl/start")
  await startConversation({
    model: name,
    system: flags.system,
    parameters: flags,
    options,
    verbose: flags.verbose === true,
    wrapsWords: flags.nowordwrap !== true,
    hidesThinking: flags.hideThinking === true,
    media: flags.image ?? [],
    io,
    runner,
  })
}

/** The question; `undefined` for a conversation. */
async function readQuestion(words: readonly string[], flags: RunFlags, io: Io): Promise<string | undefined> {
  const piped = io.stdinIsTerminal ? "" : (await io.readInput()).trimEnd()
  const question = [words.join(" "), piped].filter((part) => part.trim() !== "").join("\n\n")
  if (question !== "") return question
  const canTalk = io.stdinIsTerminal && io.stdoutIsTerminal
  if (canTalk && !flags.json) return undefined
  throw new UsageError("run needs a PROMPT here: write it after the model's name, or pipe it in")
}

/**
 * Are its models in another folder than this machine's? Those of a server that the user names are: nothing is downloaded
 * or repaired for it.
 */
function hasOtherFolder({ server }: ModelRunner): boolean {
  return server?.isNamed === true
}

/** The model's name; a missing model is downloaded, except into another folder than this machine's. */
async function nameFor(model: string, runner: ModelRunner, flags: RunFlags, io: Io): Promise<string> {
  if (hasOtherFolder(runner)) return await runner.find(model)
  const settings = await readSettings(flags, io.environment)
  return await findOrPull({ model, settings, io, find: (name) => runner.find(name) })
}

export interface OneShot {
  readonly name: string
  readonly question: string
  readonly flags: RunFlags
  readonly options?: Partial<AnswerOptions>
  readonly io: Io
  readonly runner: ModelRunner
}

export async function answerOnce({ name, question, flags, options, io, runner }: OneShot): Promise<void> {
  using signals = watchSignals()
  const content = await withFiles(question, { name, flags, runner, io })
  const system: readonly ChatMessage[] =
    flags.system === undefined ? [] : [{ role: "system", content: flags.system }]
  const answer = await printAnswer({
    backend: runner.backend,
    io,
    request: toChatRequest(name, [...system, { role: "user", content }], {
      ...answerOptions(flags),
      ...options,
    }),
    signal: AbortSignal.any([signals.signal, io.outputClosed]),
    isTerminal: io.stdoutIsTerminal,
    // The answer is printed as JSON, which has the thinking too.
    hidesThinking: flags.hideThinking === true || flags.json === true,
    wrap: io.stdoutIsTerminal ? wordWrapFor(io, flags.nowordwrap !== true) : undefined,
    write: flags.json ? () => {} : io.write,
  })
  // The shells' exit codes, so that scripts notice that the answer is incomplete.
  if (signals.signal.aborted) process.exitCode = exitCodeOf(signals.signal)
  if (io.outputClosed.aborted) return
  if (flags.json) io.write(toJson(toAnswerObject(name, answer)))
  else if (!answer.text.endsWith("\n")) io.write("\n")
  const full = await fullContext(answer, runner.backend, name)
  if (full !== undefined) {
    const remedy =
      runner.server === undefined
        ? "--ctx sets a larger one"
        : `the server at ${printable(runner.server.name)} sets its size: start it with a larger --ctx`
    io.writeError(`The answer was cut off: the context of ${full} tokens is full; ${remedy}.\n`)
  } else if (answer.reason === "length" && options?.output !== undefined)
    io.writeError("The answer was cut off and is not whole JSON; --max-tokens sets how long it may be.\n")
  if (flags.verbose && answer.usage && answer.timings) {
    io.writeError(`\n${statistics(answer.usage, answer.timings, answer.totalMs)}`)
  }
}

/** The question with the pictures of flags, and of paths in it if the model can see them. */
async function withFiles(
  question: string,
  { name, flags, runner, io }: Pick<OneShot, "name" | "flags" | "runner" | "io">,
): Promise<Content> {
  const named = flags.image ?? []
  if (!mayNameFiles(question)) return contentOf(named, question)
  const { text, media, names, unseen } = takeFiles(question, sensesOf(await runner.backend.show(name)))
  io.writeError(addedText(names) + unseenText(name, unseen))
  return contentOf([...named, ...media], text)
}

/** How long the model stays loaded after an answer, if given. */
function kept({ keepalive }: RunFlags): Pick<AnswerOptions, "keepAliveSeconds"> {
  return keepalive === undefined ? {} : { keepAliveSeconds: keepalive }
}

/** The output of `run --json`, under the HTTP API's names. */
function toAnswerObject(
  model: string,
  { text: answer, reasoning, reason, usage, timings, isInterrupted, totalMs }: PrintedAnswer,
) {
  return {
    model,
    text: answer,
    ...(reasoning !== "" && { reasoning }),
    finish_reason: isInterrupted ? "cancelled" : (reason ?? null),
    usage: usage && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.promptTokens + usage.completionTokens,
      prompt_tokens_details: { cached_tokens: usage.cachedTokens },
      ...(usage.reasoningTokens !== undefined && {
        completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      }),
    },
    timings: timings && {
      queue_ms: timings.queueMs,
      load_ms: timings.loadMs,
      prompt_n: timings.promptTokens,
      prompt_ms: timings.promptMs,
      predicted_n: timings.generatedTokens,
      predicted_ms: timings.generationMs,
      ...(timings.drafts !== undefined && {
        draft_n: timings.drafts.tokens,
        draft_n_accepted: timings.drafts.accepted,
      }),
      total_ms: totalMs,
    },
  }
}
