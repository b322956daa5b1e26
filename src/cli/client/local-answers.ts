import type { GenerationEvent } from "../../domain/chat"
import type { Engine } from "../../engine"
import { WrongModelKind } from "../../errors/model"
import type { InstructionBody } from "../../formats/modelfile/parse"
import type { Store } from "../../store/contract"
import { nameOf } from "../args/model-path"
import { type ModelTexts, modelTextsOf } from "../show/model-texts"
import type { ModelFacts } from "../show/show-text"
import type { AnswerEvent, AnswerSource, ChatTurn } from "./answers"

/** The polling interval for load progress, in milliseconds; the spinner's own. */
const PROGRESS_MS = 100

/** Answers from an engine in this process. */
export class LocalAnswers implements AnswerSource {
  readonly isRemote = false
  readonly #engine: Engine
  readonly #store: Store

  readonly #useContextLength: (tokens: number) => void

  /** @param useContextLength sets the context size for models that the engine loads from now on */
  constructor(engine: Engine, store: Store, useContextLength: (tokens: number) => void) {
    this.#engine = engine
    this.#store = store
    this.#useContextLength = useContextLength
  }

  find(model: string): Promise<string> {
    return nameOf(model, this.#store)
  }

  async load(model: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
    // The engine loads models of every kind; the error would otherwise come only with the first question.
    const { kind } = await this.#engine.show(model)
    if (kind !== "text") throw new WrongModelKind(model, kind)
    const look = () => onProgress(this.#engine.loaded().find(({ name }) => name === model)?.progress ?? 0)
    const timer = setInterval(look, PROGRESS_MS)
    try {
      await this.#engine.preload(model, signal)
    } finally {
      clearInterval(timer)
    }
  }

  async *answer({ model, messages, options }: ChatTurn, signal: AbortSignal): AsyncGenerator<AnswerEvent> {
    const events = this.#engine.chat(
      {
        kind: "chat",
        model,
        messages,
        n: 1,
        ...options,
        cachePrompt: true,
        returnProgress: false,
        templateArguments: {},
        addGenerationPrompt: true,
        continueFinalMessage: false,
      },
      signal,
    )
    for await (const event of events) {
      const told = toAnswerEvent(event)
      if (told !== undefined) yield told
    }
  }

  async models(): Promise<readonly string[]> {
    return (await this.#engine.list()).flatMap(({ name, aliases = [] }) => [name, ...aliases])
  }

  async contextLength(model: string): Promise<number | undefined> {
    const lengths = await this.#engine.contextLengths([await this.#engine.show(model)])
    return lengths.get(model)?.served
  }

  facts(model: string): Promise<ModelFacts> {
    return this.#engine.show(model)
  }

  async texts(model: string): Promise<ModelTexts> {
    const [{ fromOf }, details] = await Promise.all([
      import("../models/save-model"),
      this.#engine.show(model),
    ])
    return modelTextsOf(details, await fromOf(model, this.#store))
  }

  async save(base: string, name: string, instructions: readonly InstructionBody[]): Promise<string> {
    const { saveModel } = await import("../models/save-model")
    return await saveModel({ store: this.#store, base, name, instructions })
  }

  async setContextLength(tokens: number, model: string): Promise<void> {
    this.#useContextLength(tokens)
    await this.#engine.stop(model)
  }

  close(): Promise<void> {
    return this.#engine.close()
  }
}

function toAnswerEvent(event: GenerationEvent): AnswerEvent | undefined {
  switch (event.type) {
    case "prompt":
    case "progress":
    case "part-start":
    case "part-end":
      return undefined
    case "delta":
      return event.part === "text" ? { type: "text", text: event.text } : undefined
    case "loading":
    case "queued":
    case "finish":
    case "done":
      return event
    default:
      return event satisfies never
  }
}
