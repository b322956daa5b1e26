import { basename, dirname } from "node:path"
import type { ModelSummary } from "../../domain/model"
import { findQuantizeType } from "../../convert/quantize-types"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { modelfileParameters } from "../../formats/modelfile/parameters"
import type { Instruction, InstructionBody } from "../../formats/modelfile/parse"
import { shorten } from "../../lib/text/shorten"
import { MODEL_TEXTS, SHOWN } from "../../limits"
import type { Store } from "../../store/contract"
import type { CreateEvent } from "../../store/create/create"
import { type Digest, isDigest } from "../../store/managed/manifest"
import { type ModelName, parseModelName } from "../../store/names"
import type { PullEvent } from "../../store/pull/events"
import type { ModelLibrary } from "../context/library"
import { checkList, checkText, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject } from "../read/body/json-body"
import { namedModel } from "./models"

/** A model to be created. */
export interface Creation {
  /** @throws what `createModel` throws */
  run(options: CreationOptions): Promise<ModelSummary>
}

export interface CreationOptions {
  readonly library: ModelLibrary
  readonly signal: AbortSignal
  readonly report: (event: CreateEvent | PullEvent) => void
}

/** What the messages of faults call the source of the instructions. */
const SOURCE = "the request"

const ROLES = ["system", "user", "assistant"] as const

/**
 * Reads the body of `/api/create`: the instructions of a Modelfile as JSON. Files are named by the digests of blobs that
 * were uploaded before; paths have no meaning, so that a client cannot reach other files of the server.
 * @throws InvalidRequest, InvalidModelName, Unsupported
 */
export function readCreation(fields: Fields, store: Store): Creation {
  const name = parseModelName(namedModel(fields))
  for (const unsupported of ["draft_files", "renderer", "parser"])
    if (isGiven(fields.unchecked(unsupported)))
      throw new Unsupported(`${unsupported} is not supported yet`, unsupported)
  const files = blobsOf("files", fields)
  const adapters = blobsOf("adapters", fields)
  const blobs: readonly NamedBlob[] = [...files, ...adapters]
  const bodies: InstructionBody[] = [
    ...sources(fields, store, files, adapters),
    ...texts(fields),
    ...parameters(fields),
    ...messages(fields),
  ]
  const instructions = bodies.map((body, index): Instruction => ({ ...body, line: index + 1 }))
  const quantize = typeIn(fields)
  return { run: (options) => run({ name, instructions, blobs, quantize }, options) }
}

/** The type that weights get: `quantization` is the older name. */
function typeIn(fields: Fields): string | undefined {
  const given = ["quantize", "quantization"].map((name) => fields.text(name, MODEL_TEXTS.line))
  const type = given.find((text) => text !== undefined && text !== "")
  if (type !== undefined) findQuantizeType(type)
  return type
}

interface CreationParts {
  readonly name: ModelName
  readonly instructions: readonly Instruction[]
  readonly blobs: readonly NamedBlob[]
  readonly quantize: string | undefined
}

async function run(
  { name, instructions, blobs, quantize }: CreationParts,
  { library, signal, report }: CreationOptions,
): Promise<ModelSummary> {
  const { createModel } = await import("../../store/create/create")
  const { store } = library
  for (const { field, digest } of blobs)
    if (!(await store.blobs.has(digest)))
      throw new InvalidRequest(`${field}: there is no blob ${digest}; upload it to /api/blobs first`, field)
  const pull = async (reference: string): Promise<string> =>
    (await library.pull(reference, { isInsecure: false, signal, onEvent: report })).name
  return await createModel({
    store,
    name,
    modelfile: { instructions, problems: [], warnings: [] },
    file: SOURCE,
    // Where the blobs are: their names are all that can be found there.
    folder: dirname(store.blobs.pathOf(EMPTY_DIGEST)),
    pull,
    signal,
    report,
    ...(quantize !== undefined && { quantize }),
    ...(library.runJob !== undefined && { runJob: library.runJob }),
  })
}

/** Only for the place of blobs. */
const EMPTY_DIGEST: Digest = `sha256:${"0".repeat(64)}`

function isGiven(value: unknown): boolean {
  if (isJsonObject(value)) return Object.keys(value).length > 0
  return value !== undefined && value !== ""
}

function sources(
  fields: Fields,
  store: Store,
  files: readonly NamedBlob[],
  adapters: readonly NamedBlob[],
): readonly InstructionBody[] {
  const from = fields.text("from", MODEL_TEXTS.line)
  if (from !== undefined && from !== "") parseModelName(from)
  const fileOf = ({ digest }: NamedBlob): string => basename(store.blobs.pathOf(digest))
  if ((from === undefined || from === "") && files.length === 0)
    throw new InvalidRequest("from or files is required: the base of the model", "from")
  if (from !== undefined && from !== "" && files.length > 0)
    throw new InvalidRequest("from and files cannot be combined: both name the base of the model", "files")
  if (adapters.length > 1)
    throw new InvalidRequest(`adapters must have at most 1 entry, got ${adapters.length}`, "adapters")
  return [
    ...(files.length > 0 ? files.map(fileOf) : [from ?? ""]).map(
      (value) => ({ type: "from", value }) as const,
    ),
    ...adapters.map((blob) => ({ type: "adapter", value: fileOf(blob) }) as const),
  ]
}

/** A blob, and the field with its digest. */
interface NamedBlob {
  readonly field: string
  readonly digest: Digest
}

/** The blobs of an object from names to digests, in its order. @throws InvalidRequest */
function blobsOf(field: string, fields: Fields): readonly NamedBlob[] {
  const entries = Object.entries(fields.object(field) ?? {})
  checkList(field, entries, MODEL_TEXTS.parameters)
  return entries.map(([name, digest]) => {
    const path = `${field}.${shorten(name, SHOWN.name)}`
    const text = checkText(path, digest, MODEL_TEXTS.line)
    if (!isDigest(text)) throw invalidField(path, "sha256: and 64 hexadecimal digits", text)
    return { field: path, digest: text }
  })
}

function texts(fields: Fields): readonly InstructionBody[] {
  const template = fields.text("template", MODEL_TEXTS.template)
  const system = fields.text("system", MODEL_TEXTS.system)
  const requires = fields.text("requires", MODEL_TEXTS.line)
  const given = fields.unchecked("license") ?? []
  const licenses = checkList("license", Array.isArray(given) ? given : [given], MODEL_TEXTS.licenses)
  return [
    ...(template === undefined ? [] : [{ type: "template", value: template } as const]),
    ...(system === undefined ? [] : [{ type: "system", value: system } as const]),
    ...(requires === undefined || requires === "" ? [] : [{ type: "requires", value: requires } as const]),
    ...licenses.map((license, index) => {
      const value = checkText(`license[${index}]`, license, MODEL_TEXTS.license)
      return { type: "license", value } as const
    }),
  ]
}

function parameters(fields: Fields): readonly InstructionBody[] {
  const entries = Object.entries(fields.object("parameters") ?? {})
  checkList("parameters", entries, MODEL_TEXTS.parameters)
  return entries.flatMap(([name, value]) => {
    const path = `parameters.${shorten(name, SHOWN.name)}`
    const rule = Object.hasOwn(modelfileParameters, name) ? modelfileParameters[name] : undefined
    if (rule === undefined) throw new InvalidRequest(`${path} is no parameter`, "parameters")
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    const { mostLines = 1 } = rule
    if (values.length > mostLines) throw tooMany(path, mostLines, "values", values.length)
    return values.map((one): InstructionBody => {
      const parsed = typeof one === "object" ? undefined : rule.parse(String(one))
      if (parsed === undefined) throw invalidField(path, rule.rule, one)
      return { type: "parameter", name, value: parsed }
    })
  })
}

function messages(fields: Fields): readonly InstructionBody[] {
  const given = fields.list("messages", MODEL_TEXTS.messages) ?? []
  return given.map((value, index) => {
    const path = `messages[${index}]`
    if (!isJsonObject(value)) throw invalidField(path, "an object", value)
    const message = new Fields(value, `${path}.`)
    const role = message.choice("role", ROLES)
    if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
    return { type: "message", role, content: message.text("content", MODEL_TEXTS.message) ?? "" } as const
  })
}
