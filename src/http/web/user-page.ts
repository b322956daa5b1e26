import { stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { type AnyElysia, Elysia } from "elysia"
import { UsageError } from "../../errors/cli"
import { placeAndReason } from "../../errors/base"

/** A folder of the user's, served in place of our page. */
export class UserPage {
  readonly #folder: string
  readonly #files: AnyElysia

  private constructor(folder: string, files: AnyElysia) {
    this.#folder = folder
    this.#files = files
  }

  /** @throws UsageError if it is not a folder that can be read */
  static async open(path: string): Promise<UserPage> {
    const folder = resolve(path)
    const facts = await stat(folder).catch((error: unknown) => {
      throw new UsageError(`the folder of the page cannot be read: ${placeAndReason(error)}`)
    })
    if (!facts.isDirectory()) throw new UsageError(`${folder} is not a folder`)
    const { staticPlugin } = await import("@elysiajs/static")
    // Without tags: with them the plugin keeps the first response for ever, and sends no 304.
    const plugin = await staticPlugin({
      assets: folder,
      prefix: "/",
      alwaysStatic: false,
      etag: false,
      decodeURI: true,
      silent: true,
    })
    return new UserPage(folder, new Elysia({ systemRouter: false }).use(plugin))
  }

  /** The response with the file of a path; undefined where there is none. Hidden files are not there. */
  async respond(request: Request): Promise<Response | undefined> {
    const path = filePath(new URL(request.url).pathname)
    if (path === undefined) return undefined
    const facts = await stat(join(this.#folder, path)).catch(() => undefined)
    if (facts?.isFile() !== true) return undefined
    const tag = `"${facts.size.toString(16)}-${Math.round(facts.mtimeMs).toString(16)}"`
    const headers = { etag: tag, "cache-control": "no-cache", "x-content-type-options": "nosniff" }
    if (
      request.headers
        .get("if-none-match")
        ?.split(/\s*,\s*/)
        .includes(tag)
    )
      return new Response(null, { status: 304, headers })
    const url = new URL(encodeURI(path), "http://localhost")
    const found = await this.#files.handle(new Request(url.href))
    if (!found.ok) return undefined
    const type = found.headers.get("content-type") ?? "application/octet-stream"
    // Of pages the plugin keeps the length that they had when the server started.
    const body = path.endsWith(".html") ? Bun.file(join(this.#folder, path)) : found.body
    return new Response(body, { headers: { ...headers, "content-type": type } })
  }
}

/** The path of a file below the folder; undefined for one that could lead out of it, or is hidden. */
function filePath(pathname: string): string | undefined {
  let path: string
  try {
    path = decodeURIComponent(pathname)
  } catch {
    return undefined
  }
  const segments = path.split("/").slice(1)
  // Whatever decodes a path once more must find nothing to decode.
  if (/[\0\\%]/.test(path) || segments.some((segment) => segment.startsWith("."))) return undefined
  return path.endsWith("/") ? `${path}index.html` : path
}
