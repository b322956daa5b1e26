import { DEFAULT_TAG } from "../../names"
import {
  chooseComponents,
  chosen,
  type ChosenFile,
  componentOf,
  type FileChoice,
  fileName,
  folderName,
  isDocument,
  NoChoice,
  type RepositoryFile,
} from "./repository"

/**
 * Files in repositories that belong to no model: images, samples, sources, and weights in formats of other
 * programs.
 */
const BESIDE =
  /\.(md|rst|png|jpe?g|gif|webp|svg|ico|pdf|html?|css|js|ts|py|ipynb|sh|bat|c|cc|cpp|h|wav|mp3|flac|ogg|m4a|mp4|webm|h5|msgpack|ot|pb|tflite|mlmodel|pth?|ckpt|pkl|tar|t?gz|bz2|zip|rar|7z|lock|log|csv|tsv)$/i
const BESIDE_FOLDERS =
  /(^|\/)(test_wavs?|tests?|samples?|examples?|demos?|images?|assets|docs?|runs|logs|__pycache__|coreml|openvino|\.[^/]*)\//i

/** Suffixes that name a graph's number format, after the name of the same graph. */
const VARIANT =
  /[._-](int8|uint8|int4|fp16|float16|fp32|q4f16|q8f16|q4|q8|bnb4|quantized|quant|uint8f16)(?=\.(onnx|ort)(\.data|_data)?$)/i

/** With more than this many folders that each look like a model, the repository is a collection. */
const COLLECTION = 2

/**
 * Chooses the files of a multi-file model by their purpose: weights, the files that belong to them, and documents.
 * A tag names the file or folder of one model among many, or the graphs' number format.
 * @throws NoChoice
 */
export function chooseParts(files: readonly RepositoryFile[], tag: string): FileChoice {
  const useful = files.filter(isUseful)
  const named = tag === DEFAULT_TAG ? undefined : chooseByName(useful, tag)
  if (named !== undefined) return { files: named }
  return chooseAll(useful, tag === DEFAULT_TAG ? undefined : tag)
}

function isUseful({ path }: RepositoryFile): boolean {
  if (isDocument(path)) return true
  return !BESIDE.test(path) && !BESIDE_FOLDERS.test(path) && !fileName(path).startsWith(".")
}

/** The files that start with the tag and documents about them, or everything in a folder of that name. */
function chooseByName(files: readonly RepositoryFile[], tag: string): readonly ChosenFile[] | undefined {
  const lower = tag.toLowerCase()
  const isOfStem = ({ path }: RepositoryFile) => {
    const name = fileName(path).toLowerCase()
    return name === lower || name.startsWith(`${lower}.`)
  }
  const ofStem = files.filter(isOfStem)
  const folders = new Set(ofStem.map(({ path }) => folderName(path)))
  const [folder = ""] = folders
  if (folders.size === 1) {
    const about = files.filter(({ path }) => isDocument(path) && ["", folder].includes(folderName(path)))
    const isImageModel = ofStem.some(({ path }) => /\.(safetensors|sft)$/i.test(path))
    const parts = isImageModel ? chooseComponents(files.filter((file) => !ofStem.includes(file))) : []
    return [...ofStem, ...nearest(about)].map((file) => chosen(file, "file")).concat(parts)
  }
  const isInFolder = ({ path }: RepositoryFile) =>
    `/${folderName(path).toLowerCase()}/`.includes(`/${lower}/`)
  const inFolder = files.filter(isInFolder)
  const [first] = inFolder
  if (first === undefined) return undefined
  const start = `/${folderName(first.path).toLowerCase()}/`.indexOf(`/${lower}/`) + tag.length + 1
  const inside = inFolder.filter(({ path }) => path.slice(0, start) === first.path.slice(0, start))
  const { files: kept } = chooseAll(
    inside.map((file) => ({ ...file, path: file.path.slice(start) })),
    undefined,
  )
  return kept.map((each) => ({ ...each, file: original(each.file, inside, start) }))
}

function original(file: RepositoryFile, inside: readonly RepositoryFile[], start: number): RepositoryFile {
  return inside.find(({ path }) => path.slice(start) === file.path) ?? file
}

/** Of documents with the same name, the one in the deepest folder: a model's own card, not the collection's. */
function nearest(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const byName = Map.groupBy(files, ({ path }) => fileName(path).toLowerCase())
  return [...byName.values()].flatMap(
    (group) => group.toSorted((a, b) => folderName(b.path).length - folderName(a.path).length)[0] ?? [],
  )
}

/** Everything, with one number format per graph. */
function chooseAll(files: readonly RepositoryFile[], variant: string | undefined): FileChoice {
  refuseCollections(files)
  const imageModel = chooseImageModel(files)
  if (imageModel !== undefined && variant === undefined) return { files: imageModel }
  const { kept, note, found } = chooseVariants(withoutDoubles(files), variant)
  if (variant !== undefined && !found) {
    throw new NoChoice(`it has nothing called '${variant}'`, tagsOf(files))
  }
  return {
    files: kept.map((file) => chosen(file, "file", file.path)),
    ...(note !== undefined && { note }),
  }
}

/** Refuses repositories with many tts models, each with its own description. */
function refuseCollections(files: readonly RepositoryFile[]): void {
  const described = files.filter(({ path }) => /\.onnx\.json$/i.test(path))
  if (described.length < COLLECTION) return
  throw new NoChoice(
    `it holds ${described.length} models`,
    described.map(({ path }) => fileName(path).replace(/\.onnx\.json$/i, "")),
  )
}

/** Checkpoints at the top of a repository are complete; the other files are the same in parts. */
function chooseImageModel(files: readonly RepositoryFile[]): readonly ChosenFile[] | undefined {
  const isCheckpoint = ({ path }: RepositoryFile) =>
    folderName(path) === "" &&
    /\.(safetensors|sft)$/i.test(path) &&
    !componentOf(path) &&
    !/-of-\d+\./.test(path)
  const checkpoints = files.filter(isCheckpoint)
  const hasParts = files.some(({ path }) => path === "model_index.json" || componentOf(path) !== undefined)
  if (checkpoints.length === 0 || (!hasParts && checkpoints.length === 1)) return undefined
  const [only, ...others] = checkpoints
  if (only === undefined) return undefined
  if (others.length > 0) {
    throw new NoChoice(
      `it holds ${checkpoints.length} models`,
      checkpoints.map(({ path }) => path.replace(/\.[a-z]+$/i, "")),
    )
  }
  const about = files.filter(({ path }) => isDocument(path) && folderName(path) === "")
  return [only, ...about].map((file) => chosen(file, "file")).concat(chooseComponents(files))
}

/** Drops PyTorch weights that also exist as safetensors. */
function withoutDoubles(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const hasSafetensors = files.some(({ path }) => /\.safetensors$/i.test(path))
  return hasSafetensors
    ? files.filter(({ path }) => !/(^|\/)(pytorch|tf|flax)_model[^/]*\.bin$/i.test(path))
    : files
}

interface Variants {
  readonly kept: readonly RepositoryFile[]
  readonly note: string | undefined
  /** At least one graph has the requested format. */
  readonly found: boolean
}

/**
 * Picks among a graph's number formats: the requested one; otherwise 8 bits for asr models and for graphs that name
 * themselves so, because CPUs run them fastest, and the original format for tts models.
 */
function chooseVariants(files: readonly RepositoryFile[], wanted: string | undefined): Variants {
  const isGraph = ({ path }: RepositoryFile) => /\.(onnx|ort)$/i.test(path)
  const groups = Map.groupBy(files.filter(isGraph), ({ path }) => path.replace(VARIANT, ""))
  const dropped = new Set<string>()
  const taken = new Set<string>()
  let found = false
  for (const group of groups.values()) {
    const formats = group.map(({ path }) => formatOf(path))
    if (wanted !== undefined && formats.includes(wanted.toLowerCase())) found = true
    if (group.length < 2) continue
    const format = preferredFormats(files, wanted).find((each) => formats.includes(each)) ?? formats[0] ?? ""
    if (format !== wanted?.toLowerCase()) taken.add(format || "full precision")
    for (const { path } of group) if (formatOf(path) !== format) dropped.add(path)
  }
  const isDropped = ({ path }: RepositoryFile) =>
    dropped.has(path) || dropped.has(path.replace(/[._]data$/i, ""))
  const note = taken.size === 0 ? undefined : `of several number formats, using ${[...taken].join(", ")}`
  return { kept: files.filter((file) => !isDropped(file)), note, found }
}

/** `""` for a graph whose name has no format. */
function formatOf(path: string): string {
  return VARIANT.exec(path)?.[1]?.toLowerCase() ?? ""
}

function preferredFormats(files: readonly RepositoryFile[], wanted: string | undefined): readonly string[] {
  const requested = wanted === undefined ? [] : [wanted.toLowerCase()]
  return [
    ...requested,
    ...(isVoice(files) ? ["quantized", "", "fp16", "int8"] : ["int8", "quantized", "q8", ""]),
  ]
}

/** Tts models come with speaker styles, phonemes or a vocoder. */
function isVoice(files: readonly RepositoryFile[]): boolean {
  return files.some(({ path }) => /(^|\/)(voices?[./]|espeak-ng-data\/|lexicon|voco|hifigan)/i.test(path))
}

function tagsOf(files: readonly RepositoryFile[]): readonly string[] {
  const formats = files.map(({ path }) => formatOf(path)).filter((format) => format !== "")
  return [...new Set(formats)]
}
