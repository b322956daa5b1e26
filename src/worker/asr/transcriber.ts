import { TranscriptionFailed } from "../../errors/engine"
import type { AsrPlan, LanguageChoice } from "../../formats/speech/asr-model"
import { ASR_SAMPLE_RATE } from "../audio/decoders/decode"
import type { FamilyConfig, RecognizerConfig, RecognizerHandle, Sherpa, StreamHandle } from "../sherpa"
import type { AsrFiles } from "./derived-files"
import { watchErrorOutput } from "./error-output"

/** What a stretch is asked for. */
export interface Manner {
  readonly task: "transcribe" | "translate"
  /** Undefined: the model finds out. */
  readonly language: string | undefined
}

/** What the engine heard in a stretch. */
export interface Hypothesis {
  readonly text: string
  /** Undefined where the family does not tell. */
  readonly language: string | undefined
  readonly tokens: readonly string[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
  /** It may have stopped before the end. */
  readonly isCutOff: boolean
}

/** The longest input of the family that gives up after some tokens for each second. */
const MOST_SECONDS = 29.4
/** What the engine writes when it gives an empty text for an error, and the error in it. */
const SWALLOWED = /Caught exception:([^]*?)(?:Return an empty result|$)/
/** Silence behind a stretch: the end of the last word is heard better, and more tokens are allowed. */
const SILENCE_BEHIND_SECONDS = 0.5
const SILENCE_BEHIND_SHARE = 0.4

/** One model in sherpa-onnx. Only one call at a time. */
export class Transcriber {
  readonly #sherpa: Sherpa
  readonly #plan: AsrPlan
  readonly #files: AsrFiles
  readonly #threads: number
  #handle: RecognizerHandle
  /** The engine does not hold what it works on: unreferenced, it would be freed meanwhile. */
  readonly #inUse = new Set<StreamHandle>()
  /** As it is set in the engine. */
  #setting: string

  private constructor(
    sherpa: Sherpa,
    plan: AsrPlan,
    files: AsrFiles,
    threads: number,
    handle: RecognizerHandle,
  ) {
    this.#sherpa = sherpa
    this.#plan = plan
    this.#files = files
    this.#threads = threads
    this.#handle = handle
    this.#setting = JSON.stringify({})
  }

  /** @throws the engine's own error; what it would end the process over has been checked before */
  static async load(sherpa: Sherpa, plan: AsrPlan, files: AsrFiles, threads: number): Promise<Transcriber> {
    const handle = await sherpa.createOfflineRecognizerAsync(configOf(plan, files, threads, {}))
    return new Transcriber(sherpa, plan, files, threads, handle)
  }

  /** `samples`: at {@link ASR_SAMPLE_RATE}, no longer than the plan's window. */
  async transcribe(samples: Float32Array, manner: Manner): Promise<Hypothesis> {
    await this.#set(fieldsOf(this.#plan.language, manner))
    const padded = this.#withSilence(samples)
    const stream = this.#sherpa.createOfflineStream(this.#handle)
    this.#inUse.add(stream)
    this.#sherpa.acceptWaveformOffline(stream, { samples: padded, sampleRate: ASR_SAMPLE_RATE })
    const json = await this.#sherpa.decodeOfflineStreamAsync(this.#handle, stream)
    this.#inUse.delete(stream)
    return this.#toHypothesis(json, padded.length)
  }

  /**
   * Hears once more what gave no text although there is something to hear: inside, the engine swallows errors and has
   * no text then.
   * @throws TranscriptionFailed with the engine's own words, where there are any
   */
  async transcribeAgain(samples: Float32Array, manner: Manner): Promise<Hypothesis> {
    let hypothesis: Hypothesis | undefined
    const complaints = await watchErrorOutput(async () => {
      hypothesis = await this.transcribe(samples, manner)
    })
    const swallowed = SWALLOWED.exec(complaints ?? "")?.[1]
    if (hypothesis === undefined || (hypothesis.text === "" && swallowed !== undefined))
      throw new TranscriptionFailed(swallowed?.replace(/\s+/g, " ").trim() || "the engine gave no reason")
    return hypothesis
  }

  /** Changes what may change between requests, or loads the model anew. */
  async #set(fields: FamilyFields): Promise<void> {
    const setting = JSON.stringify(fields)
    if (setting === this.#setting) return
    const config = configOf(this.#plan, this.#files, this.#threads, fields)
    if (this.#plan.language.how === "load")
      this.#handle = await this.#sherpa.createOfflineRecognizerAsync(config)
    else this.#sherpa.offlineRecognizerSetConfig(this.#handle, config)
    this.#setting = setting
  }

  #withSilence(samples: Float32Array): Float32Array {
    const seconds = samples.length / ASR_SAMPLE_RATE
    const share = this.#plan.tokensPerSecond === undefined ? 0 : SILENCE_BEHIND_SHARE
    const wanted = seconds + Math.max(SILENCE_BEHIND_SECONDS, seconds * share)
    const padded = new Float32Array(
      Math.max(samples.length, Math.round(Math.min(wanted, MOST_SECONDS) * ASR_SAMPLE_RATE)),
    )
    padded.set(samples)
    return padded
  }

  #toHypothesis(json: string, sampleCount: number): Hypothesis {
    const result = JSON.parse(json) as EngineResult // written by the pinned engine
    const { tokensPerSecond } = this.#plan
    const mostTokens = tokensPerSecond && Math.floor((sampleCount / ASR_SAMPLE_RATE) * tokensPerSecond)
    return {
      text: result.text.trim(),
      language: /^(?:<\|)?([a-z]{2,3})(?:\|>)?$/.exec(result.lang)?.[1],
      tokens: result.tokens,
      timestamps: result.timestamps,
      durations: result.durations,
      isCutOff: mostTokens !== undefined && result.tokens.length >= mostTokens - 1,
    }
  }
}

type FamilyFields = Readonly<Record<string, string | number>>

/** What of sherpa-onnx's result is used. */
interface EngineResult {
  readonly text: string
  readonly lang: string
  readonly tokens: readonly string[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
}

function fieldsOf(choice: LanguageChoice, { task, language }: Manner): FamilyFields {
  switch (choice.how) {
    case "none":
      return {}
    case "load":
      return language === undefined ? {} : { [choice.field]: language }
    case "each-request": {
      const { field, taskField, targetField } = choice
      return {
        ...(language !== undefined && { [field]: language }),
        ...(taskField !== undefined && task !== "transcribe" && { [taskField]: task }),
        ...(targetField !== undefined && { [targetField]: task === "translate" ? "en" : (language ?? "en") }),
      }
    }
  }
}

/** A family whose only file has no name for its field takes the path itself. */
function configOf(
  { family, options, modelType }: AsrPlan,
  files: AsrFiles,
  numThreads: number,
  fields: FamilyFields,
): RecognizerConfig {
  const path = files.fields[""]
  const config: FamilyConfig = { [family]: path ?? { ...files.fields, ...options, ...fields } }
  return {
    featConfig: { sampleRate: ASR_SAMPLE_RATE, featureDim: 80 },
    modelConfig: {
      ...config,
      tokens: files.tokens,
      ...(modelType !== undefined && { modelType }),
      numThreads,
      provider: "cpu",
      debug: 0,
    },
    decodingMethod: "greedy_search",
  }
}
