import { describe, expect, test } from "bun:test"
import type { ModelLibrary } from "../../../src/http/context/library"
import { listen } from "../../../src/http/server/listen"
import { createStore } from "../../../src/store"
import { writeTinyModel } from "../../support/files/tiny-model"
import { errorOf, fakeServer, type Json, jsonOf } from "../../support/http"
import { tempFolder } from "../../support/temp-folder"
import { until } from "../../support/until"

/** A library whose downloads end as the test says. */
function library(pull: ModelLibrary["pull"], folder: string): ModelLibrary {
  return {
    store: createStore({ modelsFolder: folder }),
    pull,
    checkUpdates: () => Promise.resolve(new Map([["tiny", "available"] as const])),
  }
}

const never: ModelLibrary["pull"] = (_model, { signal, onEvent }) => {
  onEvent({
    type: "progress",
    status: "pulling abc",
    id: "abc",
    files: 1,
    digest: undefined,
    total: 100,
    completed: 40,
  })
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener("abort", () => reject(new Error("aborted")))
  return promise
}

describe("downloads without a client", () => {
  test("go on, are shown, and can be cancelled and forgotten", async () => {
    using folder = tempFolder()
    const { get, post, app } = fakeServer(undefined, { library: library(never, folder.path) })
    const remove = (id: unknown) =>
      app.handle(new Request(`http://localhost/v0/pulls/${String(id)}`, { method: "DELETE" }))
    const { id } = await jsonOf(post("/v0/pulls", { model: "org/name" }))
    expect(await jsonOf(post("/v0/pulls", { model: "ORG/name" }))).toMatchObject({ id })
    expect(await jsonOf(get("/v0/pulls"))).toMatchObject({
      pulls: [{ id, model: "org/name", state: "running", completed_bytes: 40, total_bytes: 100 }],
    })
    await remove(id)
    const over = await until(async () => {
      const [pull] = (await jsonOf(get("/v0/pulls")))["pulls"] as Json[]
      return pull?.["state"] === "cancelled" ? pull : undefined
    })
    expect(over).toMatchObject({ id, error: null })
    await remove(id)
    expect(await jsonOf(get("/v0/pulls"))).toEqual({ pulls: [] })
    expect(await errorOf(remove(id))).toMatchObject({ status: 404, code: "pull_not_found" })
  })

  test("are limited in number", async () => {
    using folder = tempFolder()
    const { post } = fakeServer(undefined, { library: library(never, folder.path) })
    for (let count = 0; count < 8; count++) await post("/v0/pulls", { model: `org/name-${count}` })
    expect(await errorOf(post("/v0/pulls", { model: "org/one-more" }))).toMatchObject({
      status: 429,
      code: "too_many_pulls",
    })
  })

  test("are refused for what is no name", async () => {
    using folder = tempFolder()
    const { post } = fakeServer(undefined, { library: library(never, folder.path) })
    expect(await errorOf(post("/v0/pulls", { model: "../x y" }))).toMatchObject({ status: 400 })
    expect(await errorOf(post("/v0/pulls", {}))).toMatchObject({ status: 400, param: "model" })
  })
})

describe("a model from the text of a Modelfile", () => {
  test("is made, and each fault has its line", async () => {
    using folder = tempFolder()
    await writeTinyModel(`${folder.path}/tiny.gguf`)
    const files = library(never, folder.path)
    const { post } = fakeServer(undefined, { library: files })
    const modelfile = "FROM tiny\nSYSTEM Be brief.\n"
    expect(await jsonOf(post("/v0/create", { model: "new", modelfile, check: true }))).toEqual({
      model: "new",
      faults: [],
    })
    expect(await jsonOf(post("/v0/create", { model: "new", modelfile }))).toEqual({ status: "success" })
    expect((await files.store.describe("new")).defaults?.system).toBe("Be brief.")
    const wrong = "FROM tiny\nADAPTER ./x.gguf\nNONSENSE 1\nFROM /etc/passwd\n"
    const checked = await jsonOf(post("/v0/create", { model: "new", modelfile: wrong, check: true }))
    expect((checked["faults"] as Json[]).map(({ line }) => line)).toEqual([2, 3, 4])
    const error = await errorOf(post("/v0/create", { model: "new", modelfile: wrong }))
    expect(error).toMatchObject({ status: 400, code: "invalid_modelfile" })
    expect((error["faults"] as Json[]).map(({ line }) => line)).toEqual([2, 3, 4])
  })

  test("reports its progress as lines, and a fault as one of them", async () => {
    using folder = tempFolder()
    await writeTinyModel(`${folder.path}/tiny.gguf`)
    const { post } = fakeServer(undefined, { library: library(never, folder.path) })
    const made = await post("/v0/create", { model: "new", modelfile: "FROM tiny\n", stream: true })
    expect((await made.text()).trim().split("\n").at(-1)).toBe('{"status":"success"}')
    const failed = await post("/v0/create", {
      model: "new",
      modelfile: "FROM tiny\nPARAMETER temperature hot",
      stream: true,
    })
    expect(await errorOf(failed)).toMatchObject({ status: 400, faults: [{ line: 2 }] })
  })
})

describe("what only the owner may do", () => {
  const reports = {
    settings: () => [
      { path: "server.port", shown: "1", value: 1, origin: { source: "default", name: "default" } },
    ],
    log: () => ["a line"],
  }

  test("is shown to clients on this machine", async () => {
    using folder = tempFolder()
    const { get } = fakeServer(undefined, { owner: reports, library: library(never, folder.path) })
    expect(await jsonOf(get("/v0/settings"))).toEqual({ settings: reports.settings() })
    expect(await jsonOf(get("/v0/log"))).toEqual({ lines: ["a line"] })
    expect(await jsonOf(get("/v0/updates"))).toEqual({ models: { tiny: "available" } })
  })

  test.each([
    ["GET", "/v0/settings"],
    ["GET", "/v0/log"],
    ["GET", "/v0/updates"],
    ["POST", "/v0/pulls"],
    ["DELETE", "/v0/pulls/1"],
    ["POST", "/v0/create"],
    ["DELETE", "/v0/requests/1"],
    ["POST", "/api/pull"],
    ["POST", "/api/create"],
    ["POST", "/api/copy"],
    ["DELETE", "/api/delete"],
    ["POST", `/api/blobs/sha256:${"0".repeat(64)}`],
  ])("%s %s takes a key from elsewhere", async (method, path) => {
    using folder = tempFolder()
    const options = { owner: reports, library: library(never, folder.path) }
    const elsewhere = { "x-forwarded-for": "192.0.2.1", "content-type": "application/json" }
    const body = method === "POST" ? "{}" : undefined
    const ask = (server: ReturnType<typeof fakeServer>, headers: Record<string, string>) =>
      server.app.handle(
        new Request(`http://localhost${path}`, { method, headers, ...(body !== undefined && { body }) }),
      )
    // Ollama's errors have no code.
    const refusal = await ask(fakeServer(undefined, options), elsewhere)
    expect([refusal.status, await refusal.text()]).toEqual([403, expect.stringContaining("other machines")])
    // The address of the connection itself: a handler that does not get at it would take everyone for the owner.
    const connected = fakeServer(undefined, options)
    Object.assign(connected.app, {
      server: { requestIP: () => ({ address: "192.0.2.1" }), timeout: () => {} },
    })
    expect((await ask(connected, { "content-type": "application/json" })).status).toBe(403)
    const keyed = fakeServer(undefined, { ...options, settings: { apiKeys: ["key"] } })
    const allowed = await ask(keyed, { ...elsewhere, authorization: "Bearer key" })
    expect(allowed.status).not.toBe(403)
    expect((await ask(keyed, elsewhere)).status).toBe(401)
  })

  test.each(["/v0/events", "/v0/log", "/v0/settings", "/v0/updates"])(
    "%s is refused to other sites' pages, which may embed what they cannot read",
    async (path) => {
      const { get } = fakeServer(undefined, { owner: reports })
      expect(await errorOf(get(path, { headers: { "sec-fetch-site": "cross-site" } }))).toMatchObject({
        status: 403,
        code: "origin_not_allowed",
      })
    },
  )

  test("is known by the address of a connection", async () => {
    const { app } = fakeServer(undefined, { owner: reports })
    const listener = await listen(app, { host: "127.0.0.1", port: 0 })
    try {
      expect((await fetch(`${listener.url}/v0/log`)).status).toBe(200)
    } finally {
      await listener.close()
    }
  })
})

describe("the list of models", () => {
  test("has each model once, with what is known of it", async () => {
    const { get } = fakeServer()
    expect(await jsonOf(get("/v0/models"))).toMatchObject({
      models: [{ name: "tiny", kind: "text", state: "unloaded", context_length: 256 }],
    })
    expect(await jsonOf(get("/v0/models/tiny"))).toMatchObject({ name: "tiny", files: [] })
    expect(await errorOf(get("/v0/models/no%2Fsuch"))).toMatchObject({ status: 404 })
    expect(await errorOf(get("/v0/models/%ff"))).toMatchObject({ status: 400 })
  })
})
