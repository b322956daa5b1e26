import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { type HealthBody, type PsBody, toDeviceBody, toLoadedModelBody, toSystemBody } from "./bodies"

export interface StatusContext {
  readonly engine: Engine
  readonly version: string
  readonly startedAt: Date
}

/** GET /v0/health, /v0/ps and /v0/system: what the server is doing and on what. */
export function statusRoutes({ engine, version, startedAt }: StatusContext) {
  return new Elysia({ name: "v0-status" })
    .get("/v0/health", () => {
      const { status, models, devices } = engine.status()
      const body: HealthBody = {
        status,
        version,
        uptime_seconds: (Date.now() - startedAt.getTime()) / 1000,
        models: models.map(toLoadedModelBody),
        devices: devices?.map(toDeviceBody) ?? null,
      }
      // A server that is stopping takes nothing new; load balancers look at the status code only.
      return Response.json(body, { status: status === "stopping" ? 503 : 200 })
    })
    .get("/v0/ps", (): PsBody => ({ models: engine.loaded().map(toLoadedModelBody) }))
    .get("/v0/system", async ({ request, server }) => {
      // The backends are asked by a process of its own, which may take longer than a connection may idle.
      server?.timeout(request, 0)
      return toSystemBody(await engine.system(), version)
    })
}
