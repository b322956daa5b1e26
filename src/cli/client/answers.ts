import type { ChatMessage, FinishReason, Timings, Usage } from "../../domain/chat"
import type { InstructionBody } from "../../formats/modelfile/parse"
import type { AnswerOptions } from "../args/parameters"
import type { ModelTexts } from "../show/model-texts"
import type { ModelFacts } from "../show/show-text"

/** One question in its conversation. */
export interface ChatTurn {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly options: AnswerOptions
}

/** What is told while an answer comes. `done` is last; a failure is thrown instead. */
export type AnswerEvent =
  | { readonly type: "loading"; readonly fraction: number }
  | { readonly type: "queued"; readonly position: number }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "finish"; readonly reason: FinishReason }
  | { readonly type: "done"; readonly usage: Usage; readonly timings: Timings }

/** Where `run` gets its answers: an engine in this process, or a server. */
export interface AnswerSource {
  /** It is a server. */
  readonly isRemote: boolean
  /**
   * The name of the model that the user means.
   * @throws ModelNotFound, UsageError for a path where only names are known
   */
  find(model: string): Promise<string>
  /** Loads a model ahead of the first question. */
  load(model: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void>
  answer(turn: ChatTurn, signal: AbortSignal): AsyncIterable<AnswerEvent>
  /** Names of the models that can be asked. */
  models(): Promise<readonly string[]>
  /** The longest conversation with a model, in tokens; `undefined` where that cannot be known. */
  contextLength(model: string): Promise<number | undefined>
  /** What `/show info` shows. */
  facts(model: string): Promise<ModelFacts>
  /** What the model brings along beside its weights. */
  texts(model: string): Promise<ModelTexts>
  /**
   * Makes a model that is another one with more instructions; returns its name.
   * @throws Unsupported where the files are on another machine
   */
  save(base: string, name: string, instructions: readonly InstructionBody[]): Promise<string>
  /**
   * Loads models with a context of so many tokens from now on; the next question loads its model anew.
   * @throws Unsupported where a server decides that
   */
  setContextLength(tokens: number, model: string): Promise<void>
  /** Ends what was started for it. */
  close(): Promise<void>
}
