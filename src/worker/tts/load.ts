import type { SpeechEvent, SpeechRequest } from "../../domain/media/speech"
import { InvalidModelFile, ModelLoadFailed } from "../../errors/model"
import { readModelFolder } from "../../formats/model-folder"
import { recognizeSpeech } from "../../formats/speech/recognize"
import { parseTokens } from "../../formats/speech/tokens"
import type { TtsModel, TtsPlan } from "../../formats/speech/tts-model"
import { locateSpeech } from "../../native/speech-files"
import { engineReason } from "../audio/engine-reason"
import { threadCount, usableCores } from "../cores"
import type { LoadMessage, MediaEngine } from "../media-shell"
import { openSherpa, type TtsConfig } from "../sherpa"
import { deriveTtsFiles, type TtsFiles } from "./derived-files"
import { TtsEngine } from "./engine"
import { type EspeakData, findEspeakData } from "./espeak-data"

/** Small voices are fast enough on one core, and gain little from more: at best 1.5 times with two. */
const MOST_VITS_THREADS = 2
const MOST_THREADS = 8

/** The engine treats 0 as "not set". */
const LEAST_NOISE = 1e-6

/**
 * Loads a voice. First checks everything that would make the engine abort the process.
 * @throws ModelLoadFailed, Unsupported (a build without speech), NativeLibraryError
 */
export async function loadTts(
  message: LoadMessage<SpeechRequest>,
): Promise<MediaEngine<SpeechRequest, SpeechEvent>> {
  const { model, environment, settings } = message
  const sherpa = openSherpa(await locateSpeech(environment.runtimeFolder))
  const voice = await recognize(model.name, model.path)
  const { espeak: needs } = voice.plan
  const espeak = needs && (await findEspeakData(model.name, needs, environment.runtimeFolder))
  const plan = withLanguageName(voice.plan, espeak)
  const files = await deriveTtsFiles(plan, model.derivedFolder)
  const threads = threadCount(settings.decodeThreads ?? defaultThreads(plan))
  const config = configOf(plan, files, espeak, threads)
  try {
    const tts = await sherpa.createOfflineTtsAsync(config)
    const characters = await charactersOf(plan, files)
    const engine = new TtsEngine({
      ...{ sherpa, tts, voice, threads },
      ...(espeak && { espeak }),
      ...(characters && { characters }),
    })
    await engine.warmUp()
    return engine
  } catch (error) {
    throw new ModelLoadFailed(model.name, engineReason(error), error)
  }
}

async function recognize(name: string, path: string): Promise<TtsModel> {
  try {
    const found = await recognizeSpeech(await readModelFolder(path))
    if (found?.kind === "tts") return found
  } catch (error) {
    if (error instanceof InvalidModelFile) throw new ModelLoadFailed(name, error.message, error)
    throw error
  }
  throw new ModelLoadFailed(name, `${path} is not a text-to-speech model`)
}

/** If espeak-ng uses another name for the language than the model's metadata, replaces it in a copy. */
function withLanguageName(plan: TtsPlan, espeak: EspeakData | undefined): TtsPlan {
  const language = plan.espeak?.language.toLowerCase()
  const name = language === undefined ? undefined : espeak?.nameOf(language)
  if (name === undefined || name === language) return plan
  return { ...plan, addedMetadata: { ...plan.addedMetadata, voice: name } }
}

/** Undefined for a voice that speaks phonemes, or words of a lexicon. */
async function charactersOf(
  { espeak, lexicons }: TtsPlan,
  { tokens }: TtsFiles,
): Promise<ReadonlySet<string> | undefined> {
  if (espeak !== undefined || lexicons.length > 0) return undefined
  const table = parseTokens(await Bun.file(tokens).text(), { characters: true })
  return new Set(table.keys())
}

function defaultThreads({ family }: TtsPlan): number {
  return Math.min(usableCores(), family === "vits" ? MOST_VITS_THREADS : MOST_THREADS)
}

function configOf(
  plan: TtsPlan,
  files: TtsFiles,
  espeak: EspeakData | undefined,
  numThreads: number,
): TtsConfig {
  const { family, noise } = plan
  const { model, ...others } = files
  const common = {
    ...others,
    ...(family === "matcha" ? { acousticModel: model } : { model }),
    ...(plan.vocoder !== undefined && { vocoder: plan.vocoder }),
    ...(plan.lexicons.length > 0 && { lexicon: plan.lexicons.join(",") }),
    ...(espeak !== undefined && { dataDir: espeak.folder }),
  }
  const noises = noise && {
    noiseScale: Math.max(LEAST_NOISE, noise.scale),
    noiseScaleW: Math.max(LEAST_NOISE, noise.scaleW),
  }
  return {
    model: { [family]: { ...common, ...noises, ...languageOf(plan, espeak) }, numThreads, provider: "cpu" },
    maxNumSentences: 1,
    silenceScale: 1,
    ruleFsts: plan.ruleFsts.join(","),
    ruleFars: plan.ruleFars.join(","),
  }
}

/** Kokoro refuses to load without a language or lexicon, even though each request names its own. */
function languageOf({ family, espeak, lexicons }: TtsPlan, data: EspeakData | undefined) {
  if (family !== "kokoro" || espeak?.speakerLanguages === undefined || lexicons.length > 0) return {}
  return { lang: data?.nameOf(espeak.language) ?? espeak.language }
}
