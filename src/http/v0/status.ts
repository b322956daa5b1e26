import { Elysia } from "elysia"
import type { Engine } from "../../engine/contract"
import { machine } from "../../lib/system/machine"
import { mayBeSilent } from "../context/idle"
import { type ProbeBody, toHealthBody } from "./bodies/health"
import { toFailedModelBody, toLoadedModelBody } from "./bodies/loaded-model"
import { toMemoriesBody } from "./bodies/memory"
import type { PsBody } from "./bodies/ps"
import { toSystemBody } from "./bodies/system"

export interface StatusContext {
  readonly engine: Engine
  readonly version: string
  readonly startedAt: Date
}

/**
 * GET /v0/health, /v0/health/live, /v0/health/ready, /v0/ps and /v0/system: the state of the server and its machine.
 */
export function statusRoutes({ engine, version, startedAt }: StatusContext) {
  return (
    new Elysia({ name: "v0-status" })
      .get("/v0/health", () => {
        const status = engine.status()
        // A stopping server accepts no new requests; load balancers check only the status code.
        const code = status.status === "stopping" ? 503 : 200
        return Response.json(toHealthBody(status, version, startedAt), { status: code })
      })
      // Liveness probes restart a server that does not answer; the content does not matter.
      .get("/v0/health/live", (): ProbeBody => ({ status: engine.status().status }))
      .get("/v0/health/ready", () => {
        const { status } = engine.status()
        const body: ProbeBody = { status }
        return Response.json(body, { status: status === "starting" || status === "stopping" ? 503 : 200 })
      })
      .get("/v0/ps", (): PsBody => {
        const { models, failed, memory } = engine.status()
        return {
          models: models.map(toLoadedModelBody),
          failed: failed.map(toFailedModelBody),
          memory: toMemoriesBody(memory),
        }
      })
      .get("/v0/system", async ({ request, server }) => {
        // A separate process queries the backends, which may take longer than the idle timeout.
        mayBeSilent(request, server)
        const report = await engine.system()
        return toSystemBody({ report, status: engine.status(), machine: machine(), version, startedAt })
      })
  )
}
