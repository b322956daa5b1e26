import { Elysia } from "elysia"
import type { Engine } from "../engine/contract"
import type { Logger } from "../log/logger"
import { chatRoutes } from "./openai/chat"
import { completionRoutes } from "./openai/completions"
import { modelRoutes } from "./openai/models"
import { cors } from "./plugins/cors"
import { errors, type KnownRoute } from "./plugins/errors"
import { requestId } from "./plugins/request-id"
import { controlRoutes } from "./v0/control"
import { statusRoutes } from "./v0/status"

export interface AppOptions {
  readonly engine: Engine
  /** xLLM's own version. */
  readonly version: string
  readonly startedAt: Date
  readonly log: Logger
  /** Origins of web pages that may call the server, beside those of this machine; `*`: all. */
  readonly corsOrigins?: readonly string[]
}

/** All routes of the server. It does not listen: see {@link listen}. */
export function createApp({ engine, version, startedAt, log, corsOrigins = [] }: AppOptions) {
  const openAi = { engine, version, log }
  const routes: () => readonly KnownRoute[] = () => app.routes
  // With Bun's own router tests through `handle` would run other code than requests do.
  const app = new Elysia({ systemRouter: false })
    .use(errors(log, routes))
    .use(requestId())
    .use(cors(corsOrigins))
    .get("/", () => `xLLM ${version} is running\n`)
    .use(chatRoutes(openAi))
    .use(completionRoutes(openAi))
    .use(modelRoutes(openAi))
    .use(statusRoutes({ engine, version, startedAt }))
    .use(controlRoutes(engine))
  return app
}

export type App = ReturnType<typeof createApp>
