import { createWriteStream } from "node:fs"
import { rm } from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Busboy, type BusboyFileStream } from "@fastify/busboy"
import { reasonOf, XllmError } from "../../errors/base"
import { StorageFailed } from "../../errors/engine"
import { Cancelled, InvalidRequest } from "../../errors/request"
import { formatSize } from "../../lib/text/bytes"
import { shorten } from "../../lib/text/shorten"
import { FORM, SHOWN } from "../../limits"
import type { RequestContext } from "../context/request-context"
import { bodyBytes } from "./body-bytes"
import type { JsonObject } from "./json-body"
import type { Uploads } from "./uploads"

/** A file that came with a form. It is removed when its exchange is over. */
export interface UploadedFile {
  readonly path: string
  readonly sizeBytes: number
}

/** A form: texts, which may have come several times under one name, and files. */
export interface Form {
  readonly texts: ReadonlyMap<string, readonly string[]>
  readonly files: ReadonlyMap<string, readonly UploadedFile[]>
}

export interface FormOptions {
  readonly uploads: Uploads
  readonly requestContext: RequestContext
  /** Names of the parts that are files; others are passed over. */
  readonly files: readonly string[]
  /** The largest body that is read. */
  readonly limitBytes: number
}

/**
 * Reads a multipart/form-data body while it comes: nothing but its texts is kept in memory, and no chunk holds the
 * event loop up.
 * @throws InvalidRequest where it is no form, or broken off or damaged; Cancelled, and what {@link bodyBytes} throws
 */
export async function readForm(request: Request, options: FormOptions): Promise<Form> {
  const contentType = checkContentType(request.headers.get("content-type"))
  if (request.body === null) throw new InvalidRequest("the request body is empty; it must be a form")
  const form = new FormReader(contentType, options)
  try {
    await form.read(bodyBytes(request, options.limitBytes))
  } catch (error) {
    if (request.signal.aborted) throw new Cancelled()
    throw error
  }
  options.requestContext.names(form.texts.get("model")?.[0])
  return form
}

function checkContentType(contentType: string | null): string {
  if (contentType !== null && /^multipart\/form-data\s*;.*\bboundary=/i.test(contentType)) return contentType
  const given = contentType === null ? "none" : `'${shorten(contentType, SHOWN.name)}'`
  throw new InvalidRequest(`the Content-Type must be multipart/form-data with a boundary, got ${given}`)
}

class FormReader implements Form {
  readonly texts = new Map<string, string[]>()
  readonly files = new Map<string, UploadedFile[]>()
  readonly #contentType: string
  readonly #options: FormOptions
  /** Files that are being written. None of them rejects: the first failure is kept below. */
  readonly #writing: Promise<void>[] = []
  /** What they are written from. */
  readonly #contents: BusboyFileStream[] = []
  #failure: unknown

  constructor(contentType: string, options: FormOptions) {
    this.#contentType = contentType
    this.#options = options
  }

  async read(body: AsyncIterable<Uint8Array>): Promise<void> {
    const parser = this.#createParser()
    try {
      await pipeline(Readable.from(body), parser)
    } catch (error) {
      this.#failure ??= asOurs(error)
      // Where the parser was given up it ends none of its files.
      for (const content of this.#contents) content.destroy()
    }
    await Promise.all(this.#writing)
    if (this.#failure !== undefined) throw this.#failure
  }

  #createParser() {
    const parser = parserFor(this.#contentType)
    // Its types do not say so, but a part may have no name.
    parser.on("field", (name: string | undefined, value, _nameCut, isCut) => {
      if (!this.#isNamed(name)) return
      if (isCut)
        this.#failure ??= new InvalidRequest(`${name} is longer than ${formatSize(FORM.textBytes)}`, name)
      add(this.texts, name, value)
    })
    parser.on("file", (name: string | undefined, content, fileName: string | undefined) => {
      // Broken off where the body is; the parser says so too.
      content.on("error", () => {})
      this.#contents.push(content)
      if (!this.#isNamed(name) || !this.#options.files.includes(name)) content.resume()
      else this.#writing.push(this.#write(name, content, fileName))
    })
    parser.on("partsLimit", () => {
      this.#failure ??= new InvalidRequest(`the form has more than ${FORM.parts} parts`)
    })
    return parser
  }

  /** False where the part's name is none; the form is refused then. */
  #isNamed(name: string | undefined): name is string {
    if (name === undefined) this.#failure ??= new InvalidRequest("the form has a part without a name")
    else if (name.length > FORM.nameLength)
      this.#failure ??= new InvalidRequest(`the form has a name of more than ${FORM.nameLength} characters`)
    else return true
    return false
  }

  async #write(name: string, content: BusboyFileStream, fileName: string | undefined): Promise<void> {
    const { uploads, requestContext } = this.#options
    try {
      const path = await uploads.newPath(endingOf(fileName ?? ""))
      // Given up in the meantime; nothing would ever come out of it.
      if (content.destroyed) return
      requestContext.afterwards(() => rm(path, { force: true }))
      await pipeline(content, createWriteStream(path, { flags: "wx", mode: 0o600 }))
      add(this.files, name, { path, sizeBytes: content.bytesRead })
    } catch (error) {
      this.#failure ??= asOurs(error)
      // Unread, it would hold the parser up for ever.
      content.resume()
    }
  }
}

/** @throws InvalidRequest */
function parserFor(contentType: string) {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      limits: {
        fieldSize: FORM.textBytes,
        parts: FORM.parts,
        headerPairs: FORM.headers,
        headerSize: FORM.headerBytes,
      },
    })
  } catch (error) {
    throw asOurs(error)
  }
}

/** What the parser says is about the body; our own complaints stay as they are, and the system's (a full disk). */
function asOurs(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof XllmError) return error
  if ("syscall" in error) return new StorageFailed("the uploaded file", error)
  return new InvalidRequest(`the form cannot be read: ${reasonOf(error)}`)
}

function add<V>(map: Map<string, V[]>, name: string, value: V): void {
  const known = map.get(name)
  if (known === undefined) map.set(name, [value])
  else known.push(value)
}

/** What a file's name ends with, as far as it can do no harm in another name. */
function endingOf(fileName: string): string {
  return /\.[a-z0-9]{1,8}$/i.exec(fileName)?.[0].toLowerCase() ?? ""
}

/** How the texts of a form are to be read, by the names of the fields; others are texts, the last one counts. */
export interface FormTypes {
  readonly numbers: readonly string[]
  readonly booleans: readonly string[]
  /** May come several times, and as `name[]`. */
  readonly lists: readonly string[]
}

/**
 * The form's texts as the JSON object that would say the same, to be checked as one. Texts that are not what they
 * should be stay texts, so that the check can show them; empty ones count as absent.
 */
export function toJsonObject({ texts }: Form, { numbers, booleans, lists }: FormTypes): JsonObject {
  const entries = new Map<string, unknown>()
  for (const [given, values] of texts) {
    const name = given.replace(/\[\d*\]$/, "")
    const last = values.at(-1) ?? ""
    if (lists.includes(name)) entries.set(name, [...asList(entries.get(name)), ...values])
    else if (last === "") entries.set(name, undefined)
    else if (numbers.includes(name)) entries.set(name, toNumber(last))
    else if (booleans.includes(name)) entries.set(name, toBoolean(last))
    else entries.set(name, last)
  }
  return Object.fromEntries(entries)
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function toNumber(text: string): number | string {
  const number = text.trim() === "" ? NaN : Number(text)
  return Number.isNaN(number) ? text : number
}

function toBoolean(text: string): boolean | string {
  if (/^(?:true|1)$/i.test(text)) return true
  return /^(?:false|0)$/i.test(text) ? false : text
}
