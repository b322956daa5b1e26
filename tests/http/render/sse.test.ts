import { afterEach, describe, expect, jest, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ModelLoadFailed } from "../../../src/errors/model"
import { InvalidRequest, QueueFull } from "../../../src/errors/request"
import { answer, type Script, untilAborted } from "../../support/fakes/fake-engine"
import {
  chunksOf,
  errorOf,
  eventsOf,
  fakeServer,
  jsonOf,
  postRequest,
  readerOf,
  USER_HI,
} from "../../support/http"

const PATH = "/v1/chat/completions"
const REQUEST = { messages: USER_HI, stream: true }

afterEach(() => {
  jest.useRealTimers()
})

/** A script that does what it is told: each event is one call of `push`. */
function handDriven() {
  const queue: GenerationEvent[] = []
  let wake = Promise.withResolvers<void>()
  const script: Script = async function* (_request, signal) {
    for (;;) {
      const event = queue.shift()
      if (event === undefined) {
        await Promise.race([wake.promise, untilAborted(signal)])
        wake = Promise.withResolvers()
        continue
      }
      yield event
      if (event.type === "done") return
    }
  }
  return {
    script,
    push(event: GenerationEvent) {
      queue.push(event)
      wake.resolve()
    },
  }
}

/** Lets everything run that waits for nothing but promises. */
async function settle() {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve()
}

describe("a failure before the answer begins is a plain HTTP error", () => {
  test("with the status and the headers of its kind", async () => {
    const { post } = fakeServer(async function* (): AsyncGenerator<GenerationEvent> {
      yield { type: "loading", fraction: 0.5 }
      throw new QueueFull("tiny", 1000, 7.2)
    })
    const response = await post(PATH, REQUEST)
    expect(response.headers.get("retry-after")).toBe("8")
    expect(await errorOf(response)).toEqual({
      status: 503,
      message: "1000 requests are already queued for model 'tiny'; try again later",
      type: "server_error",
      param: null,
      code: "queue_full",
    })
  })

  test("also where the engine refuses at once", async () => {
    const { post } = fakeServer(() => {
      throw new InvalidRequest("no", "messages")
    })
    expect(await errorOf(post(PATH, REQUEST))).toMatchObject({ status: 400, param: "messages" })
  })
})

test("a failure after the answer began is an error event, and the stream has no [DONE]", async () => {
  const { post, logged } = fakeServer(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    yield { type: "delta", choice: 0, part: "text", text: "Hal", tokens: 1 }
    throw new WorkerCrashed("tiny", "was killed", ["last words"])
  })
  const response = await post(PATH, REQUEST)
  expect(response.status).toBe(200)
  const text = await response.text()
  const events = eventsOf(text)
  expect(events.at(-1)).toEqual({
    error: {
      message: "the worker of model 'tiny' was killed",
      type: "server_error",
      param: null,
      code: "worker_crashed",
    },
  })
  expect(text).not.toContain("[DONE]")
  expect(logged.join()).toContain("worker_crashed")
})

test("an answer that ends too early is an error event, too", async () => {
  const { post } = fakeServer(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    yield { type: "delta", choice: 0, part: "text", text: "Hal", tokens: 1 }
  })
  const text = await (await post(PATH, REQUEST)).text()
  expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: "internal_error" } })
})

describe("while the model loads", () => {
  test("the response waits a second, then starts and tells how far it is", async () => {
    jest.useFakeTimers()
    const { script, push } = handDriven()
    const { post } = fakeServer(script)
    let response: Response | undefined
    const started = post(PATH, REQUEST).then((value) => (response = value))
    push({ type: "loading", fraction: 0.25 })
    await settle()
    jest.advanceTimersByTime(999)
    await settle()
    expect(response).toBeUndefined()
    jest.advanceTimersByTime(1)
    const { next } = readerOf(await started)
    expect(await next()).toBe(": loading 25%\n\n")
    push({ type: "loading", fraction: 0.5 })
    expect(await next()).toBe(": loading 50%\n\n")
    push({ type: "queued", position: 3 })
    expect(await next()).toBe(": queued, 3 ahead\n\n")
    push({ type: "prompt", tokens: 1 })
    expect(await next()).toContain('"role":"assistant"')
  })

  test("a comment comes only when there is something new to tell", async () => {
    jest.useFakeTimers()
    const { script, push } = handDriven()
    const { post } = fakeServer(script)
    const started = post(PATH, REQUEST)
    await settle()
    jest.advanceTimersByTime(1000)
    const { next } = readerOf(await started)
    expect(await next()).toBe(": waiting\n\n")
    push({ type: "loading", fraction: 0.251 })
    push({ type: "loading", fraction: 0.252 })
    push({ type: "prompt", tokens: 1 })
    expect(await next()).toBe(": loading 25%\n\n")
    expect(await next()).toContain('"role":"assistant"')
  })

  test("a failure after the start is an error event", async () => {
    jest.useFakeTimers()
    const { promise, reject } = Promise.withResolvers<never>()
    const { post } = fakeServer(async function* (): AsyncGenerator<GenerationEvent> {
      yield await promise
    })
    const started = post(PATH, REQUEST)
    await settle()
    jest.advanceTimersByTime(1000)
    const response = await started
    reject(new ModelLoadFailed("tiny", "bad file"))
    expect(chunksOf(await response.text())).toMatchObject([{ error: { code: "model_load_failed" } }])
  })
})

test("a silent stream has a comment at least every 15 seconds, a busy one has none", async () => {
  jest.useFakeTimers()
  const { script, push } = handDriven()
  const { post } = fakeServer(script)
  const started = post(PATH, REQUEST)
  push({ type: "prompt", tokens: 1 })
  const { next } = readerOf(await started)
  expect(await next()).toContain('"role":"assistant"')
  for (let turn = 0; turn < 2; turn++) {
    jest.advanceTimersByTime(15_000)
    expect(await next()).toBe(": still here\n\n")
  }
  for (let turn = 0; turn < 4; turn++) {
    jest.advanceTimersByTime(9_000)
    push({ type: "delta", choice: 0, part: "text", text: `${turn}`, tokens: 1 })
    expect(await next()).toContain(`"content":"${turn}"`)
  }
})

describe("a client that goes away", () => {
  /** Says one word, then waits for ever; whether it heeds the signal is up to the test. */
  const speechless = (wait: (signal: AbortSignal) => Promise<never>): Script =>
    async function* (_request, signal): AsyncGenerator<GenerationEvent> {
      yield { type: "prompt", tokens: 1 }
      yield { type: "delta", choice: 0, part: "text", text: "Um", tokens: 1 }
      yield await wait(signal)
    }

  test("in the middle of a stream aborts the engine's signal and frees the iteration", async () => {
    const { post, engine } = fakeServer(speechless(untilAborted))
    const { next, cancel } = readerOf(await post(PATH, REQUEST))
    await next()
    await cancel()
    const [call] = engine.calls
    expect(call?.signal.aborted).toBe(true)
    await call?.left
  })

  test("by its request's signal does the same, and the stream ends without an error event", async () => {
    const { app, engine } = fakeServer(speechless(untilAborted))
    const client = new AbortController()
    const response = await app.handle(postRequest(PATH, REQUEST, { signal: client.signal }))
    client.abort()
    await engine.calls[0]?.left
    expect(await response.text()).not.toContain("error")
  })

  test("ends the stream at once, even where the engine does not answer", async () => {
    const { app } = fakeServer(speechless(() => new Promise(() => {})))
    const client = new AbortController()
    const response = await app.handle(postRequest(PATH, REQUEST, { signal: client.signal }))
    client.abort()
    expect(chunksOf(await response.text())).toHaveLength(2)
  })

  test("while a whole answer is generated aborts the engine's signal as well", async () => {
    const { app, engine, logged } = fakeServer(speechless(untilAborted))
    const client = new AbortController()
    const request = postRequest(PATH, { messages: USER_HI }, { signal: client.signal })
    const response = app.handle(request)
    await settle()
    client.abort()
    expect(await errorOf(response)).toMatchObject({ status: 499, code: "cancelled" })
    await engine.calls[0]?.left
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      { level: "info", event: "request", status: 499, code: "cancelled" },
    ])
  })

  test("while the model loads is noticed before anything was sent", async () => {
    const { app, engine } = fakeServer(async function* (_request, signal): AsyncGenerator<GenerationEvent> {
      yield { type: "loading", fraction: 0 }
      yield await untilAborted(signal)
    })
    const client = new AbortController()
    const response = app.handle(postRequest(PATH, REQUEST, { signal: client.signal }))
    await settle()
    client.abort()
    expect((await response).status).toBe(499)
    await engine.calls[0]?.left
  })

  test("before its request was read is not generated for", async () => {
    const { app, engine } = fakeServer(speechless(untilAborted))
    const request = postRequest(PATH, { messages: USER_HI }, { signal: AbortSignal.abort() })
    expect((await jsonOf(app.handle(request)))["error"]).toMatchObject({ code: "cancelled" })
    expect(engine.calls.every(({ signal }) => signal.aborted)).toBe(true)
  })

  test("from a stream of several prompts frees them all", async () => {
    const { post, engine } = fakeServer(speechless(untilAborted))
    const { next, cancel } = readerOf(
      await post("/v1/completions", { prompt: ["a", "b", "c"], stream: true }),
    )
    await next()
    await cancel()
    expect(engine.calls).toHaveLength(3)
    await Promise.all(engine.calls.map(({ left }) => left))
  })
})

test("a stream that ended well does not abort its signal", async () => {
  const { post, engine } = fakeServer(() => answer(["x"]))
  await (await post(PATH, REQUEST)).text()
  await engine.calls[0]?.left
  expect(engine.calls[0]?.signal.aborted).toBe(false)
})
