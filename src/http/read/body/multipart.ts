import { createWriteStream } from "node:fs"
import { rm } from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Busboy, type BusboyFileStream } from "@fastify/busboy"
import { reasonOf, XllmError } from "../../../errors/base"
import { StorageFailed } from "../../../errors/engine"
import { Cancelled, InvalidRequest, PayloadTooLarge } from "../../../errors/request"
import { formatSize } from "../../../lib/text/bytes"
import { shorten } from "../../../lib/text/shorten"
import { FORM, SHOWN } from "../../../limits"
import type { RequestContext } from "../../context/request-context"
import { bodyBytes } from "./body-bytes"
import type { JsonObject } from "./json-body"
import type { Uploads } from "./uploads"

/** An uploaded file. It is deleted after the response is finished. */
export interface UploadedFile {
  readonly path: string
  readonly sizeBytes: number
}

/** A form: texts, several of which may have the same name, and files. */
export interface Form {
  readonly texts: ReadonlyMap<string, readonly string[]>
  readonly files: ReadonlyMap<string, readonly UploadedFile[]>
}

export interface FormOptions {
  readonly uploads: Uploads
  readonly requestContext: RequestContext
  /** Names of the file parts to keep; other files are skipped. */
  readonly files: readonly string[]
  /** The largest accepted body. */
  readonly limitBytes: number
}

/**
 * Reads a multipart/form-data body as it arrives: only its texts are kept in memory, and no chunk blocks the event
 * loop.
 * @throws InvalidRequest if it is not a form, incomplete or damaged; Cancelled, and what {@link bodyBytes} throws
 */
export async function readForm(request: Request, options: FormOptions): Promise<Form> {
  const contentType = checkContentType(request.headers.get("content-type"))
  if (request.body === null) throw new InvalidRequest("the request body is empty; it must be a form")
  const form = new FormReader(contentType, options)
  try {
    await form.read(bodyBytes(request, options.limitBytes))
  } catch (error) {
    if (request.signal.aborted) throw new Cancelled()
    if (error instanceof PayloadTooLarge) throw new PayloadTooLarge(options.limitBytes, "limits.upload")
    throw error
  }
  options.requestContext.logModelName(form.texts.get("model")?.[0])
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
  /** Pending writes of files. None of them rejects: the first failure is kept in `#failure`. */
  readonly #writing: Promise<void>[] = []
  /** The contents of all file parts. */
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
      // A destroyed parser does not end its files.
      for (const content of this.#contents) content.destroy()
    }
    await Promise.all(this.#writing)
    if (this.#failure !== undefined) throw this.#failure
  }

  #createParser() {
    const parser = parserFor(this.#contentType)
    // Despite its type, the name may be undefined.
    parser.on("field", (name: string | undefined, value, _nameCut, isCut) => {
      if (!this.#isNamed(name)) return
      if (isCut)
        this.#failure ??= new InvalidRequest(`${name} is longer than ${formatSize(FORM.textBytes)}`, name)
      add(this.texts, name, value)
    })
    parser.on("file", (name: string | undefined, content, fileName: string | undefined) => {
      // Fails when the body is incomplete; the parser reports that too.
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

  /** Returns false if the part's name is missing or too long; the form is refused then. */
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
      // Destroyed in the meantime: it would never end.
      if (content.destroyed) return
      requestContext.afterwards(() => rm(path, { force: true }))
      await pipeline(content, createWriteStream(path, { flags: "wx", mode: 0o600 }))
      add(this.files, name, { path, sizeBytes: content.bytesRead })
    } catch (error) {
      this.#failure ??= asOurs(error)
      // An unread file would block the parser for ever.
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

/**
 * Parser errors mean an invalid body; our own errors stay as they are, and system errors (a full disk) are storage
 * errors.
 */
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

/** The extension of a client's file name, if it is safe to use in another name. */
function endingOf(fileName: string): string {
  return /\.[a-z0-9]{1,8}$/i.exec(fileName)?.[0].toLowerCase() ?? ""
}

/** The types of a form's fields, by name; all others are texts, whose last value counts. */
export interface FormTypes {
  readonly numbers: readonly string[]
  readonly booleans: readonly string[]
  /** May occur several times, and as `name[]`. */
  readonly lists: readonly string[]
}

/**
 * Converts the form's texts to the equivalent JSON object, which is then checked like any other. Values that do not
 * parse remain texts, so that error messages can quote them; empty ones count as absent.
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
