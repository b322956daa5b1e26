import { learnTextMarkers, type TextMarkers } from "./reasoning/answer-text"
import { type LearnedMarkers, learnThinking } from "./reasoning/learn"
import { learnSwitches, type ThinkingSwitches } from "./reasoning/switches"
import { learnTools, type LearnedTools } from "./tools/learn/tools"
import type { RenderProbe } from "./tools/learn/probes"

export interface LearningOptions {
  readonly source: string
  readonly render: RenderProbe
  /** The texts of all control tokens. */
  readonly specialTokens: readonly string[]
  /** The texts of the tokens that end an answer. */
  readonly ends: readonly string[]
}

/**
 * What is learned about a template by rendering probes: each part once, when it is first needed, because every probe
 * takes as long as rendering a prompt.
 */
export class LearnedTemplate {
  readonly #options: LearningOptions
  #foundControls: readonly string[] | undefined
  /** `null`: learned that there is none. */
  #thinking: LearnedMarkers | null | undefined
  #text: TextMarkers | null | undefined
  #switches: ThinkingSwitches | undefined
  #tools: LearnedTools | undefined

  constructor(options: LearningOptions) {
    this.#options = options
  }

  /** The control tokens of the template's source: no others are in what it renders of probes. */
  get #controls(): readonly string[] {
    const { specialTokens, source } = this.#options
    return (this.#foundControls ??= specialTokens.filter((text) => source.includes(text)))
  }

  /** The markers around what the model thinks; `undefined` if it does not. */
  get thinking(): LearnedMarkers | undefined {
    if (this.#thinking === undefined) {
      const { source, render } = this.#options
      this.#thinking = learnThinking(source, render, this.#controls) ?? null
    }
    return this.#thinking ?? undefined
  }

  /** The markers around the text of an answer; `undefined` if it has none. */
  get text(): TextMarkers | undefined {
    if (this.#text === undefined) {
      const { render } = this.#options
      this.#text = learnTextMarkers(render, this.#controls, this.thinking) ?? null
    }
    return this.#text ?? undefined
  }

  get switches(): ThinkingSwitches {
    return (this.#switches ??= learnSwitches(this.#options.render, {
      start: this.thinking?.start ?? "<think>",
    }))
  }

  get tools(): LearnedTools {
    return (this.#tools ??= learnTools({
      ...this.#options,
      controls: this.#controls,
      ...(this.thinking !== undefined && { reasoning: this.thinking }),
      ...(this.text !== undefined && { text: this.text }),
    }))
  }
}
