import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import { findLicense } from "./license"
import { field, type SpeechFolder } from "./speech-folder"
import { formatTokens } from "./tokens"
import type { TtsModel } from "./tts-model"

/** Start, end and padding of a sentence; if one is missing, the engine hangs in the first request. */
const NEEDED_SYMBOLS = ["^", "_", "$"]

/** Piper's defaults. */
const NOISE_SCALE = 0.667
const NOISE_SCALE_W = 0.8

/** Some old voices have a sample rate that Piper's own exporter treats as a typo. */
const RATE_CORRECTIONS: Readonly<Record<number, number>> = { 22500: 22050 }

/** The fields of a voice's NAME.onnx.json in use. */
interface PiperConfig {
  readonly sampleRate: number
  readonly espeakVoice: string
  readonly language: string
  readonly languageName: string
  readonly noiseScale: number
  readonly noiseScaleW: number
  readonly lengthScale: number
  readonly symbols: ReadonlyMap<string, number>
  readonly speakers: readonly (string | undefined)[]
}

/**
 * A voice as published by Piper: NAME.onnx without metadata, described by NAME.onnx.json.
 * @throws InvalidModelFile if it is an unusable one
 */
export async function recognizePiper(folder: SpeechFolder): Promise<TtsModel | undefined> {
  const voices = folder.graphs.flatMap((model) => {
    const config = folder.named(`${model.name}.json`)
    return config === undefined ? [] : [{ model, config }]
  })
  const described = await Promise.all(
    voices.map(async (voice) => ({ ...voice, json: await folder.json(voice.config) })),
  )
  const [found, second] = described.filter(({ json }) => field(json, "phoneme_id_map") !== undefined)
  if (found === undefined) return undefined
  if (second !== undefined)
    throw new InvalidModelFile(
      second.model.path,
      `there are several text-to-speech models here, ${found.model.name} and ${second.model.name}; put each into a folder of its own`,
    )
  const { metadata } = await folder.graph(found.model)
  if (metadata.has("sample_rate")) return undefined // already prepared for the engine
  const config = parsePiperConfig(found.json, found.config)
  return describePiper(folder, found.model, config)
}

async function describePiper(
  folder: SpeechFolder,
  model: ModelFolderFile,
  config: PiperConfig,
): Promise<TtsModel> {
  return {
    kind: "tts",
    description: {
      kind: "tts",
      family: "piper",
      sampleRate: config.sampleRate,
      speakers: config.speakers,
      languages: [config.language],
      capabilities: ["speech"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan: {
      family: "vits",
      model: model.path,
      addedMetadata: {
        model_type: "vits",
        comment: "piper",
        has_espeak: 1,
        language: config.languageName,
        voice: config.espeakVoice,
        n_speakers: config.speakers.length,
        sample_rate: config.sampleRate,
      },
      tokens: { content: formatTokens(config.symbols) },
      lexicons: [],
      ruleFsts: [],
      ruleFars: [],
      espeak: { language: config.espeakVoice, ...folder.espeakData },
      lengthScale: config.lengthScale,
      noise: { scale: config.noiseScale, scaleW: config.noiseScaleW },
    },
  }
}

/** @throws InvalidModelFile naming the missing or invalid field */
export function parsePiperConfig(json: unknown, { path }: Pick<ModelFolderFile, "path">): PiperConfig {
  const fail = (reason: string) => new InvalidModelFile(path, reason)
  refusePhonemes(json, fail)
  const sampleRate = positive(field(field(json, "audio"), "sample_rate"))
  if (sampleRate === undefined) throw fail("audio.sample_rate is missing or no number above 0")
  const espeakVoice = text(field(field(json, "espeak"), "voice"))
  if (espeakVoice === undefined) throw fail("espeak.voice is missing")
  const symbols = parseSymbols(field(json, "phoneme_id_map"), fail)
  const language = field(json, "language")
  const inference = field(json, "inference")
  return {
    sampleRate: RATE_CORRECTIONS[sampleRate] ?? sampleRate,
    espeakVoice,
    language: text(field(language, "code"))?.replace("_", "-") ?? espeakVoice,
    languageName: text(field(language, "name_english")) ?? espeakVoice,
    noiseScale: fromZero(field(inference, "noise_scale")) ?? NOISE_SCALE,
    noiseScaleW: fromZero(field(inference, "noise_w")) ?? NOISE_SCALE_W,
    lengthScale: positive(field(inference, "length_scale")) ?? 1,
    symbols,
    speakers: parseSpeakers(json, fail),
  }
}

/** Voices for plain text, pinyin and others need a phonemizer that is not included. */
function refusePhonemes(json: unknown, fail: (reason: string) => InvalidModelFile): void {
  const type = text(field(json, "phoneme_type"))?.toLowerCase().replace("phonemetype.", "")
  if (type !== undefined && type !== "espeak")
    throw fail(`phoneme_type is '${type}'; only models for 'espeak' are supported`)
}

/**
 * The first id of each symbol. Symbols of several code points are dropped: espeak-ng emits single code
 * points, so they never occur, and the engine would abort because of them.
 */
function parseSymbols(map: unknown, fail: (reason: string) => InvalidModelFile): Map<string, number> {
  const symbols = new Map<string, number>()
  for (const [symbol, ids] of Object.entries(typeof map === "object" && map !== null ? map : {})) {
    const id: unknown = Array.isArray(ids) ? ids[0] : ids
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0)
      throw fail(`phoneme_id_map has no number for '${symbol}'`)
    if ([...symbol].length === 1 && (symbol === " " || symbol.trim() !== "")) symbols.set(symbol, id)
  }
  const missing = NEEDED_SYMBOLS.filter((symbol) => !symbols.has(symbol))
  if (missing.length > 0)
    throw fail(`phoneme_id_map lacks ${missing.map((each) => `'${each}'`).join(" and ")}`)
  return symbols
}

function parseSpeakers(json: unknown, fail: (reason: string) => InvalidModelFile): (string | undefined)[] {
  const count = field(json, "num_speakers") ?? 1
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > 100_000)
    throw fail(`num_speakers must be a whole number above 0, got ${JSON.stringify(count)}`)
  const speakers = Array.from({ length: count }, (): string | undefined => undefined)
  for (const [name, id] of Object.entries(field(json, "speaker_id_map") ?? {})) {
    if (typeof id !== "number" || !(id in speakers))
      throw fail(`speaker_id_map gives '${name}' the number ${JSON.stringify(id)}, but there are ${count}`)
    speakers[id] = name
  }
  return speakers
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined
}

function fromZero(value: unknown): number | undefined {
  return value === 0 ? 0 : positive(value)
}
