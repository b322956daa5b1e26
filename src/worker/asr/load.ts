import { dirname } from "node:path"
import type { TranscriptionEvent, TranscriptionRequest } from "../../domain/media/transcription"
import { InvalidModelFile, ModelLoadFailed } from "../../errors/model"
import { readModelFolder } from "../../formats/model-folder"
import type { AsrModel } from "../../formats/speech/asr-model"
import { recognizeSpeech } from "../../formats/speech/recognize"
import { locateSpeech } from "../../native/speech-files"
import { engineReason } from "../audio/engine-reason"
import { threadCount, usableCores } from "../cores"
import { multipliesBytes } from "../cpu-features"
import type { LoadMessage, MediaEngine } from "../media-shell"
import { openSherpa } from "../sherpa"
import { speechProvider } from "../speech-provider"
import { deriveAsrFiles } from "./derived-files"
import { AsrEngine } from "./engine"
import { Transcriber } from "./transcriber"
import { findVoiceActivityModel } from "./voice-activity"

const MOST_THREADS = 8

/**
 * Loads an ASR model. First checks everything that would make the engine abort the process.
 * @throws ModelLoadFailed, Unsupported (a build without speech), NativeLibraryError
 */
export async function loadAsr(
  message: LoadMessage<TranscriptionRequest>,
): Promise<MediaEngine<TranscriptionRequest, TranscriptionEvent>> {
  const { model: wanted, environment, settings } = message
  const sherpa = openSherpa(await locateSpeech(environment.runtimeFolder))
  const model = await recognize(wanted.name, wanted.path)
  const threads = threadCount(settings.decodeThreads ?? Math.min(usableCores(), MOST_THREADS))
  // Beside the model, or beside all models: the models folder contains the folder of derived files.
  const modelsFolder = dirname(dirname(wanted.derivedFolder))
  const voiceActivityPath = await findVoiceActivityModel([wanted.path, modelsFolder])
  try {
    const files = await deriveAsrFiles(model.plan, wanted.derivedFolder, multipliesBytes())
    const provider = await speechProvider(environment.runtimeFolder)
    const transcriber = await Transcriber.load(sherpa, model.plan, files, { threads, provider })
    return new AsrEngine({
      sherpa,
      transcriber,
      model,
      threads,
      ...(voiceActivityPath !== undefined && { voiceActivityPath }),
    })
  } catch (error) {
    throw new ModelLoadFailed(wanted.name, engineReason(error), error)
  }
}

async function recognize(name: string, path: string): Promise<AsrModel> {
  try {
    const found = await recognizeSpeech(await readModelFolder(path))
    if (found?.kind === "asr") return found
  } catch (error) {
    if (error instanceof InvalidModelFile) throw new ModelLoadFailed(name, error.message, error)
    throw error
  }
  throw new ModelLoadFailed(name, `${path} is not a speech-to-text model`)
}
