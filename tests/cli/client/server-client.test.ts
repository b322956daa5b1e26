import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { toChatRequest } from "../../../src/cli/client/chat-request"
import { remoteRunner } from "../../../src/cli/client/remote-runner"
import { ServerClient } from "../../../src/cli/client/server-client"
import { resolveInputs } from "../../../src/config/resolve"
import type { ModelRunner } from "../../../src/cli/client/runner"
import type { AnswerEvent } from "../../../src/engine/contract"
import { loadedModel, startChatServer } from "../../support/chat-server"
import { tempFolder } from "../../support/temp-folder"

const asked = toChatRequest("smol", [{ role: "user", content: "hi" }], {
  sampling: { temperature: 0, topK: 5 },
  maxTokens: 9,
  minTokens: 2,
  stop: ["x"],
})
const never = new AbortController().signal

function runnerAt({ url }: { readonly url: string }): ModelRunner {
  return remoteRunner(new ServerClient({ url }), resolveInputs({ flags: {}, environment: {} }), true)
}

function answer(url: string, signal = never): Promise<AnswerEvent[]> {
  return Array.fromAsync(runnerAt({ url }).backend.chat(asked, signal))
}

/** A server that gives every request the same answer. */
function serveAlways(respond: (request: Request) => Response) {
  const server = Bun.serve({ port: 0, fetch: respond })
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) }
}

/** An address where nobody listens: it was just given back. */
function nobody(): string {
  using server = serveAlways(() => new Response())
  return server.url
}

describe("an answer of a server", () => {
  test.each([1, 3, 1000])("comes in pieces, in chunks of %d bytes", async (chunkBytes) => {
    using server = startChatServer({ answer: () => ["Grüße", " 日本"], chunkBytes })
    expect(await answer(server.url)).toEqual([
      { type: "delta", part: "text", text: "Grüße" },
      { type: "delta", part: "text", text: " 日本" },
      { type: "finish", reason: "stop" },
      {
        type: "done",
        usage: { promptTokens: 7, completionTokens: 3, cachedTokens: 2 },
        timings: {
          queueMs: 1,
          loadMs: 0,
          promptTokens: 5,
          promptMs: 10,
          generatedTokens: 3,
          generationMs: 20,
        },
      },
    ])
  })

  test("is asked for under the API's names", async () => {
    using server = startChatServer()
    await answer(server.url)
    expect(server.asked).toEqual([
      {
        model: "smol",
        messages: [{ role: "user", content: "hi" }],
        temperature: 0,
        top_k: 5,
        max_tokens: 9,
        min_tokens: 2,
        stop: ["x"],
        stream: true,
        stream_options: { include_usage: true },
      },
    ])
  })

  test("fails with the server's words where an error event comes", async () => {
    using server = startChatServer({ error: { code: "worker_crashed", message: "the worker died" } })
    await expect(answer(server.url)).rejects.toMatchObject({
      code: "worker_crashed",
      message: "the worker died",
    })
  })

  test("fails where the stream just ends", async () => {
    using server = serveAlways(() => new Response('data: {"choices":[]}\n\n'))
    await expect(answer(server.url)).rejects.toThrow(`the server at ${server.url} ended its answer early`)
  })

  test("fails where an event is no JSON", async () => {
    using server = serveAlways(() => new Response("data: <html>\n\n"))
    await expect(answer(server.url)).rejects.toThrow("sent an event that is not a JSON object: <html>")
  })

  test("can be given up", async () => {
    using server = startChatServer({ staysOpen: true })
    const controller = new AbortController()
    const texts: string[] = []
    const read = async () => {
      for await (const event of runnerAt(server).backend.chat(asked, controller.signal)) {
        if (event.type === "delta") texts.push(event.text)
        if (texts.length === 3) controller.abort()
      }
    }
    await expect(read()).rejects.toMatchObject({ code: "cancelled" })
    expect(texts).toEqual(["Hello", ", ", "world"])
  })
})

describe("a server", () => {
  test("is there where it says so", async () => {
    using server = startChatServer()
    expect(await new ServerClient(server).isThere()).toBe(true)
  })

  test.each([
    ["something else", () => new Response("<html>")],
    ["another JSON service", () => Response.json({ status: "ok" })],
    ["a failing one", () => Response.json({ status: "ok", version: "1" }, { status: 500 })],
  ])("is not there where %s answers", async (_what, respond) => {
    using server = serveAlways(respond)
    expect(await new ServerClient(server).isThere()).toBe(false)
  })

  test.each([
    ["requires an API key", undefined],
    ["does not accept the API key given", "wrong"],
  ])("that %s is no absent one", async (why, apiKey) => {
    using server = serveAlways(() =>
      Response.json({ error: { message: "no", code: "invalid_api_key" } }, { status: 401 }),
    )
    const client = new ServerClient({ url: server.url, ...(apiKey !== undefined && { apiKey }) })
    const message = `the server at ${server.url} ${why}: set XLLM_API_KEY to one of its keys`
    expect(await client.look()).toMatchObject({ code: "invalid_api_key", message })
    expect(await client.isThere()).toBe(false)
    await expect(client.ps()).rejects.toThrow(message)
  })

  test("tells what it has loaded", async () => {
    using server = startChatServer()
    expect(await new ServerClient(server).ps()).toEqual([loadedModel])
  })

  test("that cannot be reached is named", async () => {
    const url = nobody()
    expect(await new ServerClient({ url }).isThere()).toBe(false)
    await expect(new ServerClient({ url }).ps()).rejects.toThrow(
      `could not connect to a server at ${url}; start one with 'xllm serve'`,
    )
  })

  test("that refuses is quoted", async () => {
    using server = startChatServer()
    await expect(new ServerClient(server).stop("nope")).rejects.toMatchObject({
      code: "model_not_found",
      status: 404,
      message: "model 'nope' not found",
    })
  })

  test("that fails without our kind of error is named with the status", async () => {
    using server = serveAlways(() => new Response("Bad Gateway", { status: 502 }))
    await expect(new ServerClient(server).ps()).rejects.toThrow(
      `the server at ${server.url} answered 502 to /v0/ps`,
    )
  })

  test("that gives another answer than expected is named", async () => {
    using server = serveAlways(() => Response.json({ models: "none" }))
    await expect(new ServerClient(server).ps()).rejects.toThrow(
      "did not answer /v0/ps as an xLLM server does",
    )
  })
})

describe("loading a model at a server", () => {
  test("reports how far it is", async () => {
    const seen = Promise.withResolvers<void>()
    const server = Bun.serve({
      port: 0,
      async fetch({ url }) {
        if (url.endsWith("/v0/ps"))
          return Response.json({ models: [{ ...loadedModel, state: "loading", progress: 0.5 }] })
        await seen.promise
        return Response.json({ prompt: "" })
      },
    })
    const fractions: number[] = []
    await runnerAt({ url: `http://127.0.0.1:${server.port}` }).backend.preload("smol", never, (fraction) => {
      fractions.push(fraction)
      seen.resolve()
    })
    await server.stop(true)
    expect(fractions).toContain(0.5)
  })

  test("can be given up", async () => {
    const asked = Promise.withResolvers<void>()
    using server = serveAlways(() => new Response(new ReadableStream({ pull: () => void asked.resolve() })))
    const controller = new AbortController()
    const loading = runnerAt(server).backend.preload("smol", controller.signal)
    await asked.promise
    controller.abort()
    await expect(loading).rejects.toMatchObject({ code: "cancelled" })
  })
})

describe("finding a model", () => {
  test("a name that the server knows is taken", async () => {
    using server = startChatServer()
    expect(await runnerAt(server).find("other")).toBe("other")
  })

  test("a near miss is named", async () => {
    using server = startChatServer()
    await expect(runnerAt(server).find("smal")).rejects.toThrow("did you mean 'smol'?")
  })

  test("without any model says how to get one", async () => {
    using server = serveAlways((request) =>
      request.url.endsWith("/v1/models")
        ? Response.json({ data: [] })
        : Response.json({ error: { code: "model_not_found", message: "no" } }, { status: 404 }),
    )
    await expect(runnerAt(server).find("smol")).rejects.toThrow(
      `model 'smol' not found; the server at ${server.url} has no models yet: 'xllm pull qwen3:0.6b' downloads one`,
    )
  })

  test("a path is refused", async () => {
    using server = startChatServer()
    await expect(runnerAt(server).find("./smol.gguf")).rejects.toThrow("accepts model names, not paths")
  })
})

describe("a server is reached", () => {
  test("by a Unix socket, which messages name", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "x.sock")
    const server = Bun.serve({ unix: path, fetch: () => Response.json({ models: [loadedModel] }) })
    const client = new ServerClient({ url: "http://localhost", socket: path })
    expect(await client.ps()).toEqual([loadedModel])
    await server.stop(true)
    await expect(client.ps()).rejects.toThrow(`could not connect to a server at unix:${path}`)
  })

  test("with its key", async () => {
    const keys: (string | null)[] = []
    const server = Bun.serve({
      port: 0,
      fetch(request) {
        keys.push(request.headers.get("authorization"))
        return Response.json({ models: [] })
      },
    })
    const url = `http://127.0.0.1:${server.port}`
    await new ServerClient({ url, apiKey: "k" }).ps()
    await new ServerClient({ url }).ps()
    await server.stop(true)
    expect(keys).toEqual(["Bearer k", null])
  })
})
