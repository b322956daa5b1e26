import { describe, expect, test } from "bun:test"
import { listen } from "../../../src/http/server/listen"
import { Metrics } from "../../../src/metrics/metrics"
import { FakeEngine, LOADED_TINY, TINY_INFO } from "../../support/fakes/fake-engine"
import { fakeServer, USER_HI } from "../../support/http"
import { noPrometheus, promtool, startPrometheus } from "../../support/prometheus"
import { tempFolder } from "../../support/temp-folder"

if (noPrometheus !== undefined) console.log(noPrometheus)

/** Metrics in which everything has happened once; `scraped` is called whenever they are asked for. */
function busyMetrics(scraped = () => {}): Metrics {
  const metrics = new Metrics({ version: "1.2.3", startedAt: new Date() })
  const engine = new FakeEngine()
  engine.loadedModels = [{ ...LOADED_TINY, info: TINY_INFO }]
  metrics.measure(() => {
    scraped()
    return engine.status()
  })
  metrics.exchangeBegan()
  metrics.exchangeEnded({ route: "/", model: undefined, status: 200, ms: 1 })
  const asked = { model: "tiny", kind: "chat" } as const
  const worker = { model: "tiny", replica: 1 }
  metrics.modelLoading(worker)
  metrics.modelLoaded(worker, 10)
  metrics.modelLoadFailed(worker, "model_load_failed")
  metrics.requestQueued(asked)
  metrics.requestStarted(asked, 1)
  metrics.firstToken(asked, 2)
  metrics.nextTokens(asked, 1, 3)
  metrics.toolCall(asked)
  metrics.cacheGrown(worker, 1)
  metrics.mediaEncoded(worker, { mediaEncoded: 1, mediaEncodeMs: 20 })
  metrics.tokensDrafted(worker, { checked: [1, 1, 2], accepted: [1, 1, 0] })
  metrics.adaptersUsed(worker, { adapterSwitches: 2, adapterLoads: 1 })
  metrics.promptsOnDisk(worker, { hits: 1, misses: 2, bytesRead: 300, bytesWritten: 400, savedMs: 50 })
  metrics.step(worker, { sequences: 1, tokens: 1, kvCellsUsed: 5 })
  const usage = { promptTokens: 1, completionTokens: 3, cachedTokens: 0, reasoningTokens: 1 }
  const timings = {
    queueMs: 0,
    loadMs: 0,
    promptTokens: 1,
    promptMs: 1,
    generatedTokens: 3,
    generationMs: 20,
  }
  metrics.requestFinished(asked, { type: "done", usage, timings })
  metrics.requestRefused(asked)
  const media = { queueMs: 0, loadMs: 0, workMs: 5 }
  const embedded = { model: "vector", kind: "embedding" } as const
  metrics.requestFinished(embedded, { type: "done", usage: { inputs: 1, inputTokens: 4 }, timings: media })
  const spoken = { model: "joe", kind: "speech" } as const
  metrics.requestQueued(spoken)
  metrics.firstAudio(spoken, 3)
  const speech = { characters: 5, sentences: 1, audioSeconds: 2 }
  metrics.requestFinished(spoken, { type: "done", usage: speech, timings: media })
  const heard = { model: "ear", kind: "transcription" } as const
  metrics.requestFinished(heard, { type: "done", language: "en", usage: { audioSeconds: 2 }, timings: media })
  const drawn = { model: "brush", kind: "image" } as const
  metrics.requestFinished(drawn, { type: "done", usage: { images: 1, steps: 4 }, timings: media })
  metrics.modelUnloaded(worker, "memory")
  metrics.workerCrashed(worker)
  metrics.step(worker, { sequences: 1, tokens: 1, kvCellsUsed: 5 })
  return metrics
}

describe.skipIf(noPrometheus !== undefined)("a real Prometheus", () => {
  test("has nothing to say against the metrics", async () => {
    const { get } = fakeServer(undefined, { metrics: busyMetrics() })
    const text = await (await get("/metrics")).text()
    // Each metric has a value, so that no name or label is left out of the check.
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(names.filter((name) => !new RegExp(`^${name}[_{ ]`, "m").test(text))).toEqual([])
    const check = (checked: string) =>
      Bun.spawnSync([promtool ?? "", "check", "metrics"], { stdin: Buffer.from(checked) })
    const own = text.split("\n").filter((line) => !line.includes("llamacpp:"))
    const result = check(own.join("\n"))
    expect(result.stderr.toString() + result.stdout.toString()).toBe("")
    expect(result.exitCode).toBe(0)
    // llama-server's names are as they are.
    const remarks = check(text).stderr.toString().trim().split("\n")
    const isName = (remark: string) => /^llamacpp:\S+ .*(contain ':'|"_total" suffix)$/.test(remark)
    expect(remarks.filter((remark) => !isName(remark))).toEqual([])
  })

  // It looks for its targets every five seconds only.
  test("scrapes them with a key, and tells a counter", async () => {
    using folder = tempFolder()
    const scrapes = Promise.withResolvers<void>()
    let count = 0
    // When it asks again it has stored what it got before.
    const metrics = busyMetrics(() => ++count === 2 && scrapes.resolve())
    const { app, post } = fakeServer(undefined, { metrics, settings: { apiKeys: ["secret"] } })
    const headers = { "content-type": "application/json", authorization: "Bearer secret" }
    for (let asked = 0; asked < 3; asked++) {
      await (await post("/v1/chat/completions", { model: "tiny", messages: USER_HI }, { headers })).text()
    }
    const listener = await listen(app, { host: "127.0.0.1", port: 0 })
    const target = { host: "127.0.0.1", port: listener.port ?? 0, path: "/v0/metrics", key: "secret" }
    await using server = await startPrometheus(folder.path, target)
    await scrapes.promise
    const route = 'route="/v1/chat/completions",model="tiny",status="200"'
    expect(await server.query(`xllm_http_requests_total{${route}}`)).toBe(3)
    expect(await server.query("histogram_quantile(1, xllm_inter_token_seconds_bucket)")).toBe(0.005)
    await listener.close()
  }, 30_000)
})
