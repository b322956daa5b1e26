import { parseSplitName, siblingName } from "../../../formats/gguf/split"
import { DEFAULT_TAG } from "../../names"
import { plainLabel, quantizationIn } from "./quantization"
import {
  chooseComponents,
  chosen,
  componentOf,
  type FileChoice,
  fileName,
  folderName,
  isDocument,
  NoChoice,
  type RepositoryFile,
} from "./repository"

/** The default choice: the usual compromise between size and quality, as in Ollama. */
const USUAL = "Q4_K_M"

/** A model in a repository: one file, or the parts of a split one. */
interface Candidate {
  /** Without folder, part number and extension. */
  readonly stem: string
  readonly folder: string
  readonly files: readonly RepositoryFile[]
  readonly sizeBytes: number
  readonly quantization: string | undefined
  /** The name of the first part missing in the repository; such a model is unusable. */
  readonly missing: string | undefined
}

/**
 * Chooses among a repository's GGUF files by a tag: a quantisation, or the name of a file or folder; `latest`
 * leaves the choice open. Includes an image projector, and the parts of an image model.
 * @param memoryBytes memory for the model and its cache, used where the default quantisation is missing
 * @throws NoChoice
 */
export function chooseGguf(files: readonly RepositoryFile[], tag: string, memoryBytes: number): FileChoice {
  const all = candidatesIn(files)
  const { candidate, note } =
    tag === DEFAULT_TAG
      ? chooseUsual(all, memoryBytes)
      : { candidate: chooseNamed(all, tag), note: undefined }
  const projector = chooseProjector(files, candidate)
  const components = chooseComponents(
    files.filter(({ path }) => !candidate.files.some((file) => file.path === path)),
  )
  return {
    files: [
      ...candidate.files.map((file) => chosen(file, "model")),
      ...(projector === undefined ? [] : [chosen(projector, "projector")]),
      ...components,
      ...files
        .filter(({ path }) => isDocument(path) && folderName(path) === "")
        .map((file) => chosen(file, "file")),
    ],
    ...(note !== undefined && { note }),
  }
}

/** Are there GGUF files that are models, or parts of models? */
export function hasGguf(files: readonly RepositoryFile[]): boolean {
  return candidatesIn(files).length > 0
}

function candidatesIn(files: readonly RepositoryFile[]): readonly Candidate[] {
  const models = files.filter(
    ({ path }) =>
      /\.gguf$/i.test(path) && !isProjector(path) && !/imatrix/i.test(fileName(path)) && !componentOf(path),
  )
  const groups = Map.groupBy(models, ({ path }) => {
    const split = parseSplitName(path)
    return split === undefined ? path : `${split.stem}/${split.parts}`
  })
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const path = parseSplitName(first.path)?.stem ?? first.path.replace(/\.gguf$/i, "")
    const number = (file: RepositoryFile) => parseSplitName(file.path)?.part ?? 1
    return [
      {
        stem: fileName(path),
        folder: folderName(path),
        files: group.toSorted((a, b) => number(a) - number(b)),
        sizeBytes: group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        quantization: quantizationIn(path),
        missing: missingPart(first.path, new Set(group.map(number))),
      },
    ]
  })
}

function missingPart(path: string, there: ReadonlySet<number>): string | undefined {
  const { parts } = parseSplitName(path) ?? { parts: 1 }
  for (let part = 1; part <= parts; part++) {
    if (!there.has(part)) return fileName(siblingName(path, part))
  }
  return undefined
}

/** How a tag may name a model; the first way with a match counts. */
const WAYS: readonly ((candidate: Candidate, tag: string) => boolean)[] = [
  ({ files }, tag) =>
    files.some(({ path }) => [path, fileName(path)].some((name) => name.toLowerCase() === tag)),
  ({ stem }, tag) => stem.toLowerCase() === tag,
  ({ quantization }, tag) => quantization?.toLowerCase() === tag,
  ({ quantization = "" }, tag) => plainLabel(quantization).toLowerCase() === tag,
  ({ folder }, tag) => fileName(folder).toLowerCase() === tag,
]

function chooseNamed(all: readonly Candidate[], tag: string): Candidate {
  const candidates = all.filter(isComplete)
  for (const fits of WAYS) {
    const named = candidates.filter((candidate) => fits(candidate, tag.toLowerCase()))
    if (named.length > 0) return onlyOne(named, `'${tag}' is ambiguous: ${named.length} files match`)
  }
  const meant = all.find((candidate) => WAYS.some((fits) => fits(candidate, tag.toLowerCase())))
  const lack = meant === undefined ? "" : ` that is complete: ${meant.missing} is missing`
  throw new NoChoice(`it has nothing called '${tag}'${lack}`, tagsOf(candidates))
}

function isComplete({ missing }: Candidate): boolean {
  return missing === undefined
}

function chooseUsual(all: readonly Candidate[], memoryBytes: number) {
  const candidates = all.filter(isComplete)
  const [single, ...others] = candidates
  if (single !== undefined && others.length === 0) return { candidate: single, note: undefined }
  for (const fits of WAYS.slice(2, 4)) {
    const usual = candidates.filter((candidate) => fits(candidate, USUAL.toLowerCase()))
    if (usual.length > 0)
      return { candidate: onlyOne(usual, `there are ${usual.length} with ${USUAL}`), note: undefined }
  }
  const bySize = candidates.toSorted((a, b) => b.sizeBytes - a.sizeBytes)
  const largest = bySize.find(({ sizeBytes }) => sizeBytes <= memoryBytes)
  const candidate = largest ?? bySize.at(-1)
  if (candidate === undefined) {
    throw new NoChoice(`it has no complete GGUF file: ${all[0]?.missing ?? "all"} is missing`, [])
  }
  const sameSize = candidates.filter(({ quantization }) => quantization === candidate.quantization)
  onlyOne(sameSize, `there are ${candidates.length} models`)
  const why =
    largest === undefined
      ? "the smallest, although it may not fit in memory"
      : `the largest of ${candidates.length} that fits in memory`
  const what = candidate.quantization ?? candidate.stem
  return { candidate, note: `there is no ${USUAL}; using ${what}, ${why}` }
}

function onlyOne(candidates: readonly Candidate[], reason: string): Candidate {
  const [first, ...others] = candidates
  if (first !== undefined && others.length === 0) return first
  throw new NoChoice(
    reason,
    candidates.map(({ stem }) => stem),
  )
}

/** The valid tags: quantisations where each names one model, otherwise file names. */
function tagsOf(candidates: readonly Candidate[]): readonly string[] {
  const labels = candidates.map(({ quantization }) => quantization)
  const areUnique = labels.every((label) => label !== undefined) && new Set(labels).size === labels.length
  return candidates.map(({ stem, quantization }) => (areUnique ? (quantization ?? stem) : stem))
}

function isProjector(path: string): boolean {
  return /mmproj/i.test(fileName(path))
}

/** Half precision first: a projector is small, and suffers more from quantisation. */
const PROJECTOR_FORMATS = ["F16", "BF16", "Q8_0", "F32"]

function chooseProjector(
  files: readonly RepositoryFile[],
  { folder }: Candidate,
): RepositoryFile | undefined {
  const rank = ({ path }: RepositoryFile) => {
    const format = PROJECTOR_FORMATS.indexOf(quantizationIn(fileName(path)) ?? "")
    const distance = folderName(path) === folder ? 0 : 100
    return distance + (format === -1 ? PROJECTOR_FORMATS.length : format)
  }
  const [best] = files
    .filter(({ path }) => isProjector(path) && /\.gguf$/i.test(path))
    .sort((a, b) => rank(a) - rank(b))
  return best
}
