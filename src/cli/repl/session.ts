import type { MediaPart } from "../../domain/chat"
import { modelSettings } from "../../config/sections/model"
import { hasMedia, textOf } from "../../domain/content"
import { UsageError } from "../../errors/cli"
import { WrongModelKind } from "../../errors/model"
import { Cancelled } from "../../errors/request"
import { printModelfile } from "../../formats/modelfile/print"
import { readFormat } from "../args/output-format"
import { parseThink } from "../args/think"
import { modelfileParametersOf, parameterRows, setParameter } from "../args/parameters"
import { addedText, mayNameFiles, mediaFile, sensesOf, takeFiles, unseenText } from "../client/media-files"
import { fullContext, loadingText, printAnswer, type PrintedAnswer } from "../client/print-answer"
import type { ModelRunner } from "../client/runner"
import { withRightCommand } from "../models/wrong-kind"
import { changes, instructionsOfTexts, type ModelTexts, modelTextsOf } from "../../store/model-texts"
import { manifestParameterRows as modelParameterRows, showText } from "../show/show-text"
import { failureText } from "../terminal/failure"
import type { Io } from "../terminal/io"
import { printable, section } from "../terminal/output"
import { startSpinner } from "../terminal/spinner"
import { statistics } from "../terminal/statistics"
import { wordWrapFor } from "../terminal/word-wrap"
import { ContextWindow, isContextFull } from "./context-window"
import type { Conversation } from "./conversation"
import { replHelp } from "./help"
import type { History } from "./history"
import { MessageBuilder } from "./message-builder"
import { parseSlashCommand, type ShowTopic, type SlashCommand } from "./slash-command"
import type { Terminal } from "./terminal"

const PROMPT = ">>> "
const CONTINUED = "... "
const HINT = "Send a message (/? for help)"
/** A parameter of the model rather than of an answer. */
const CONTEXT = "num_ctx"
const EXIT_HINT = "\nUse Ctrl + d or /bye to exit.\n"

export interface SessionOptions {
  readonly conversation: Conversation
  readonly runner: ModelRunner
  readonly terminal: Terminal
  readonly history: History
  readonly io: Io
}

/** An interactive conversation, until the user leaves. */
export class Session {
  readonly #conversation: Conversation
  readonly #runner: ModelRunner
  readonly #terminal: Terminal
  readonly #history: History
  readonly #io: Io
  readonly #builder = new MessageBuilder()
  readonly #window: ContextWindow
  /** Those about the model that were shown already. */
  readonly #warnings = new Set<string>()

  constructor({ conversation, runner, terminal, history, io }: SessionOptions) {
    this.#conversation = conversation
    this.#runner = runner
    this.#terminal = terminal
    this.#history = history
    this.#io = io
    this.#window = new ContextWindow(conversation)
  }

  /** Resolves when the user leaves. */
  async run(): Promise<void> {
    for (;;) {
      const [prompt, hint] = this.#builder.isOpen ? [CONTINUED] : [PROMPT, HINT]
      const entry = await this.#terminal.read(prompt, hint)
      if (entry.type === "end") return this.#terminal.write("\n")
      if (entry.type === "interrupt") this.#interrupted(entry.wasEmpty)
      else if (await this.#takeLine(entry.text)) return
    }
  }

  /** Loads the model while a spinner turns; Ctrl-C cancels. @throws what the runner throws */
  async load(model: string): Promise<void> {
    using watch = this.#terminal.watchInterrupt()
    const spinner = startSpinner(this.#io)
    try {
      const { backend } = this.#runner
      const name = await this.#runner.find(model)
      // Models of every kind can be loaded; the error would otherwise come only with the first question.
      const { kind } = await backend.show(name)
      if (kind !== "text") throw new WrongModelKind(name, kind)
      await backend.preload(name, watch.signal, (fraction) => spinner.say(loadingText(fraction)))
      this.#conversation.model = name
      this.#warnings.clear()
    } catch (error) {
      throw withRightCommand(error, model)
    } finally {
      spinner.stop()
    }
  }

  #interrupted(wasEmpty: boolean): void {
    const dropsMessage = this.#builder.isOpen
    this.#builder.reset()
    this.#terminal.write(wasEmpty && !dropsMessage ? EXIT_HINT : "\n")
  }

  /** @returns true when the user leaves */
  async #takeLine(line: string): Promise<boolean> {
    await this.#history.add(line)
    const result = this.#builder.add(line)
    if (result.type === "more" || result.text.trim() === "") return false
    const command = result.isQuoted ? undefined : parseSlashCommand(result.text)
    if (command?.type === "exit") return true
    try {
      await (command === undefined ? this.#askAbout(result.text) : this.#obey(command))
    } catch (error) {
      if (error instanceof Cancelled) this.#terminal.write("\n")
      else this.#print(`Error: ${failureText(error, this.#io.environment)}\n`)
    }
    return false
  }

  /** Takes paths of pictures out of the question, if the model can see them. */
  async #askAbout(line: string): Promise<void> {
    if (!mayNameFiles(line)) return await this.#askShowing(line, [])
    const { model } = this.#conversation
    const facts = await this.#runner.backend.show(model)
    const { text, media, names, unseen } = takeFiles(line, sensesOf(facts))
    this.#io.writeError(addedText(names) + unseenText(model, unseen))
    await this.#askShowing(text, media)
  }

  async #askShowing(question: string, media: readonly MediaPart[]): Promise<void> {
    const withdraw = this.#conversation.show(media)
    try {
      await this.#ask(question)
    } catch (error) {
      // Asked again, the line names them again.
      withdraw()
      // One of the earlier ones may be what failed, and would fail every question to come.
      if (!(error instanceof Cancelled) && this.#conversation.withdrawAll())
        this.#print("The next question is asked without the files that were added; /image adds them again.\n")
      throw error
    }
  }

  /** When the context is full, the oldest turns are dropped, so that a conversation can go on for ever. */
  async #ask(question: string): Promise<void> {
    const restore = this.#conversation.checkpoint()
    let dropped = this.#window.makeRoom(question)
    for (;;) {
      try {
        await this.#answer(question)
        return this.#reportDropped(dropped)
      } catch (error) {
        const more = isContextFull(error) ? this.#window.makeRoomAfter(error, question) : 0
        dropped += more
        if (more > 0) continue
        // Keeps the turns for the next question: dropping them did not help.
        restore()
        throw error
      }
    }
  }

  async #answer(question: string): Promise<void> {
    using watch = this.#terminal.watchInterrupt()
    const { model } = this.#conversation
    const answer = await printAnswer({
      backend: this.#runner.backend,
      request: this.#conversation.turn(question),
      io: this.#io,
      signal: watch.signal,
      isTerminal: true,
      hidesThinking: this.#conversation.hidesThinking,
      wrap: wordWrapFor(this.#io, this.#conversation.wrapsWords),
      write: (text) => this.#terminal.write(text),
      warn: (warning) => this.#warn(warning),
    })
    this.#conversation.remember(question, answer.text, answer.reasoning)
    this.#terminal.write("\n\n")
    await this.#takeNote(answer, model)
    if (this.#conversation.isVerbose && answer.usage && answer.timings) {
      this.#io.writeError(`${statistics(answer.usage, answer.timings, answer.totalMs)}\n`)
    }
  }

  #warn(warning: string): void {
    if (this.#warnings.has(warning)) return
    this.#warnings.add(warning)
    this.#print(`Warning: ${printable(warning)}\n\n`)
  }

  /** Updates how full the context is, and reports an answer that was cut off. */
  async #takeNote(answer: PrintedAnswer, model: string): Promise<void> {
    const { backend, server } = this.#runner
    const size = await backend.contextLength(model).catch(() => undefined)
    this.#window.answered(answer, size)
    const full = await fullContext(answer, backend, model)
    if (full === undefined) {
      if (answer.reason !== "length" || !this.#conversation.isJson) return
      const remedy = "'/set parameter num_predict' sets how long it may be"
      return this.#print(`The answer was cut off and is not whole JSON; ${remedy}.\n\n`)
    }
    const remedy =
      server === undefined
        ? "set num_ctx for a larger one"
        : `start the server at ${printable(server.name)} with a larger --ctx`
    this.#print(
      `The answer was cut off: the context of ${full} tokens is full. Write 'go on', or ${remedy}.\n\n`,
    )
  }

  #reportDropped(count: number): void {
    if (count === 0) return
    const what =
      count === 1 ? "oldest question and its answer were" : `${count} oldest questions and their answers were`
    this.#print(`The context is full: the ${what} dropped.\n\n`)
  }

  async #obey(command: Exclude<SlashCommand, { type: "exit" }>): Promise<void> {
    const conversation = this.#conversation
    switch (command.type) {
      case "help":
        return this.#terminal.write(`${replHelp(command.topic, this.#io.columns)}\n`)
      case "mistake":
        return this.#say(command.text)
      case "clear":
        conversation.clear()
        this.#window.reset()
        return this.#say("Cleared session context")
      case "set-parameter":
        return await this.#setParameter(command.name, command.values)
      case "set-system":
        conversation.system = command.text
        return this.#say(command.text === "" ? "Removed system message." : "Set system message.")
      case "set-verbose":
        conversation.isVerbose = command.isOn
        return this.#say(`Set '${command.isOn ? "verbose" : "quiet"}' mode.`)
      case "set-wordwrap":
        conversation.wrapsWords = command.isOn
        return this.#say(`Set '${command.isOn ? "wordwrap" : "nowordwrap"}' mode.`)
      case "set-format":
        conversation.output = (await readFormat(command.format)).output
        return this.#say(
          command.format === undefined
            ? "Answers are any text."
            : `Answers are ${command.format === "json" ? "JSON" : `JSON as in ${command.format}`}.`,
        )
      case "set-think":
        conversation.reasoning = parseThink(command.value, "/set think")
        return this.#say(thinkingSet(command.value))
      case "save":
        return await this.#save(command.name)
      case "set-history":
        this.#history.isOn = command.isOn
        return this.#say(`History is ${command.isOn ? "kept" : "not kept"}.`)
      case "show":
        return this.#terminal.write(await this.#shown(command.topic))
      case "load":
        await this.load(command.model)
        conversation.clear()
        this.#window.reset()
        return this.#say(`Loaded model '${printable(conversation.model)}'`)
      case "list":
        return await this.#list(command.prefix)
      case "image":
        conversation.show([mediaFile(command.path)])
        return this.#say(addedText([command.path]).trimEnd())
      default:
        command satisfies never
    }
  }

  async #list(prefix: string): Promise<void> {
    const models = await this.#runner.backend.list()
    const names = models.flatMap(({ name, aliases = [] }) => [name, ...aliases])
    const wanted = names.filter((name) => name.toLowerCase().startsWith(prefix.toLowerCase()))
    this.#terminal.write(wanted.map((name) => `${printable(name)}\n`).join(""))
  }

  async #setParameter(name: string, values: readonly string[]): Promise<void> {
    const conversation = this.#conversation
    if (name === CONTEXT) {
      const tokens = modelSettings.ctx.value.parse(values.join(" "), name)
      if (tokens === null) throw new UsageError(`${name} needs a number: /set parameter ${name} N`)
      conversation.contextLength = tokens
      await this.#runner.setContextLength(tokens, conversation.model)
      this.#window.reset()
    } else {
      conversation.parameters = setParameter(conversation.parameters, name, values)
    }
    this.#say(`Set parameter '${name}' to '${values.join("', '")}'`)
  }

  /** Creates a model from the settings and messages; the conversation continues with the current model. */
  async #save(name: string): Promise<void> {
    const { model, system, messages, parameters, contextLength } = this.#conversation
    const texts = await this.#texts()
    const set = modelfileParametersOf(parameters)
    const all = { ...set.parameters, ...(contextLength !== undefined && { [CONTEXT]: contextLength }) }
    const said = messages.map(({ role, content }) => ({ role, content: textOf(content) }))
    if (messages.some(({ content }) => hasMedia(content)))
      this.#say("Images are not saved with the model, only what was said about them.")
    const { saveModel } = await import("../models/save-model")
    const saved = await saveModel({
      store: await this.#runner.openStore(),
      base: model,
      name,
      instructions: changes({
        system: system === "" ? undefined : system,
        messages: [...texts.messages, ...said],
        parameters: all,
      }),
    })
    if (set.unknown.length > 0) {
      this.#say(`Not model parameters, ignored: ${set.unknown.join(", ")}`)
    }
    this.#say(`Created new model '${printable(saved)}'`)
  }

  async #texts(): Promise<ModelTexts> {
    const { model } = this.#conversation
    const facts = await this.#runner.backend.show(model)
    return modelTextsOf(facts, await this.#runner.fromOf(model))
  }

  async #shown(topic: ShowTopic): Promise<string> {
    const { model, system } = this.#conversation
    if (topic === "info") return showText(await this.#runner.backend.show(model))
    const texts = await this.#texts()
    switch (topic) {
      case "license":
        return ended(texts.license ?? "The model has no license.")
      case "modelfile":
        return printModelfile(instructionsOfTexts(texts))
      case "template":
        return ended(texts.template ?? "The model has no chat template.")
      case "system":
        return ended(system !== "" ? system : (texts.system ?? "There is no system message."))
      case "parameters":
        return this.#shownParameters(texts)
      default:
        return topic satisfies never
    }
  }

  #shownParameters({ parameters: ofModel }: ModelTexts): string {
    const { parameters, contextLength } = this.#conversation
    const set = [
      ...parameterRows(parameters),
      ...(contextLength === undefined ? [] : [[CONTEXT, String(contextLength)] as const]),
    ]
    const sections = [
      ["Model parameters", modelParameterRows(ofModel)],
      ["Parameters that were set", set],
    ] as const
    const shown = sections.filter(([, rows]) => rows.length > 0).map(([title, rows]) => section(title, rows))
    return shown.length === 0 ? "Neither the model nor you have set any parameters.\n" : shown.join("\n")
  }

  /** Prints a message that is not part of the conversation. */
  #print(text: string): void {
    this.#io.writeError(wordWrapFor(this.#io, true)?.add(text) ?? text)
  }

  #say(text: string): void {
    this.#terminal.write(`${text}\n`)
  }
}

function thinkingSet(value: string): string {
  if (value === "true" || value === "false") return `Set '${value === "true" ? "think" : "nothink"}' mode.`
  return `Set 'think' mode to '${value}'.`
}

function ended(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`
}
