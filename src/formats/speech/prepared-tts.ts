import { InvalidModelFile } from "../../errors/model"
import type { ModelFolderFile } from "../model-folder"
import type { OnnxModel } from "../onnx/read"
import { findLicense } from "./license"
import { CHINESE, languageOfSpeaker } from "./speaker-language"
import { baseName, field, folderOf, type SpeechFolder } from "./speech-folder"
import { missingSymbols, parseTokens, TokenProblem, type TokenTable } from "./tokens"
import type { EspeakNeeds, TtsFamily, TtsModel, TtsPlan } from "./tts-model"

/** Metadata without which the engine aborts its process. */
const NEEDED_METADATA: Readonly<Record<TtsFamily, readonly string[]>> = {
  vits: ["sample_rate", "n_speakers", "language", "comment"],
  kokoro: ["sample_rate", "n_speakers", "has_espeak", "style_dim"],
  kitten: ["model_type", "sample_rate", "n_speakers", "has_espeak", "style_dim"],
  matcha: ["sample_rate", "n_speakers", "use_eos_bos", "pad_id"],
}

/** The first version of MeloTTS's exports that the engine supports. */
const FIRST_MELO_VERSION = 2

/** Punctuation required by the parser of Kokoro's multilingual tables. */
const KOKORO_PUNCTUATION = [...' ;:,.!?—…"()“”']

/** A voice being examined. */
interface Found {
  readonly folder: SpeechFolder
  readonly family: TtsFamily
  readonly model: ModelFolderFile
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * A voice as published by sherpa-onnx: graphs with metadata, tokens.txt and the other files of its family.
 * @throws InvalidModelFile if something is missing without which the engine would abort
 */
export async function recognizePreparedTts(folder: SpeechFolder): Promise<TtsModel | undefined> {
  const found = await findVoice(folder)
  if (found === undefined) return undefined
  const { family, metadata, model } = found
  checkMetadata(found)
  const tokens = await readTokens(found)
  const frontend = chooseFrontend(found)
  checkSymbols(found, tokens.table, frontend)
  const speakers = await speakerNames(found)
  const lexicons = frontend === "lexicon" ? chooseLexicons(folder, model) : []
  const plan: TtsPlan = {
    family,
    model: model.path,
    tokens: { path: tokens.path },
    ...(family === "kokoro" || family === "kitten" ? { voices: { path: checkStyles(found) } } : {}),
    ...vocoderOf(await findVocoder(found)),
    lexicons,
    ruleFsts: ordered(folder.matching(/\.fst$/i)),
    ruleFars: paths(folder.matching(/\.far$/i)),
    ...espeakOf(found, frontend, speakers, lexicons),
    lengthScale: 1,
  }
  refuseCommas(plan)
  return {
    kind: "tts",
    description: {
      kind: "tts",
      family: family === "vits" ? vitsFlavour(metadata) : family,
      sampleRate: Number(metadata.get("sample_rate")),
      speakers,
      languages: languagesOf(metadata),
      capabilities: ["speech"],
      license: await findLicense(folder),
      files: folder.parts,
    },
    plan,
  }
}

async function findVoice(folder: SpeechFolder): Promise<Found | undefined> {
  const found: Found[] = []
  for (const model of folder.graphs) {
    const graph = await folder.graph(model)
    const family = familyOf(graph)
    if (family !== undefined) found.push({ folder, family, model, metadata: graph.metadata })
  }
  // Quantized copies sound worse and are hardly faster.
  return found.toSorted((left, right) => quality(left.model) - quality(right.model))[0]
}

function quality({ name }: ModelFolderFile): number {
  return /int8|quant|q8/i.test(name) ? 1 : 0
}

function familyOf({ metadata, inputs }: OnnxModel): TtsFamily | undefined {
  const type = metadata.get("model_type") ?? ""
  if (type === "kokoro") return "kokoro"
  if (type === "kitten-tts") return "kitten"
  if (type.startsWith("matcha")) return "matcha"
  const names = inputs.map(({ name }) => name)
  const takes = (...wanted: string[]) => wanted.every((name) => names.includes(name))
  const isVits = takes("noise_scale", "length_scale", "noise_scale_w") || takes("input_lengths", "scales")
  return type === "vits" || isVits ? "vits" : undefined
}

/** The variant of VITS according to its exporter's comment. */
function vitsFlavour(metadata: ReadonlyMap<string, string>): string {
  const comment = metadata.get("comment") ?? ""
  return ["piper", "coqui", "icefall", "melo", "mms"].find((name) => comment.includes(name)) ?? "vits"
}

function checkMetadata({ family, metadata, model, folder }: Found): void {
  const missing = NEEDED_METADATA[family].filter((key) => !metadata.get(key))
  const isRawPiper = missing.includes("sample_rate") && folder.named(`${model.name}.json`) === undefined
  const hint =
    isRawPiper && family === "vits" ? `; a Piper model needs ${baseName(model.name)}.json beside it` : ""
  if (missing.length > 0)
    throw new InvalidModelFile(model.path, `its metadata lacks ${missing.join(", ")}${hint}`)
  for (const key of ["sample_rate", "n_speakers"]) {
    const value = metadata.get(key) ?? ""
    if (!/^\d+$/.test(value) || (key === "sample_rate" && Number(value) === 0))
      throw new InvalidModelFile(model.path, `its metadata gives '${value}' for ${key}`)
  }
  const isOldMelo = Number(metadata.get("version") ?? 0) < FIRST_MELO_VERSION
  if (family === "vits" && vitsFlavour(metadata) === "melo" && isOldMelo)
    throw new InvalidModelFile(model.path, "it is an old export of MeloTTS; get its newest version")
}

async function readTokens({ folder, family, model, metadata }: Found) {
  const file = folder.named(`${folderOf(model.name)}tokens.txt`) ?? folder.matching(/tokens\.txt$/i)[0]
  if (file === undefined) throw new InvalidModelFile(model.path, "tokens.txt is missing beside it")
  try {
    const characters = readsCharacters(family, metadata, folder)
    return { path: file.path, table: parseTokens(await folder.text(file), { characters }) }
  } catch (error) {
    if (error instanceof TokenProblem) throw new InvalidModelFile(file.path, error.message)
    throw error
  }
}

function readsCharacters(
  family: TtsFamily,
  metadata: ReadonlyMap<string, string>,
  folder: SpeechFolder,
): boolean {
  if (family === "kokoro" || family === "kitten") return true
  return metadata.get("frontend") === "characters" || folder.matching(/^lexicon.*\.txt$/i).length === 0
}

/** How text is converted to tokens. */
type Frontend = "characters" | "lexicon" | "espeak"

/** Decides as the engine does. @throws InvalidModelFile if none is possible */
function chooseFrontend({ folder, family, metadata, model }: Found): Frontend {
  const hasLexicon = folder.matching(/^lexicon.*\.txt$/i).length > 0
  if (family === "kitten") return "espeak"
  if (family === "kokoro")
    return hasLexicon && Number(metadata.get("version") ?? 1) >= 2 ? "lexicon" : "espeak"
  if (metadata.get("frontend") === "characters") return "characters"
  const flavour = vitsFlavour(metadata)
  const canEspeak =
    family === "matcha" ? metadata.get("has_espeak") === "1" : ["piper", "coqui", "icefall"].includes(flavour)
  if (hasLexicon) return "lexicon"
  if (canEspeak) return "espeak"
  throw new InvalidModelFile(model.path, "lexicon.txt is missing beside it")
}

/** Checks symbols that the engine looks up without checking. */
function checkSymbols(found: Found, table: TokenTable, frontend: Frontend): void {
  const missing = missingSymbols(table, neededSymbols(found, frontend))
  if (missing.length > 0)
    throw new InvalidModelFile(
      found.model.path,
      `its tokens.txt lacks ${missing.map((symbol) => `'${symbol}'`).join(" and ")}`,
    )
}

function neededSymbols({ family, metadata }: Found, frontend: Frontend): readonly string[] {
  if (family === "kokoro") return Number(metadata.get("version") ?? 1) >= 2 ? KOKORO_PUNCTUATION : []
  if (frontend !== "espeak" || family === "kitten") return []
  if (family === "matcha") return ["^", "$"]
  return vitsFlavour(metadata) === "coqui" ? [","] : ["^", "_", "$"]
}

/** The file of style vectors, if it has exactly the size that the engine accepts. */
function checkStyles({ folder, family, model, metadata }: Found): string {
  const [file] = folder.matching(/^voices.*\.bin$/i)
  if (file === undefined) throw new InvalidModelFile(model.path, "voices.bin is missing beside it")
  const shape = (metadata.get("style_dim") ?? "").split(",").map(Number)
  const dimensions = family === "kokoro" ? 3 : 2
  if (shape.length !== dimensions || !shape.every((size) => Number.isInteger(size) && size > 0))
    throw new InvalidModelFile(model.path, `its metadata gives '${metadata.get("style_dim")}' for style_dim`)
  const values = shape.reduce((product, size) => product * size, Number(metadata.get("n_speakers")))
  if (file.sizeBytes === values * Float32Array.BYTES_PER_ELEMENT) return file.path
  throw new InvalidModelFile(
    file.path,
    `it is ${file.sizeBytes} bytes long, but ${metadata.get("n_speakers")} speakers take ` +
      `${values * Float32Array.BYTES_PER_ELEMENT}`,
  )
}

async function findVocoder({ folder, family, model, metadata }: Found): Promise<string | undefined> {
  if (family !== "matcha" || metadata.get("need_vocoder") === "0") return undefined
  const others = folder.graphs.filter(({ path }) => path !== model.path)
  const [named] = others.filter(({ name }) => /vocos|hifigan|vocoder/i.test(name))
  if (named !== undefined) return named.path
  for (const file of others)
    if ((await folder.graph(file)).inputs.some(({ name }) => /^mels?$/.test(name))) return file.path
  throw new InvalidModelFile(
    model.path,
    "it needs a vocoder beside it, such as vocos-22khz-univ.onnx of sherpa-onnx's 'vocoder-models'",
  )
}

function vocoderOf(vocoder: string | undefined): Pick<TtsPlan, "vocoder"> {
  return vocoder === undefined ? {} : { vocoder }
}

/** All lexicons, but only one for English, preferably American. */
function chooseLexicons(folder: SpeechFolder, model: ModelFolderFile): string[] {
  const files = folder.matching(/^lexicon.*\.txt$/i)
  const american = files.some(({ name }) => name.includes("us-en"))
  const chosen = files.filter(({ name }) => !(american && name.includes("gb-en")))
  if (chosen.length === 0) throw new InvalidModelFile(model.path, "lexicon.txt is missing beside it")
  return paths(chosen)
}

/** Names by id, from the metadata or from Piper's JSON beside the model. */
async function speakerNames({ folder, model, metadata }: Found): Promise<(string | undefined)[]> {
  const count = Math.max(1, Number(metadata.get("n_speakers")))
  const names = (metadata.get("speaker_names") ?? "").split(",").map((name) => name.trim())
  if (names.length === count && names[0] !== "") return names
  const json = folder.named(`${model.name}.json`)
  const map = json && field(await folder.json(json), "speaker_id_map")
  const byNumber = new Map(Object.entries(map ?? {}).map(([name, number]) => [number, name]))
  return Array.from({ length: count }, (_, number) => byNumber.get(number))
}

function espeakOf(
  { folder, family, metadata }: Found,
  frontend: Frontend,
  speakers: readonly (string | undefined)[],
  lexicons: readonly string[],
): { readonly espeak?: EspeakNeeds } {
  if (frontend !== "espeak" && family !== "kokoro") return {}
  const language = metadata.get("voice") || "en-us"
  if (family !== "kokoro" || Number(metadata.get("version") ?? 1) < 2)
    return { espeak: { language, ...folder.espeakData } }
  // Covered by the lexicons; setting a language would turn them off.
  const hasChinese = lexicons.some((path) => baseName(path).includes("zh"))
  const covered = (code: string) => (code === CHINESE ? hasChinese : lexicons.length > 0 && /^en/.test(code))
  const speakerLanguages = speakers
    .map((name) => languageOfSpeaker(name) ?? language)
    .map((code) => (covered(code) ? "" : code))
  return { espeak: { language, speakerLanguages, ...folder.espeakData } }
}

function languagesOf(metadata: ReadonlyMap<string, string>): string[] {
  return (metadata.get("language") ?? metadata.get("voice") ?? "").split(",").filter((each) => each !== "")
}

/** Telephone numbers before dates, dates before other numbers: each rewrites what the next would misread. */
function ordered(files: readonly ModelFolderFile[]): string[] {
  const rank = ({ name }: ModelFolderFile) => {
    const found = ["phone", "date", "number"].findIndex((word) => baseName(name).includes(word))
    return found === -1 ? 3 : found
  }
  return paths(files.toSorted((left, right) => rank(left) - rank(right)))
}

function paths(files: readonly ModelFolderFile[]): string[] {
  return files.map(({ path }) => path)
}

/** The engine takes comma-separated lists of paths. */
function refuseCommas({ lexicons, ruleFsts, ruleFars }: TtsPlan): void {
  const bad = [...lexicons, ...ruleFsts, ...ruleFars].find((path) => path.includes(","))
  if (bad !== undefined) throw new InvalidModelFile(bad, "its path must not have a comma in it")
}
