import { afterAll, beforeAll, expect, test } from "bun:test"
import { linkSync } from "node:fs"
import { join } from "node:path"
import { writeTinyModel } from "../../support/files/tiny-model"
import { WatchedServer } from "../../support/start-watched"
import { tempFolder } from "../../support/temp-folder"

/** The most CPU time, in milliseconds, that anybody may take before others get their turn. */
const MOST_MS = 250

const MODELS = 500

const folder = tempFolder()
let server: WatchedServer

beforeAll(async () => {
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"), { layers: 1 })
  for (let index = 1; index < MODELS; index++) linkSync(path, join(folder.path, `m${index}.gguf`))
  server = await WatchedServer.start(folder.path)
})
afterAll(async () => {
  await server.stop()
  folder[Symbol.dispose]()
})

test("clients that poll long lists hold nobody up", async () => {
  const body = { model: "tiny", prompt: "the cat", raw: true, options: { num_predict: 500 } }
  expect((await server.post("/api/generate", { ...body, options: { num_predict: 1 } })).status).toBe(200)
  await server.busiestMs()
  const talking = (async () => (await server.post("/api/generate", body)).text())()
  const busiest: [path: string, ms: number][] = []
  // The first time every file is read.
  for (const path of ["/api/tags", "/v1/models", "/api/tags", "/v1/models", "/api/ps", "/api/tags"]) {
    const { models = [], data = [] } = (await (await fetch(server.url + path)).json()) as Record<
      string,
      object[]
    >
    expect(models.length + data.length).toBe(path === "/api/ps" ? 1 : MODELS)
    busiest.push([path, Math.round(await server.busiestMs())])
  }
  expect(busiest.filter(([, ms]) => ms > MOST_MS)).toEqual([])
  expect((await talking).trimEnd().split("\n").at(-1)).toContain('"done":true')
}, 120_000)
