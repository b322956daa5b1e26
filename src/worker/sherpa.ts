import { reasonOf } from "../errors/base"
import { NativeLibraryError } from "../errors/engine"

declare const kind: unique symbol

/** An object of the engine; it is freed once nothing refers to it any more. */
export interface Handle<Kind extends string> {
  readonly [kind]: Kind
}

export type TtsHandle = Handle<"tts">
export type ResamplerHandle = Handle<"resampler">
export type RecognizerHandle = Handle<"recognizer">
export type StreamHandle = Handle<"stream">
export type VadHandle = Handle<"vad">

/** Mono, from -1 to 1. */
export interface Samples {
  readonly samples: Float32Array
  /** Hertz. */
  readonly sampleRate: number
}

export interface SpeakRequest {
  readonly text: string
  readonly generationConfig: {
    /** Number of the speaker; one that does not exist is taken for 0. */
    readonly sid: number
    /** Replaces the model's length scale by its inverse, unless it is 1. */
    readonly speed: number
    /** 1: pauses stay as long as the voice makes them. */
    readonly silenceScale: number
    readonly extra?: Readonly<Record<string, string>>
  }
  /** `false`: results are copies, which may be transferred and outlive the call. */
  readonly enableExternalBuffer: false
  /** Called with each part as it is made; 0 stops before the next one. */
  readonly callback?: (part: { readonly samples: Float32Array; readonly progress: number }) => 0 | 1
}

/** Exactly one family, by its name in sherpa-onnx, with its files and numbers; of some a path alone. */
export type FamilyConfig = Readonly<Record<string, Readonly<Record<string, string | number>> | string>>

/** What every configuration of a model has. */
export interface SherpaModelOptions {
  readonly numThreads: number
  readonly provider: "cpu"
}

export interface TtsConfig {
  readonly model: FamilyConfig | SherpaModelOptions
  /** How many sentences are made at a time. */
  readonly maxNumSentences: number
  /** As in a request, which cannot say 1 where this does not. */
  readonly silenceScale: number
  /** Comma-separated paths of finite-state transducers that rewrite the text. */
  readonly ruleFsts?: string
  readonly ruleFars?: string
}

export interface RecognizerConfig {
  readonly featConfig: { readonly sampleRate: number; readonly featureDim: number }
  readonly modelConfig: Readonly<Record<string, FamilyConfig[string] | number>>
  readonly decodingMethod: "greedy_search"
}

export interface VadConfig {
  readonly sileroVad: {
    readonly model: string
    readonly threshold: number
    /** Seconds, as the next two. */
    readonly minSpeechDuration: number
    readonly minSilenceDuration: number
    /** After this it cuts at shorter silences. */
    readonly maxSpeechDuration: number
    /** Samples. */
    readonly windowSize: number
  }
  readonly sampleRate: number
  readonly numThreads: number
  readonly provider: "cpu"
  readonly debug: 0
}

/**
 * What is used of sherpa-onnx's addon, in its own names. It ends the process where a model's metadata or tables are not
 * what it expects, and where ONNX Runtime fails inside a call the promise never settles: check first, and be the only
 * one in the process. The synchronous constructors abort where these reject, so they are not declared.
 */
export interface Sherpa {
  readonly version: string
  createOfflineTtsAsync(config: TtsConfig): Promise<TtsHandle>
  getOfflineTtsNumSpeakers(tts: TtsHandle): number
  getOfflineTtsSampleRate(tts: TtsHandle): number
  offlineTtsGenerateAsyncWithConfig(tts: TtsHandle, request: SpeakRequest): Promise<Samples>
  createOfflineRecognizerAsync(config: RecognizerConfig): Promise<RecognizerHandle>
  /** Languages and tasks of some families; the rest of `config` counts at the load only. */
  offlineRecognizerSetConfig(recognizer: RecognizerHandle, config: RecognizerConfig): void
  createOfflineStream(recognizer: RecognizerHandle): StreamHandle
  acceptWaveformOffline(stream: StreamHandle, samples: Samples): void
  /** Resolves to the result as JSON. Errors inside a family's model give an empty text, and a line on stderr. */
  decodeOfflineStreamAsync(recognizer: RecognizerHandle, stream: StreamHandle): Promise<string>
  /** Aborts the process where the model is damaged. `bufferSeconds`: of sound that waits to be taken. */
  createVoiceActivityDetector(config: VadConfig, bufferSeconds: number): VadHandle
  voiceActivityDetectorAcceptWaveform(vad: VadHandle, samples: Float32Array): void
  /** The sound ends here. */
  voiceActivityDetectorFlush(vad: VadHandle): void
  voiceActivityDetectorIsEmpty(vad: VadHandle): boolean
  /** The first stretch of speech; `start`: its first sample. */
  voiceActivityDetectorFront(
    vad: VadHandle,
    enableExternalBuffer: false,
  ): { readonly start: number; readonly samples: Float32Array }
  voiceActivityDetectorPop(vad: VadHandle): void
  createLinearResampler(fromRate: number, toRate: number): ResamplerHandle
  /** `flush` 1: and what is left inside, after the last sample. */
  resampleLinear(resampler: ResamplerHandle, samples: Float32Array, flush: 0 | 1): Float32Array
}

/**
 * Loads the addon at `path`, whose libraries lie beside it.
 * @throws NativeLibraryError with the loader's words
 */
export function openSherpa(path: string): Sherpa {
  const module: { exports: unknown } = { exports: {} }
  try {
    process.dlopen(module, path)
  } catch (error) {
    const words = reasonOf(error)
    throw new NativeLibraryError(`the speech engine cannot be loaded: ${words}`, error)
  }
  return module.exports as Sherpa // its shape is that of the pinned release
}
