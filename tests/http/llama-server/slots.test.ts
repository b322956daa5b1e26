import { describe, expect, test } from "bun:test"
import { PromptsNotKept, SlotNotRestored } from "../../../src/errors/engine"
import { fakeServer, jsonOf } from "../../support/http"

describe("a slot", () => {
  test("is saved under a name", async () => {
    const { post, engine } = fakeServer()
    expect(await jsonOf(post("/slots/1?action=save", { filename: "slot1.bin" }))).toEqual({
      id_slot: 1,
      filename: "slot1.bin",
      n_saved: 12,
      n_written: 3456,
      timings: { save_ms: 7 },
    })
    expect(engine.slotRequests).toEqual([{ model: "tiny", slot: 1, action: "save", name: "slot1.bin" }])
  })

  test("is restored by that name", async () => {
    const { post, engine } = fakeServer()
    expect(await jsonOf(post("/slots/0?action=restore&model=tiny", { filename: "slot1.bin" }))).toEqual({
      id_slot: 0,
      filename: "slot1.bin",
      n_restored: 12,
      n_read: 3456,
      timings: { restore_ms: 7 },
    })
    expect(engine.slotRequests).toEqual([{ model: "tiny", slot: 0, action: "restore", name: "slot1.bin" }])
  })

  test("is erased, for which no body is needed", async () => {
    const { app, engine } = fakeServer()
    const response = await app.handle(
      new Request("http://localhost/slots/3?action=erase", { method: "POST" }),
    )
    expect(await response.json()).toEqual({ id_slot: 3, n_erased: 12 })
    expect(engine.slotRequests).toEqual([{ model: "tiny", slot: 3, action: "erase" }])
  })

  test("belongs to the requests with the same key, where keys have caches of their own", async () => {
    const { app, engine } = fakeServer(undefined, {
      settings: { apiKeys: ["secret"], cachePerKey: true },
    })
    const headers = { authorization: "Bearer secret" }
    await app.handle(new Request("http://localhost/slots/3?action=erase", { method: "POST", headers }))
    expect(engine.slotRequests).toEqual([
      { model: "tiny", slot: 3, action: "erase", cacheOwner: expect.any(String) },
    ])
  })
})

test.each([
  ["/slots/0?action=save", {}, "filename is required"],
  ["/slots/0?action=save", { filename: "../x" }, "Invalid filename"],
  ["/slots/0?action=save", { filename: "a\\b" }, "Invalid filename"],
  ["/slots/0?action=restore", { filename: ".." }, "Invalid filename"],
  ["/slots/0?action=restore", { filename: "a\u0000b" }, "Invalid filename"],
  ["/slots/0?action=restore", { filename: " " }, "Invalid filename"],
  ["/slots/x?action=restore", { filename: "a" }, "Invalid slot ID"],
  ["/slots/0?action=rename", { filename: "a" }, "Invalid action"],
  ["/slots/0", { filename: "a" }, "Invalid action"],
])("POST %s with %j is refused", async (path, body, message) => {
  const { post, engine } = fakeServer()
  const response = await post(path, body)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({
    error: { code: 400, type: "invalid_request_error", message: expect.stringContaining(message) },
  })
  expect(engine.slotRequests).toEqual([])
})

test.each([
  [
    "where prompts are not kept",
    new PromptsNotKept(),
    501,
    "not_supported_error",
    "This server does not support slots action",
  ],
  [
    "what cannot be restored",
    new SlotNotRestored("why"),
    400,
    "invalid_request_error",
    "Unable to restore slot: why",
  ],
] as const)("%s has llama-server's form", async (_what, error, code, type, message) => {
  const { post, engine } = fakeServer()
  engine.slotScript = () => {
    throw error
  }
  const response = await post("/slots/0?action=restore", { filename: "a" })
  expect(response.status).toBe(code)
  expect(await response.json()).toMatchObject({
    error: { code, type, message: expect.stringContaining(message) },
  })
})
