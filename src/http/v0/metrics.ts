import { Elysia } from "elysia"
import type { Metrics } from "../../metrics/metrics"

/** GET /v0/metrics, and /metrics, Prometheus's default path; neither if there are no metrics. */
export function metricsRoutes(metrics: Metrics | undefined) {
  const routes = new Elysia({ name: "v0-metrics" })
  if (metrics === undefined) return routes
  const answer = async () =>
    new Response(await metrics.text(), {
      headers: {
        "content-type": metrics.contentType,
        // As in llama-server.
        "Process-Start-Time-Unix": String(Math.floor(metrics.startedAt.getTime() / 1000)),
      },
    })
  return routes.get("/metrics", answer).get("/v0/metrics", answer)
}
