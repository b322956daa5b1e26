import { TranscriptionFailed } from "../../errors/engine"
import type { AsrPlan, LanguageChoice } from "../../formats/speech/asr-model"
import { ASR_SAMPLE_RATE } from "../audio/decoders/decode"
import type { FamilyConfig, RecognizerConfig, RecognizerHandle, Sherpa, StreamHandle } from "../sherpa"
import type { AsrFiles } from "./derived-files"
import { watchErrorOutput } from "./error-output"

/** The options for transcribing a stretch of audio. */
export interface Manner {
  readonly task: "transcribe" | "translate"
  /** Undefined: the model detects it. */
  readonly language: string | undefined
}

/** The result for a stretch of audio. */
export interface Hypothesis {
  readonly text: string
  /** Undefined if the family does not report it. */
  readonly language: string | undefined
  readonly tokens: readonly string[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
  /** The engine may have stopped before the end. */
  readonly isCutOff: boolean
}

/** The longest input for a family with a token limit per second of audio. */
const MOST_SECONDS = 29.4
/** The engine's output when it turns an error into an empty text; captures the error. */
const SWALLOWED = /Caught exception:([^]*?)(?:Return an empty result|$)/
/**
 * Silence appended to a stretch: the end of the last word is recognized better, and more tokens are allowed.
 */
const SILENCE_BEHIND_SECONDS = 0.5
const SILENCE_BEHIND_SHARE = 0.4

/** How the engine computes. */
export interface RunOptions {
  readonly threads: number
  /** See `speechProvider`. */
  readonly provider: string
}

/** A model loaded in sherpa-onnx. Only one call at a time. */
export class Transcriber {
  readonly #sherpa: Sherpa
  readonly #plan: AsrPlan
  readonly #files: AsrFiles
  readonly #runs: RunOptions
  #handle: RecognizerHandle
  /** The engine holds no reference to the streams it works on: they would be garbage-collected meanwhile. */
  readonly #inUse = new Set<StreamHandle>()
  /** The current setting in the engine. */
  #setting: string

  private constructor(
    sherpa: Sherpa,
    plan: AsrPlan,
    files: AsrFiles,
    runs: RunOptions,
    handle: RecognizerHandle,
  ) {
    this.#sherpa = sherpa
    this.#plan = plan
    this.#files = files
    this.#runs = runs
    this.#handle = handle
    this.#setting = JSON.stringify({})
  }

  /** @throws the engine's own error; files that would make it abort the process must be rejected before */
  static async load(sherpa: Sherpa, plan: AsrPlan, files: AsrFiles, runs: RunOptions): Promise<Transcriber> {
    const handle = await sherpa.createOfflineRecognizerAsync(configOf(plan, files, runs, {}))
    return new Transcriber(sherpa, plan, files, runs, handle)
  }

  /** `samples`: at {@link ASR_SAMPLE_RATE}, no longer than the plan's window. */
  async transcribe(samples: Float32Array, manner: Manner): Promise<Hypothesis> {
    const hypothesis = await this.#decode(samples, manner, 0)
    // More silence allows more tokens, but costs as much as speech: few languages need so many.
    return hypothesis.isCutOff ? await this.#decode(samples, manner, SILENCE_BEHIND_SHARE) : hypothesis
  }

  async #decode(samples: Float32Array, manner: Manner, silenceShare: number): Promise<Hypothesis> {
    await this.#set(fieldsOf(this.#plan.language, manner))
    const padded = withSilence(samples, silenceShare)
    const stream = this.#sherpa.createOfflineStream(this.#handle)
    this.#inUse.add(stream)
    this.#sherpa.acceptWaveformOffline(stream, { samples: padded, sampleRate: ASR_SAMPLE_RATE })
    const json = await this.#sherpa.decodeOfflineStreamAsync(this.#handle, stream)
    this.#inUse.delete(stream)
    return this.#toHypothesis(json, padded.length)
  }

  /**
   * Repeats a transcription that returned no text for audible sound: the engine swallows internal errors and
   * returns an empty text.
   * @throws TranscriptionFailed with the engine's message, if any
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

  /** Changes the settings that can change between requests; otherwise reloads the model. */
  async #set(fields: FamilyFields): Promise<void> {
    const setting = JSON.stringify(fields)
    if (setting === this.#setting) return
    const config = configOf(this.#plan, this.#files, this.#runs, fields)
    if (this.#plan.language.how === "load")
      this.#handle = await this.#sherpa.createOfflineRecognizerAsync(config)
    else this.#sherpa.offlineRecognizerSetConfig(this.#handle, config)
    this.#setting = setting
  }

  #toHypothesis(json: string, sampleCount: number): Hypothesis {
    const result = JSON.parse(json) as EngineResult // JSON written by the pinned engine
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

function withSilence(samples: Float32Array, share: number): Float32Array {
  const seconds = samples.length / ASR_SAMPLE_RATE
  const wanted = seconds + Math.max(SILENCE_BEHIND_SECONDS, seconds * share)
  const padded = new Float32Array(
    Math.max(samples.length, Math.round(Math.min(wanted, MOST_SECONDS) * ASR_SAMPLE_RATE)),
  )
  padded.set(samples)
  return padded
}

type FamilyFields = Readonly<Record<string, string | number>>

/** The fields of sherpa-onnx's result in use. */
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

/** A family with a single, unnamed file field takes the path itself. */
function configOf(
  { family, options, modelType }: AsrPlan,
  files: AsrFiles,
  { threads, provider }: RunOptions,
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
      numThreads: threads,
      provider,
      debug: 0,
    },
    decodingMethod: "greedy_search",
  }
}
