import { reasonOf } from "../errors/base"
import { NativeLibraryError } from "../errors/engine"

declare const kind: unique symbol

/** An engine object; freed when garbage-collected. */
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
  /** In Hz. */
  readonly sampleRate: number
}

export interface SpeakRequest {
  readonly text: string
  readonly generationConfig: {
    /** Speaker id; an id that does not exist is treated as 0. */
    readonly sid: number
    /** Replaces the model's length scale by its inverse, unless it is 1. */
    readonly speed: number
    /** 1: keeps the voice's own pauses. */
    readonly silenceScale: number
    readonly extra?: Readonly<Record<string, string>>
  }
  /** `false`: results are copies that can be transferred and outlive the call. */
  readonly enableExternalBuffer: false
  /** Called with each part as it is produced; return 0 to stop. */
  readonly callback?: (part: { readonly samples: Float32Array; readonly progress: number }) => 0 | 1
}

/** Exactly one family, by its name in sherpa-onnx, with its files and numbers; for some only a path. */
export type FamilyConfig = Readonly<Record<string, Readonly<Record<string, string | number>> | string>>

/** Options common to all model configurations. */
export interface SherpaModelOptions {
  readonly numThreads: number
  readonly provider: "cpu"
}

export interface TtsConfig {
  readonly model: FamilyConfig | SherpaModelOptions
  /** Number of sentences synthesized at once. */
  readonly maxNumSentences: number
  /** As in a request; a request can use 1 only if this is 1. */
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
    /** In seconds, as are the next two. */
    readonly minSpeechDuration: number
    readonly minSilenceDuration: number
    /** Longer speech is cut at shorter silences. */
    readonly maxSpeechDuration: number
    /** In samples. */
    readonly windowSize: number
  }
  readonly sampleRate: number
  readonly numThreads: number
  readonly provider: "cpu"
  readonly debug: 0
}

/**
 * The part of sherpa-onnx's addon in use, in its own names. It aborts the process if a model's metadata or
 * tables are not as it expects, and if ONNX Runtime fails inside a call, the promise never settles: check
 * inputs first, and use one model per process. The synchronous constructors abort where these reject, so they
 * are not declared.
 */
export interface Sherpa {
  readonly version: string
  createOfflineTtsAsync(config: TtsConfig): Promise<TtsHandle>
  getOfflineTtsNumSpeakers(tts: TtsHandle): number
  getOfflineTtsSampleRate(tts: TtsHandle): number
  offlineTtsGenerateAsyncWithConfig(tts: TtsHandle, request: SpeakRequest): Promise<Samples>
  createOfflineRecognizerAsync(config: RecognizerConfig): Promise<RecognizerHandle>
  /** Changes the language and task of some families; the rest of `config` applies only at load. */
  offlineRecognizerSetConfig(recognizer: RecognizerHandle, config: RecognizerConfig): void
  createOfflineStream(recognizer: RecognizerHandle): StreamHandle
  acceptWaveformOffline(stream: StreamHandle, samples: Samples): void
  /** Resolves to the result as JSON. An error inside the model yields an empty text and a line on stderr. */
  decodeOfflineStreamAsync(recognizer: RecognizerHandle, stream: StreamHandle): Promise<string>
  /** Aborts the process if the model is damaged. `bufferSeconds`: capacity for speech not yet taken. */
  createVoiceActivityDetector(config: VadConfig, bufferSeconds: number): VadHandle
  voiceActivityDetectorAcceptWaveform(vad: VadHandle, samples: Float32Array): void
  /** Marks the end of the audio. */
  voiceActivityDetectorFlush(vad: VadHandle): void
  voiceActivityDetectorIsEmpty(vad: VadHandle): boolean
  /** The first stretch of speech; `start`: its first sample. */
  voiceActivityDetectorFront(
    vad: VadHandle,
    enableExternalBuffer: false,
  ): { readonly start: number; readonly samples: Float32Array }
  voiceActivityDetectorPop(vad: VadHandle): void
  createLinearResampler(fromRate: number, toRate: number): ResamplerHandle
  /** `flush` 1: also returns the samples still buffered inside. */
  resampleLinear(resampler: ResamplerHandle, samples: Float32Array, flush: 0 | 1): Float32Array
}

/**
 * Loads the addon at `path`, with its libraries in the same folder.
 * @throws NativeLibraryError with the loader's message
 */
export function openSherpa(path: string): Sherpa {
  const module: { exports: unknown } = { exports: {} }
  try {
    process.dlopen(module, path)
  } catch (error) {
    const words = reasonOf(error)
    throw new NativeLibraryError(`the speech engine cannot be loaded: ${words}`, error)
  }
  return module.exports as Sherpa // typed after the pinned release
}
