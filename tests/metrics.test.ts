import { describe, expect, test } from "bun:test"
import type { EngineObserver, ObservedRequest } from "../src/engine/observer"
import { Metrics } from "../src/metrics/metrics"
import { FakeEngine, LOADED_TINY } from "./support/fakes/fake-engine"
import { fakeServer, USER_HI } from "./support/http"

const STARTED_AT = new Date("2026-01-02T03:04:05Z")
const WORKER = { model: "tiny", replica: 1 }
const TIMINGS = {
  queueMs: 0,
  loadMs: 0,
  promptTokens: 3,
  promptMs: 5,
  generatedTokens: 11,
  generationMs: 500,
}

/** Metrics as the engine sees them, with a reader of single values. */
function metrics() {
  const all = new Metrics({ version: "1.2.3", startedAt: STARTED_AT })
  // The engine hears of no class, but of what it is told.
  const observer: EngineObserver = all
  return {
    all,
    observer,
    /** Values by their name and labels, without the prefix. */
    async values(): Promise<Readonly<Record<string, number>>> {
      const lines = (await all.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      return Object.fromEntries(
        lines.map((line) => {
          const space = line.lastIndexOf(" ")
          return [line.slice(0, space).replace(/^xllm_/, ""), Number(line.slice(space + 1))]
        }),
      )
    },
  }
}

function request(model = "tiny"): ObservedRequest {
  return { model, kind: "chat" }
}

test("every metric has a help text, a type and the prefix", async () => {
  const lines = (await metrics().all.text()).split("\n")
  const names = (kind: string) =>
    lines.filter((line) => line.startsWith(`# ${kind} `)).map((line) => line.split(" ")[2])
  expect(names("HELP")).toEqual(names("TYPE"))
  expect(names("TYPE").filter((name) => !/^(xllm_|llamacpp:)/.test(name ?? ""))).toEqual([])
  expect(new Set(names("TYPE")).size).toBe(names("TYPE").length)
})

describe("a generation", () => {
  test("that is done counts its tokens and times", async () => {
    const { observer, values } = metrics()
    const asked = request()
    observer.requestQueued(asked)
    observer.requestStarted(asked, 20, 0)
    observer.firstToken(asked, 70)
    observer.nextTokens(asked, 1, 15)
    observer.nextTokens(asked, 9, 360)
    observer.toolCall(asked)
    const usage = { promptTokens: 5, completionTokens: 11, cachedTokens: 2, reasoningTokens: 4 }
    observer.requestFinished(asked, { type: "done", usage, timings: TIMINGS })
    expect(await values()).toMatchObject({
      'generations_total{model="tiny",outcome="done"}': 1,
      'requests_total{model="tiny",kind="chat",outcome="done"}': 1,
      'prompt_tokens_total{model="tiny"}': 5,
      'cached_prompt_tokens_total{model="tiny"}': 2,
      'generated_tokens_total{model="tiny"}': 11,
      'reasoning_tokens_total{model="tiny"}': 4,
      'tool_calls_total{model="tiny"}': 1,
      'queue_wait_seconds_sum{model="tiny"}': 0.02,
      'queue_wait_seconds_bucket{le="0.005",model="tiny"}': 0,
      'queue_wait_seconds_bucket{le="0.025",model="tiny"}': 1,
      'time_to_first_token_seconds_sum{model="tiny"}': 0.07,
      'generation_duration_seconds_count{model="tiny"}': 1,
      'tokens_per_second_sum{model="tiny"}': 20,
    })
  })

  test("has every token's distance from the one before in its histogram", async () => {
    const { observer, values } = metrics()
    const asked = request()
    observer.requestQueued(asked)
    observer.nextTokens(asked, 1, 10)
    observer.nextTokens(asked, 4, 100)
    observer.nextTokens(asked, 1, 60_000)
    const all = await values()
    const upTo = (bound: string) => all[`inter_token_seconds_bucket{model="tiny",le="${bound}"}`]
    expect(["0.005", "0.01", "0.02", "0.03", "5", "+Inf"].map(upTo)).toEqual([0, 1, 1, 5, 5, 6])
    expect(all['inter_token_seconds_count{model="tiny"}']).toBe(6)
    expect(all['inter_token_seconds_sum{model="tiny"}']).toBeCloseTo(60.11)
  })

  test("that is given up counts the tokens that were generated", async () => {
    const { observer, values } = metrics()
    const asked = request()
    observer.requestQueued(asked)
    observer.firstToken(asked, 1)
    observer.nextTokens(asked, 3, 10)
    observer.requestFinished(asked, { type: "cancelled" })
    expect(await values()).toMatchObject({
      'generations_total{model="tiny",outcome="cancelled"}': 1,
      'generated_tokens_total{model="tiny"}': 4,
    })
  })

  test("that is turned away or never starts is counted as that", async () => {
    const { observer, values } = metrics()
    observer.requestRefused(request())
    const late = request()
    observer.requestQueued(late)
    observer.requestFinished(late, { type: "unserved", code: "queue_timeout" })
    expect(await values()).toMatchObject({
      'generations_total{model="tiny",outcome="refused"}': 1,
      'generations_total{model="tiny",outcome="unserved"}': 1,
    })
  })
})

describe("speech, transcripts and pictures", () => {
  const timings = { queueMs: 0, loadMs: 0, workMs: 500 }

  test("are counted by what was made", async () => {
    const { observer, values } = metrics()
    const spoken = { model: "joe", kind: "speech" } as const
    observer.requestQueued(spoken)
    observer.requestStarted(spoken, 10, 0)
    observer.firstAudio(spoken, 80)
    const said = { characters: 12, sentences: 2, audioSeconds: 1.5 }
    observer.requestFinished(spoken, { type: "done", usage: said, timings })
    const heard = { model: "ear", kind: "transcription" } as const
    observer.requestQueued(heard)
    observer.requestFinished(heard, { type: "done", language: "en", usage: { audioSeconds: 30 }, timings })
    const drawn = { model: "brush", kind: "image" } as const
    observer.requestQueued(drawn)
    observer.requestFinished(drawn, { type: "done", usage: { images: 2, steps: 40 }, timings })
    const all = await values()
    expect(all).toMatchObject({
      'requests_total{model="joe",kind="speech",outcome="done"}': 1,
      'requests_total{model="ear",kind="transcription",outcome="done"}': 1,
      'requests_total{model="brush",kind="image",outcome="done"}': 1,
      'request_duration_seconds_count{kind="image"}': 1,
      'time_to_first_audio_seconds_sum{model="joe"}': 0.08,
      'queue_wait_seconds_sum{model="joe"}': 0.01,
      'speech_characters_total{model="joe"}': 12,
      'speech_audio_seconds_total{model="joe"}': 1.5,
      'transcription_audio_seconds_total{model="ear"}': 30,
      'images_total{model="brush"}': 2,
      'image_steps_total{model="brush"}': 40,
      'media_work_seconds_total{model="brush"}': 0.5,
    })
    expect(Object.keys(all).filter((name) => /^generat|^[^:]*token/.test(name))).toEqual([])
  })

  test("that fail, or are turned away, are counted as that", async () => {
    const { observer, values } = metrics()
    const drawn = { model: "brush", kind: "image" } as const
    observer.requestRefused(drawn)
    observer.requestQueued(drawn)
    observer.requestFinished(drawn, { type: "failed", code: "worker_crashed" })
    expect(await values()).toMatchObject({
      'requests_total{model="brush",kind="image",outcome="refused"}': 1,
      'requests_total{model="brush",kind="image",outcome="failed"}': 1,
    })
  })
})

test("loads, unloads, evictions and crashes are counted by model", async () => {
  const { observer, values } = metrics()
  observer.modelLoading(WORKER)
  observer.modelLoaded(WORKER, 1500)
  observer.modelLoadFailed(WORKER, "model_load_failed")
  observer.modelUnloaded(WORKER, "idle")
  observer.modelUnloaded(WORKER, "memory")
  observer.workerCrashed(WORKER)
  expect(await values()).toMatchObject({
    'model_loads_total{model="tiny",result="loaded"}': 1,
    'model_loads_total{model="tiny",result="failed"}': 1,
    'model_load_seconds_sum{model="tiny"}': 1.5,
    'model_unloads_total{model="tiny",reason="idle"}': 1,
    'model_unloads_total{model="tiny",reason="memory"}': 1,
    'model_evictions_total{model="tiny"}': 1,
    'worker_crashes_total{model="tiny"}': 1,
  })
})

test("steps tell the batch's size and what the cache holds, until the worker is gone", async () => {
  const { observer, values } = metrics()
  observer.step(WORKER, { sequences: 3, tokens: 40, kvCellsUsed: 90 })
  observer.step(WORKER, { sequences: 1, tokens: 1, kvCellsUsed: 91 })
  const before = await values()
  expect(before).toMatchObject({
    'batch_sequences_sum{model="tiny"}': 4,
    'batch_sequences_count{model="tiny"}': 2,
  })
  expect(before).not.toHaveProperty('kv_cells_used{model="tiny",replica="1"}')
  const { all } = { all: observer as Metrics }
  all.measure(() => new FakeEngine().status())
  expect(await values()).toMatchObject({ 'kv_cells_used{model="tiny",replica="1"}': 91 })
  observer.workerCrashed(WORKER)
  expect(await values()).not.toHaveProperty('kv_cells_used{model="tiny",replica="1"}')
})

test("gauges show the engine's state of the moment", async () => {
  const { all, values } = metrics()
  const engine = new FakeEngine()
  all.measure(() => engine.status())
  engine.loadedModels = [
    { ...LOADED_TINY, footprint: { ramBytes: 700, devices: [{ name: "CUDA0", bytes: 300 }] } },
    { ...LOADED_TINY, replica: 2, state: "loading" },
  ]
  expect(await values()).toMatchObject({
    'requests_running{model="tiny"}': 1,
    'requests_waiting{model="tiny"}': 2,
    'model_workers{model="tiny",state="ready"}': 1,
    'model_workers{model="tiny",state="loading"}': 1,
    'model_memory_bytes{model="tiny",replica="1",device="system"}': 700,
    'model_memory_bytes{model="tiny",replica="1",device="CUDA0"}': 300,
    'memory_total_bytes{device="system"}': 4000,
    'memory_used_bytes{device="system"}': 3000,
    'memory_total_bytes{device="CUDA0"}': 900,
    'memory_used_bytes{device="CUDA0"}': 400,
    process_start_time_seconds: STARTED_AT.getTime() / 1000,
    'build_info{version="1.2.3"}': 1,
  })
  engine.loadedModels = []
  expect(await values()).not.toHaveProperty('model_memory_bytes{model="tiny",replica="1",device="system"}')
})

test("the server process shows what it takes", async () => {
  const all = await metrics().values()
  for (const name of ["cpu_seconds_total", "resident_memory_bytes", "heap_bytes", "open_fds"]) {
    expect(all[`process_${name}`]).toBeGreaterThan(0)
  }
})

describe("requests over HTTP", () => {
  const counted = (values: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => name.startsWith("http_requests_total")))

  test("are counted by route, model and outcome", async () => {
    const { all, values } = metrics()
    const { get, post } = fakeServer(undefined, { metrics: all })
    await (await post("/v1/chat/completions", { model: "tiny", messages: USER_HI })).text()
    await (await post("/v1/chat/completions", { model: "TINY", messages: USER_HI, stream: true })).text()
    // Without a name, and by a rule that was broken before anybody looked for the model.
    await (await post("/v1/chat/completions", { messages: USER_HI })).text()
    await post("/v1/chat/completions", { model: "tiny" })
    await get("/v1/models/tiny")
    expect(counted(await values())).toEqual({
      'http_requests_total{route="/v1/chat/completions",model="tiny",status="200"}': 3,
      'http_requests_total{route="/v1/chat/completions",model="tiny",status="400"}': 1,
      'http_requests_total{route="/v1/models/*",model="",status="200"}': 1,
    })
  })

  test("cannot make new series with names of their own", async () => {
    const { all, values } = metrics()
    const { get, post } = fakeServer(undefined, { metrics: all })
    for (const name of ["a", "b", "c"]) {
      await get(`/${name}`)
      await (await post("/v1/chat/completions", { model: name, messages: USER_HI })).text()
    }
    expect(counted(await values())).toEqual({
      'http_requests_total{route="",model="",status="404"}': 3,
      'http_requests_total{route="/v1/chat/completions",model="",status="200"}': 3,
    })
  })

  test("are in flight until their stream is over", async () => {
    const { all, values } = metrics()
    const { promise, resolve } = Promise.withResolvers<void>()
    const { post } = fakeServer(
      async function* () {
        yield { type: "prompt", tokens: 1 }
        await promise
        throw new Error("lost")
      },
      { metrics: all },
    )
    const response = await post("/v1/chat/completions", { messages: USER_HI, stream: true })
    expect((await values())["http_requests_in_flight"]).toBe(1)
    resolve()
    await response.text()
    const after = await values()
    expect(after["http_requests_in_flight"]).toBe(0)
    expect(counted(after)).toEqual({
      'http_requests_total{route="/v1/chat/completions",model="tiny",status="500"}': 1,
    })
  })

  test("find the metrics under both paths", async () => {
    const { get } = fakeServer(undefined, { metrics: metrics().all })
    for (const path of ["/metrics", "/v0/metrics"]) {
      const response = await get(path)
      expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4")
      expect(await response.text()).toContain("# TYPE xllm_http_requests_total counter")
    }
  })

  test("find none where nothing is counted", async () => {
    expect((await fakeServer().get("/metrics")).status).toBe(404)
  })
})

test("growths of KV caches are counted", async () => {
  const { observer, values } = metrics()
  observer.cacheGrown(WORKER, 2)
  observer.cacheGrown(WORKER, 1)
  expect(await values()).toMatchObject({ 'kv_growths_total{model="tiny"}': 3 })
})

test("guessed tokens count by their places in the drafts", async () => {
  const { observer, values } = metrics()
  observer.tokensDrafted(WORKER, { checked: [2, 2, 3, 0, 0, 0], accepted: [2, 1, 0, 0, 0, 0] })
  observer.tokensDrafted(WORKER, { checked: [1, 1, 2, 4, 8, 1], accepted: [1, 1, 2, 1, 0, 0] })
  expect(await values()).toMatchObject({
    'draft_tokens_total{model="tiny",place="1"}': 3,
    'draft_tokens_total{model="tiny",place="3-4"}': 5,
    'draft_tokens_total{model="tiny",place="9-16"}': 8,
    'draft_tokens_total{model="tiny",place="17-64"}': 1,
    'draft_tokens_accepted_total{model="tiny",place="2"}': 2,
    'draft_tokens_accepted_total{model="tiny",place="3-4"}': 2,
    'draft_tokens_accepted_total{model="tiny",place="5-8"}': 1,
    "llamacpp:spec_decode_num_draft_tokens_total": 24,
    "llamacpp:spec_decode_num_accepted_tokens_total": 8,
    "llamacpp:spec_decode_num_drafts_total": 3,
  })
})

test("switches and loads of adapters are counted", async () => {
  const { observer, values } = metrics()
  observer.adaptersUsed(WORKER, { adapterSwitches: 2, adapterLoads: 1 })
  observer.adaptersUsed(WORKER, { adapterSwitches: 3, adapterLoads: 0 })
  expect(await values()).toMatchObject({
    'adapter_switches_total{model="tiny"}': 5,
    'adapter_loads_total{model="tiny"}': 1,
  })
})

test("what is encoded is counted, with the time that it took", async () => {
  const { observer, values } = metrics()
  observer.mediaEncoded(WORKER, { mediaEncoded: 2, mediaEncodeMs: 1500 })
  expect(await values()).toMatchObject({
    'media_encoded_total{model="tiny"}': 2,
    'media_encode_seconds_total{model="tiny"}': 1.5,
  })
})

test("prompts on disk count by what became of them", async () => {
  const { observer, values } = metrics()
  observer.promptsOnDisk(WORKER, { hits: 2, misses: 1, bytesRead: 500, bytesWritten: 0, savedMs: 1500 })
  observer.promptsOnDisk(WORKER, { hits: 0, misses: 1, bytesRead: 0, bytesWritten: 300, savedMs: 0 })
  expect(await values()).toMatchObject({
    'saved_prompts_total{model="tiny",result="hit"}': 2,
    'saved_prompts_total{model="tiny",result="miss"}': 2,
    'saved_prompt_bytes_total{model="tiny",direction="read"}': 500,
    'saved_prompt_bytes_total{model="tiny",direction="written"}': 300,
    'saved_prompt_seconds_total{model="tiny"}': 1.5,
  })
})

describe("llama-server's metrics", () => {
  test("count evaluated tokens and decode steps of all models together", async () => {
    const { observer, values } = metrics()
    for (const model of ["a", "b"]) {
      const asked = request(model)
      observer.requestQueued(asked)
      const usage = { promptTokens: 5, completionTokens: 11, cachedTokens: 2 }
      observer.requestFinished(asked, { type: "done", usage, timings: TIMINGS })
    }
    observer.step(WORKER, { sequences: 1, tokens: 5, kvCellsUsed: 6 })
    observer.step(WORKER, { sequences: 4, tokens: 5, kvCellsUsed: 6 })
    expect(await values()).toMatchObject({
      "llamacpp:prompt_tokens_total": 6,
      "llamacpp:prompt_tokens_cached_total": 4,
      "llamacpp:prompt_seconds_total": 0.01,
      "llamacpp:tokens_predicted_total": 22,
      "llamacpp:tokens_predicted_seconds_total": 1,
      "llamacpp:prompt_tokens_seconds": 600,
      // Without the first token of each.
      "llamacpp:predicted_tokens_seconds": 20,
      "llamacpp:n_decode_total": 2,
      "llamacpp:n_busy_slots_per_decode": 2.5,
      "llamacpp:n_tokens_max": 16,
    })
    // Rates are of what was done since.
    expect(await values()).toMatchObject({
      "llamacpp:predicted_tokens_seconds": 0,
      "llamacpp:tokens_predicted_total": 22,
    })
  })

  test("count the tokens of embedded texts as evaluated", async () => {
    const { observer, values } = metrics()
    const asked: ObservedRequest = { model: "e", kind: "embedding" }
    observer.requestQueued(asked)
    const timings = { queueMs: 0, loadMs: 0, workMs: 500 }
    observer.requestFinished(asked, { type: "done", usage: { inputTokens: 7, inputs: 2 }, timings })
    expect(await values()).toMatchObject({
      "llamacpp:prompt_tokens_total": 7,
      "llamacpp:prompt_seconds_total": 0.5,
      "llamacpp:tokens_predicted_total": 0,
    })
  })

  test("show how many requests run and wait, and when the server was started", async () => {
    const { all, values } = metrics()
    all.measure(() => new FakeEngine().status())
    expect(await values()).toMatchObject({
      "llamacpp:requests_processing": 1,
      "llamacpp:requests_deferred": 2,
    })
    const { headers } = await fakeServer(undefined, { metrics: all }).get("/metrics")
    expect(headers.get("Process-Start-Time-Unix")).toBe(String(STARTED_AT.getTime() / 1000))
  })
})
