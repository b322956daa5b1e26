import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Elysia } from "elysia"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { type Digest, isDigest } from "../../store/managed/manifest"
import { parseModelName } from "../../store/names"
import { checkDiskSpace } from "../../store/pull/transfer/disk-space"
import { mayBeSilent } from "../context/idle"
import type { ModelLibrary } from "../context/library"
import { checkIsOwner } from "../context/owner"
import { bodyBytes } from "../read/body/body-bytes"
import { Fields } from "../read/fields"
import { readJsonObject } from "../read/body/json-body"
import { type Reporting, reportProgress } from "../render/progress"
import { BODY_BYTES, TEXTS } from "../../limits"
import type { OllamaContext } from "./context"
import { readCreation } from "./creation"
import { ollamaDialect } from "./dialect"
import { namedModel } from "./models"

/** POST /api/pull, /api/push, /api/create and /api/copy, DELETE /api/delete, HEAD and POST /api/blobs/:digest */
export function ollamaManagementRoutes(context: OllamaContext) {
  const { engine } = context
  return new Elysia({ name: "ollama-management" })
    .post(
      "/api/pull",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const library = libraryOf(context)
        const fields = new Fields(await readJsonObject(request))
        const model = namedModel(fields)
        parseModelName(model)
        const isInsecure = fields.boolean("insecure") ?? false
        mayBeSilent(request, server)
        return await report(request, fields, (signal, onEvent) =>
          library.pull(model, { isInsecure, signal, onEvent }),
        )
      },
      { parse: "none" },
    )
    .post(
      "/api/push",
      () => {
        throw new Unsupported("models cannot be pushed to a registry")
      },
      { parse: "none" },
    )
    .post(
      "/api/create",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const library = libraryOf(context)
        const fields = new Fields(await readJsonObject(request, BODY_BYTES.generation))
        const creation = readCreation(fields, library.store)
        mayBeSilent(request, server)
        return await report(request, fields, (signal, onEvent) =>
          creation.run({ library, signal, report: onEvent }),
        )
      },
      { parse: "none" },
    )
    .post(
      "/api/copy",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const fields = new Fields(await readJsonObject(request))
        const [source, target] = ["source", "destination"].map((name) => {
          const value = fields.text(name, TEXTS.model)
          if (value === undefined || value === "") throw new InvalidRequest(`${name} is required`, name)
          return value
        })
        await libraryOf(context).store.copy(source ?? "", parseModelName(target ?? ""))
        return new Response()
      },
      { parse: "none" },
    )
    .delete(
      "/api/delete",
      async ({ request, server }) => {
        checkIsOwner(request, server)
        const { store } = libraryOf(context)
        const { name, id } = await store.resolve(namedModel(new Fields(await readJsonObject(request))))
        await engine.stop(name)
        await store.remove(name, id)
        return new Response()
      },
      { parse: "none" },
    )
    .head("/api/blobs/:digest", async ({ params }) => {
      const isThere = await libraryOf(context).store.blobs.has(checkedDigest(params.digest))
      return new Response(null, { status: isThere ? 200 : 404 })
    })
    .post(
      "/api/blobs/:digest",
      async ({ params, request, server }) => {
        checkIsOwner(request, server)
        mayBeSilent(request, server)
        const status = await receiveBlob(libraryOf(context), checkedDigest(params.digest), request)
        return new Response(null, { status })
      },
      { parse: "none" },
    )
}

/** @throws Unsupported */
function libraryOf({ library }: OllamaContext): ModelLibrary {
  if (library === undefined) throw new Unsupported("this server does not change the models on disk")
  return library
}

/** @throws InvalidRequest */
function checkedDigest(text: string): Digest {
  const digest = text.toLowerCase()
  if (isDigest(digest)) return digest
  throw new InvalidRequest("a digest has the form sha256: and 64 hexadecimal digits", "digest")
}

/** Stores an uploaded file under its digest. Resolves to 201, or to 200 where it was there already. */
async function receiveBlob({ store }: ModelLibrary, digest: Digest, request: Request): Promise<200 | 201> {
  if (await store.blobs.has(digest)) return 200
  await using workspace = await store.blobs.openWorkspace()
  // Far larger than any other body: only the disk limits it.
  const declared = Number(request.headers.get("content-length") ?? 0)
  await checkDiskSpace(workspace.path, declared)
  const path = join(workspace.path, "upload")
  const hash = createHash("sha256")
  const file = await open(path, "wx", 0o600)
  try {
    let unchecked = 0
    for await (const bytes of bodyBytes(request, Number.MAX_SAFE_INTEGER)) {
      hash.update(bytes)
      await file.write(bytes)
      // The length may be unknown, or wrong where it is compressed.
      unchecked += bytes.length
      if (unchecked < DISK_CHECK_BYTES) continue
      unchecked = 0
      await checkDiskSpace(workspace.path, DISK_CHECK_BYTES)
    }
  } finally {
    await file.close()
  }
  const found = `sha256:${hash.digest("hex")}`
  if (found !== digest)
    throw new InvalidRequest(`digest mismatch, expected "${digest}", got "${found}"`, "digest")
  await store.blobs.addFile(path, { digest, move: true })
  return 201
}

/** How much is written between checks that the disk has room for more. */
const DISK_CHECK_BYTES = 256 * 1024 ** 2

function report(request: Request, fields: Fields, run: Reporting["run"]): Promise<Response> {
  const isStream = fields.boolean("stream") ?? true
  return reportProgress(request, { isStream, run, fail: ollamaDialect.renderStreamError })
}
