import { type AnyElysia, Elysia, NotFoundError } from "elysia"
import { NotFound } from "../../errors/request"
import { pathOf } from "../context/request-context"
import type { CurrentSettings } from "../context/settings"
import { loadPage } from "./embedded"
import { FILES_PATH, INDEX, type PageFile } from "./page-file"
import { respondWith } from "./respond"
import type { UserPage } from "./user-page"

export interface WebOptions {
  readonly version: string
  readonly settings: CurrentSettings
  /** Served at `/` in place of our page, which is then only at `/ui`. */
  readonly userPage: UserPage | undefined
}

/** Does a client ask for a page to show? */
export function isBrowser(headers: Headers): boolean {
  return headers.get("accept")?.includes("text/html") ?? false
}

/** GET / and /ui, and the files of the page. With a page of the user's, every path that is no other route. */
export function webRoutes({ version, settings, userPage }: WebOptions) {
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined
  /** @throws NotFound where there is no such file, or no page */
  const file = async (name: string, request: Request): Promise<Response> => {
    files ??= loadPage().then((all) => new Map(all.map((each) => [each.name, each])))
    const found = settings().web ? (await files).get(name) : undefined
    if (found === undefined) throw new NotFound(request.method, pathOf(request))
    return respondWith(found, request)
  }
  const index = ({ request }: { readonly request: Request }) => file(INDEX, request)
  const routes: AnyElysia = new Elysia({ name: "web" })
    .get(FILES_PATH.slice(0, -1), index)
    .get(`${FILES_PATH}*`, ({ request, params }) => file(params["*"] === "" ? INDEX : params["*"], request))
  if (userPage !== undefined)
    return routes
      .get("/", async ({ request }) => {
        const found = await userPage.respond(request)
        if (found === undefined) throw new NotFound(request.method, "/")
        return found
      })
      .get("/*", async ({ request }) => {
        const found = await userPage.respond(request)
        // As without this route: the path may exist for other methods.
        if (found === undefined) throw new NotFoundError()
        return found
      })
  return routes.get("/", async ({ request, set }) => {
    const isPage = isBrowser(request.headers)
    if (isPage && settings().web) return await file(INDEX, request)
    // Ollama's clients look for its words.
    const text = isPage ? `xLLM ${version} is running\n` : "Ollama is running"
    set.headers["vary"] = [set.headers["vary"], "Accept"].filter((name) => name !== undefined).join(", ")
    return text
  })
}
