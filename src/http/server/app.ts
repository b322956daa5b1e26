import { type AnyElysia, Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import type { Logger } from "../../log/logger"
import { Activity } from "../../metrics/activity"
import type { Metrics } from "../../metrics/metrics"
import { KnownRoutes } from "../context/known-routes"
import { ModelDescriptions } from "../context/model-descriptions"
import { RequestsInProgress } from "../context/requests-in-progress"
import type { RequestContext } from "../context/request-context"
import type { ModelLibrary } from "../context/library"
import type { OwnerReports } from "../context/owner"
import { type CurrentSettings, DEFAULT_HTTP_SETTINGS } from "../context/settings"
import type { ImageFiles } from "../image-files/image-files"
import { imageFileRoutes } from "../image-files/route"
import { anthropicModels } from "../anthropic/models"
import { anthropicRequestIds } from "../anthropic/request-ids"
import { anthropicRoutes } from "../anthropic/routes"
import { nativeCompletionRoutes } from "../llama-server/completion"
import { nativeEmbeddingRoutes } from "../llama-server/embeddings"
import { loraAdapterRoutes } from "../llama-server/lora-adapters"
import { nativeModelRoutes } from "../llama-server/models"
import { promptRoutes } from "../llama-server/prompts"
import { slotActionRoutes } from "../llama-server/slots"
import { serverStatusRoutes } from "../llama-server/status"
import { nativeTokenRoutes } from "../llama-server/tokens"
import { ollamaEmbeddingRoutes } from "../ollama/embeddings"
import { ollamaGenerationRoutes } from "../ollama/generation"
import { ollamaManagementRoutes } from "../ollama/management"
import { ollamaModelRoutes } from "../ollama/models"
import { speechRoutes } from "../openai/audio/speech"
import { voiceRoutes } from "../openai/audio/voices"
import { transcriptionRoutes } from "../openai/audio/transcriptions"
import { chatRoutes } from "../openai/chat"
import { completionRoutes } from "../openai/completions"
import { toEmbeddingCall } from "../openai/embeddings/embedding-call"
import { embeddingRoutes } from "../openai/embeddings/embeddings"
import { rerankRoutes } from "../openai/embeddings/rerank"
import { imageRoutes } from "../openai/images/images"
import { listModels, modelRoutes } from "../openai/models"
import { responseRoutes } from "../openai/responses/routes"
import { toChatCall, toRenderRequest } from "../openai/translate"
import { auth, type RouteAccess } from "../plugins/auth"
import { cors } from "../plugins/cors"
import { errors } from "../plugins/errors"
import { gzip } from "../plugins/gzip"
import { hosts } from "../plugins/hosts"
import { pages } from "../plugins/pages"
import { requestContexts } from "../plugins/request-contexts"
import type { Uploads } from "../read/body/uploads"
import type { ResponseStore } from "../response-store/response-store"
import { controlRoutes } from "../v0/control"
import { eventRoutes } from "../v0/events"
import { managementRoutes } from "../v0/management"
import { metricsRoutes } from "../v0/metrics"
import { modelListRoutes } from "../v0/models"
import { Pulls } from "../v0/pulls"
import { statusRoutes } from "../v0/status"
import { tokenRoutes } from "../v0/tokens"
import { isBrowser, webRoutes } from "../web/routes"
import type { UserPage } from "../web/user-page"
import { logExchange } from "./access-log"
import { policyOf } from "./routes"

export interface AppOptions {
  readonly engine: Engine
  readonly version: string
  readonly startedAt: Date
  readonly log: Logger
  /** Holds uploaded files while their requests run. */
  readonly uploads: Uploads
  /** Holds generated images. */
  readonly images: ImageFiles
  /** Holds answers that later requests may continue. */
  readonly responses: ResponseStore
  /** Called for every request; default: `DEFAULT_HTTP_SETTINGS`. */
  readonly settings?: CurrentSettings
  /** Changes the models on disk; absent: routes that would are refused. */
  readonly library?: ModelLibrary
  /** What only the owner of the server may see; absent: routes that show it are refused. */
  readonly owner?: OwnerReports
  /** Aborted when the server is told to stop. */
  readonly closing?: AbortSignal
  /** A folder that is served at `/` in place of the web page. */
  readonly userPage?: UserPage | undefined
  /** Counts requests, and is served by /metrics; absent: no metrics. */
  readonly metrics?: Metrics
}

/** Routes that llama-server's clients also call without `/v1`. */
const UNVERSIONED = [
  "/v1/chat/completions",
  "/v1/audio/transcriptions",
  "/v1/responses",
  "/v1/responses/input_tokens",
]

/** All routes of the server. Does not listen: see {@link listen}. */
export function createApp({ engine, version, startedAt, log, metrics, ...options }: AppOptions) {
  const { uploads, images, responses, userPage } = options
  const settings = options.settings ?? (() => DEFAULT_HTTP_SETTINGS)
  // The user's page has a route for every path, which tells nothing about paths.
  const routes = new KnownRoutes(() => app.routes.filter(({ path }) => path !== "/*"))
  const openAi = { engine, version, settings, uploads, images }
  const descriptions = new ModelDescriptions(engine)
  const ollama = { engine, settings, uploads, log, library: options.library }
  const inProgress = new RequestsInProgress()
  const began = (requestContext: RequestContext) => {
    inProgress.add(requestContext)
    metrics?.exchangeBegan()
  }
  const over = (requestContext: RequestContext) => {
    inProgress.remove(requestContext)
    logExchange(log, requestContext)
    const { path, model, outcome: status, elapsedMs: ms } = requestContext
    metrics?.exchangeEnded({ route: routes.patternOf(path), model, status, ms })
  }
  const closing = options.closing ?? new AbortController().signal
  const pulls = new Pulls(options.library, closing)
  const watched = { engine, inProgress, pulls, closing, owner: options.owner, library: options.library }
  const origin = (): string => originOf(app.server?.url)
  /** Browsers have no key before they have the page that asks for it. */
  const accessOf = (path: string, { headers }: Request): RouteAccess => {
    const isPage = path === "/" && settings().web && isBrowser(headers)
    const isFile = userPage !== undefined && (path === "/" || routes.methodsOf(path).length === 0)
    return isPage || isFile ? "open" : policyOf(path).access
  }
  // With Bun's own router, tests through `handle` would run different code from real requests.
  // Untyped: with a type for every route, the compiler gives up.
  const app: AnyElysia = new Elysia({ systemRouter: false })
    .use(errors(routes, async (model) => (await engine.resolve(model)).name))
    // Later wraps are outer ones, so request contexts cover compression.
    .use(gzip())
    .use(requestContexts({ began, over, origin }))
    // Before all that may refuse a request.
    .use(anthropicRequestIds())
    .use(hosts(settings))
    // Before the keys: preflight requests have none, and pages should be able to read why they were refused.
    .use(cors(settings, routes))
    .use(pages(settings))
    .use(auth(settings, accessOf))
    // Before OpenAI's list of the same path.
    .use(anthropicModels(engine))
  const dialects: readonly AnyElysia[] = [
    chatRoutes(openAi),
    completionRoutes(openAi),
    embeddingRoutes(openAi),
    rerankRoutes(openAi),
    speechRoutes(openAi),
    voiceRoutes(openAi),
    transcriptionRoutes(openAi),
    imageRoutes(openAi),
    imageFileRoutes(images),
    modelRoutes(openAi, descriptions),
    statusRoutes({ engine, version, startedAt }),
    controlRoutes(openAi, toRenderRequest),
    tokenRoutes(openAi, toRenderRequest),
    metricsRoutes(metrics),
    eventRoutes({ ...watched, activity: metrics?.activity ?? new Activity(), version, startedAt }),
    managementRoutes(watched),
    modelListRoutes({ engine, descriptions }),
    nativeCompletionRoutes(openAi),
    nativeTokenRoutes(engine),
    nativeEmbeddingRoutes(openAi, (body, headers) => toEmbeddingCall(body, headers).request),
    promptRoutes(openAi, (body, headers, media) => toChatCall(body, headers, media).request),
    nativeModelRoutes(engine, descriptions, () => listModels(engine, descriptions)),
    serverStatusRoutes({ engine, version }),
    loraAdapterRoutes({ engine }),
    responseRoutes(openAi, responses, log),
    slotActionRoutes(engine),
    anthropicRoutes({ engine, settings, uploads, log }),
    ollamaGenerationRoutes(ollama),
    ollamaEmbeddingRoutes(ollama),
    ollamaModelRoutes(ollama, descriptions),
    ollamaManagementRoutes(ollama),
    webRoutes({ version, settings, userPage }),
  ]
  for (const dialect of dialects) app.use(dialect)
  app.use(unversioned(app))
  return app
}

/** The same routes as `app` has, without `/v1`. */
function unversioned(app: AnyElysia): AnyElysia {
  const aliases = new Elysia({ name: "unversioned" })
  for (const { method, path, handler, hooks } of app.routes)
    if (UNVERSIONED.includes(path)) aliases.route(method, path.slice("/v1".length), handler, hooks)
  return aliases
}

/** A socket has no address that could form a URL. */
function originOf(url: URL | undefined): string {
  return url?.protocol === "http:" ? url.origin : "http://localhost"
}

export type App = ReturnType<typeof createApp>
