import { expect, test } from "bun:test"
import { fakeServer, jsonOf } from "../../support/http"

const USABLE = [
  { name: "style", scale: 1, sizeBytes: 5 },
  { name: "other", scale: 0, sizeBytes: 6 },
]

test("adapters are listed with their numbers, names and strengths, and without paths", async () => {
  const { engine, get } = fakeServer()
  engine.usable = USABLE
  expect((await (await get("/lora-adapters")).json()) as unknown).toEqual([
    { id: 0, name: "style", path: "style.gguf", scale: 1 },
    { id: 1, name: "other", path: "other.gguf", scale: 0 },
  ])
})

test("their strengths can be set; those that are left out are not applied", async () => {
  const { engine, get, post } = fakeServer()
  engine.usable = USABLE
  const response = await post("/lora-adapters?model=tiny", [{ id: 1, scale: 0.25 }])
  expect(await jsonOf(response)).toEqual({ success: true })
  expect((await (await get("/lora-adapters")).json()) as unknown).toMatchObject([
    { scale: 0 },
    { scale: 0.25 },
  ])
})

test("a body that is no list, and a model that is not there, are refused", async () => {
  const { post } = fakeServer()
  expect((await post("/lora-adapters", { id: 0, scale: 1 })).status).toBe(400)
  expect((await post("/lora-adapters?model=none", [])).status).toBe(404)
})
