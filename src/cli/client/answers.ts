import type { ChatMessage, FinishReason, Timings, Usage } from "../../domain/chat"
import type { InstructionBody } from "../../formats/modelfile/parse"
import type { AnswerOptions } from "../args/parameters"
import type { ModelTexts } from "../show/model-texts"
import type { ModelFacts } from "../show/show-text"

/** A question together with its conversation. */
export interface ChatTurn {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly options: AnswerOptions
}

/** Events while an answer is generated. `done` is last; failures are thrown instead. */
export type AnswerEvent =
  | { readonly type: "loading"; readonly fraction: number }
  | { readonly type: "queued"; readonly position: number }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "finish"; readonly reason: FinishReason }
  | { readonly type: "done"; readonly usage: Usage; readonly timings: Timings }

/** Where `run` gets its answers: an engine in this process, or a server. */
export interface AnswerSource {
  /** Answers come from a server. */
  readonly isRemote: boolean
  /**
   * Finds the model that the user refers to, and returns its name.
   * @throws ModelNotFound, UsageError for a path where only names are known
   */
  find(model: string): Promise<string>
  /** Loads a model before the first question. */
  load(model: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void>
  answer(turn: ChatTurn, signal: AbortSignal): AsyncIterable<AnswerEvent>
  /** Names of the available models. */
  models(): Promise<readonly string[]>
  /** A model's context size in tokens; `undefined` if unknown. */
  contextLength(model: string): Promise<number | undefined>
  /** The facts for `/show info`. */
  facts(model: string): Promise<ModelFacts>
  /** The model's template, system message, licence and the like. */
  texts(model: string): Promise<ModelTexts>
  /**
   * Creates a model from another one with additional instructions; returns its name.
   * @throws Unsupported if its files are on another machine
   */
  save(base: string, name: string, instructions: readonly InstructionBody[]): Promise<string>
  /**
   * Sets the context size, in tokens, for models loaded from now on; the next question reloads its model.
   * @throws Unsupported if a server decides this
   */
  setContextLength(tokens: number, model: string): Promise<void>
  /** Stops what was started for it. */
  close(): Promise<void>
}
