import type { ImageEvent, ImageRequest } from "../../domain/image"
import type { SpeechEvent, SpeechRequest } from "../../domain/speech"
import type { TranscriptionEvent, TranscriptionRequest } from "../../domain/transcription"
import type { Engine } from "../../engine"
import type { Store } from "../../store/contract"
import { nameOf } from "../args/model-path"
import { withRightCommand } from "../models/wrong-kind"
import type { Io } from "../terminal/io"
import { watchSignals } from "../terminal/signals"
import { chooseSource, startLocal } from "./source"

/** Speech events from a server, which does not report how many samples a part has. */
export type SpokenEvent =
  Exclude<SpeechEvent, { readonly type: "audio" }> | { readonly type: "audio"; readonly bytes: Uint8Array }

/** Where `speak`, `transcribe` and `draw` run: an engine in this process, or a server. */
export interface MediaSource {
  /**
   * Finds the model that the user refers to, and returns its name.
   * @throws ModelNotFound, UsageError for a path where only names are known
   */
  find(model: string): Promise<string>
  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenEvent>
  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscriptionEvent>
  draw(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent>
  /** Stops what was started for it. */
  close(): Promise<void>
}

/** A model to work with; the signal is aborted when the result is no longer needed. */
export interface MediaWork {
  readonly source: MediaSource
  readonly model: string
  readonly signal: AbortSignal
}

/** Exit codes of an interrupted program, by shell convention. */
const EXIT_CODES: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 }

/**
 * Runs `work` with the model that the user refers to. Ends without an error message when the user interrupts it or
 * the output's reader closes it.
 */
export async function withModel(
  model: string,
  flags: Readonly<Record<string, unknown>>,
  io: Io,
  work: (parts: MediaWork) => Promise<void>,
): Promise<void> {
  using signals = watchSignals()
  const signal = AbortSignal.any([signals.signal, io.outputClosed])
  const source = await chooseSource<MediaSource>(model, flags, io, {
    async remote(client) {
      const { RemoteMedia } = await import("./remote-media")
      return new RemoteMedia(client)
    },
    async local(settings) {
      const { engine, store } = await startLocal(settings)
      return new LocalMedia(engine, store)
    },
  })
  try {
    await work({ source, model: await source.find(model), signal })
  } catch (error) {
    if (!signal.aborted) throw withRightCommand(error, model)
    process.exitCode = EXIT_CODES[String(signals.signal.reason)] ?? process.exitCode ?? 0
  } finally {
    await source.close()
  }
}

class LocalMedia implements MediaSource {
  readonly #engine: Engine
  readonly #store: Store

  constructor(engine: Engine, store: Store) {
    this.#engine = engine
    this.#store = store
  }

  find(model: string): Promise<string> {
    return nameOf(model, this.#store)
  }

  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenEvent> {
    return this.#engine.speak(request, signal)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscriptionEvent> {
    return this.#engine.transcribe(request, signal)
  }

  draw(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent> {
    return this.#engine.draw(request, signal)
  }

  close(): Promise<void> {
    return this.#engine.close()
  }
}
