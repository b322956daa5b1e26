import { Type } from "typebox"
import { Compile } from "typebox/compile"
import { InvalidArchive } from "../../errors/store"
import { tryJson } from "../../lib/json"

/**
 * An archive is a tar file, compressed with zstd, that `tar` and `sha256sum -c` can read too. Its entries, in this
 * order: the checksums of all others, the description of the model, a Modelfile for people, and the files of the
 * model, named by their digests.
 */
export const SUMS_ENTRY = "SHA256SUMS"
export const DESCRIPTION_ENTRY = "model.json"
export const MODELFILE_ENTRY = "Modelfile"

/** Limit for entries other than files of the model; licences and templates are far smaller. */
export const MAX_TEXT_BYTES = 16 * 1024 ** 2

const BLOB_ENTRY = /^blobs\/sha256-([0-9a-f]{64})$/
const SUMS_LINE = /^([0-9a-f]{64}) [ *](.+)$/

/** The entry name of a model's file. `hex`: its SHA-256. */
export function blobEntry(hex: string): string {
  return `blobs/sha256-${hex}`
}

/** The digest in an entry's name; undefined where the entry is not a file of the model. */
export function sumOfBlobEntry(path: string): string | undefined {
  return BLOB_ENTRY.exec(path)?.[1]
}

/** Checksums in hex by entry name, in the format of `sha256sum`. */
export function printSums(sums: ReadonlyMap<string, string>): string {
  return [...sums].map(([path, hex]) => `${hex}  ${path}\n`).join("")
}

/**
 * @throws InvalidArchive where a line is not in the format of `sha256sum`, or names an entry that no archive has
 */
export function parseSums(text: string, archive: string): ReadonlyMap<string, string> {
  const sums = new Map<string, string>()
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, hex = "", path = ""] = SUMS_LINE.exec(line) ?? []
    const isKnown = path === DESCRIPTION_ENTRY || path === MODELFILE_ENTRY || sumOfBlobEntry(path) === hex
    if (!isKnown || hex === "")
      throw new InvalidArchive(archive, `${SUMS_ENTRY} has the line '${line.slice(0, 200)}'`)
    if (sums.has(path)) throw new InvalidArchive(archive, `${SUMS_ENTRY} names '${path}' twice`)
    sums.set(path, hex)
  }
  if (!sums.has(DESCRIPTION_ENTRY))
    throw new InvalidArchive(archive, `${SUMS_ENTRY} has no checksum of ${DESCRIPTION_ENTRY}`)
  return sums
}

/** The content of `model.json`; the manifest is checked on installation. */
export interface ArchiveDescription {
  readonly name: string
  readonly manifest: unknown
}

const description = Compile(
  Type.Object({
    format: Type.Literal("xllm-model"),
    version: Type.Number(),
    name: Type.String({ minLength: 1, maxLength: 1024 }),
    manifest: Type.Unknown(),
  }),
)

/** The version of the layout; readers accept only their own. */
const VERSION = 1

export function printDescription({ name, manifest }: ArchiveDescription): string {
  return `${JSON.stringify({ format: "xllm-model", version: VERSION, name, manifest }, undefined, 2)}\n`
}

/** @throws InvalidArchive where it is not the output of {@link printDescription} */
export function parseDescription(text: string, archive: string): ArchiveDescription {
  const found = tryJson(text)
  if (!description.Check(found))
    throw new InvalidArchive(archive, `${DESCRIPTION_ENTRY} is not what xLLM writes`)
  if (found.version !== VERSION) {
    const what = `it was written in version ${found.version} of the format, and this xLLM reads version ${VERSION}`
    throw new InvalidArchive(archive, what)
  }
  return { name: found.name, manifest: found.manifest }
}
