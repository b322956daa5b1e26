import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TimingsBody } from "../../src/http/render/timings"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { prose } from "../support/requests"
import { canMount, mountReadOnly, mountSmallDisk } from "../support/small-disk"
import { until } from "../support/until"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(120_000)

const LOADING = ["--ctx", "1k", "--kv-cells", "4k", "--gpu-layers", "0", "--kv-disk-min-tokens", "64"]

let xllm: Installation

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "a.gguf"))
})
afterAll(() => xllm[Symbol.dispose]())

const kv = () => join(xllm.home, ".xllm/cache/kv")
const files = (folder = kv()) => (existsSync(folder) ? readdirSync(folder) : [])

/** Starts a server; `flags` may change the folder, the limits and the slots. */
const serve = (...flags: readonly string[]) =>
  xllm.serve([], { loading: [...LOADING, "--slots", "4", ...flags] })

interface NativeAnswer {
  readonly content: string
  readonly timings: TimingsBody
}

interface ChatAnswer {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } }
  readonly timings: TimingsBody
}

/** What an answer's prompt was taken from, in tokens, and its text. */
async function ask(server: InstalledServer, seed: number, body: object = {}) {
  const messages = [{ role: "user", content: prose(seed, 500) }]
  const response = await server.chat({ model: "a", messages, max_tokens: 8, temperature: 0, ...body })
  // The route's answer has this type.
  const { choices, usage, timings } = (await response.json()) as ChatAnswer
  return {
    text: choices[0]?.message.content ?? "",
    evaluated: timings.prompt_n,
    cached: usage.prompt_tokens_details.cached_tokens,
    disk: timings.cache_disk_n ?? 0,
  }
}

test("a prompt is not evaluated again after the server was stopped and started, with other slots too", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using first = await serve()
  const cold = await ask(first, 1)
  expect(cold.cached).toBe(0)
  expect(await first.stop()).toBe(0)
  expect(files()).toHaveLength(1)
  await using second = await serve("--slots", "7", "--kv", "unified")
  const warm = await ask(second, 1)
  expect(warm).toEqual({
    text: cold.text,
    evaluated: 1,
    cached: cold.evaluated - 1,
    disk: cold.evaluated - 1,
  })
  expect((await ask(second, 1)).disk).toBe(0)
  const metrics = await (await second.get("/metrics")).text()
  expect(metrics).toContain('xllm_saved_prompts_total{model="a",result="hit"} 1')
  const listed = await xllm.run(["cache", "--json"])
  expect(JSON.parse(listed.out).prompts).toMatchObject([{ model: "a", uses: 1 }])
})

test("nor after its model was unloaded because nothing asked for it", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using server = await serve()
  const cold = await ask(server, 2, { keep_alive: 0 })
  await until(async () => (await server.loaded()).length === 0)
  expect(await ask(server, 2)).toMatchObject({ text: cold.text, evaluated: 1, disk: cold.evaluated - 1 })
})

test("a second signal ends the server while prompts are written, and leaves no part of a file", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using server = await serve()
  await ask(server, 13)
  // A worker that is stopped is never done writing.
  process.kill(await server.worker("a"), "SIGSTOP")
  server.kill("SIGTERM")
  await until(() =>
    server.get("/v0/health/ready").then(
      ({ ok }) => !ok,
      () => true,
    ),
  )
  server.kill("SIGTERM")
  expect(await server.exited).toBe(143)
  expect(files().filter((name) => name.endsWith(".kv"))).toEqual([])
})

test("after kill -9 what was written is used, and the rest is evaluated", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using first = await serve()
  const written = await ask(first, 3)
  await first.post("/v0/stop", { model: "a" })
  await until(() => files().length === 1)
  const lost = await ask(first, 4)
  first.kill("SIGKILL")
  await first.exited
  await using second = await serve()
  expect(await ask(second, 3)).toMatchObject({ text: written.text, disk: written.evaluated - 1 })
  expect(await ask(second, 4)).toMatchObject({ text: lost.text, disk: 0 })
})

test("two servers on one home use each other's prompts, and neither does without the setting", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using one = await serve()
  await using other = await serve()
  await using without = await serve("--no-kv-disk")
  for (const server of [one, other, without]) await ask(server, 0)
  const cold = await ask(one, 5)
  await one.post("/v0/stop", { model: "a" })
  await until(() => files().length === 2)
  expect(await ask(other, 5)).toMatchObject({ text: cold.text, disk: cold.evaluated - 1 })
  expect((await ask(without, 5)).disk).toBe(0)
  expect(await without.stop()).toBe(0)
  expect(files()).toHaveLength(2)
})

test("a prompt that is to be neither read nor written is not, and rm deletes the others", async () => {
  rmSync(kv(), { recursive: true, force: true })
  writeTinyModel(join(xllm.models, "gone.gguf"), { seed: 3 })
  await using server = await serve()
  await ask(server, 6, { model: "gone" })
  await ask(server, 7, { cache_prompt: false })
  await server.stop()
  expect(files()).toHaveLength(1)
  expect((await xllm.run(["rm", "gone"])).code).toBe(0)
  expect(files()).toEqual([])
})

test("the size limit holds", async () => {
  rmSync(kv(), { recursive: true, force: true })
  await using first = await serve("--kv-disk-max-bytes", "400KB")
  for (const seed of [8, 9, 10, 11]) await ask(first, seed)
  await first.stop()
  const bytes = files().reduce((sum, name) => sum + statSync(join(kv(), name)).size, 0)
  expect(files().length).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(400_000)
})

test.skipIf(!canMount)(
  "a full disk and a read-only folder cost a line in the log, and no answer",
  async () => {
    const disk = join(xllm.folder, "disk")
    using _disk = mountSmallDisk(disk, 1)
    try {
      writeFileSync(join(disk, "other"), Buffer.alloc(2 * 1024 ** 2))
    } catch {
      // Full, as intended.
    }
    const readOnly = join(xllm.folder, "read-only")
    mkdirSync(readOnly)
    using _readOnly = mountReadOnly(readOnly)
    for (const [folder, left] of [
      [disk, ["other"]],
      [readOnly, []],
    ] as const) {
      await using server = await serve("--kv-disk-dir", folder)
      expect((await ask(server, 12)).text.length).toBeGreaterThan(0)
      expect(await server.stop()).toBe(0)
      expect(files(folder)).toEqual([...left])
      if (folder === readOnly) expect(await server.log).toContain("prompts cannot be saved in")
    }
  },
)

test("a slot that was saved under a name is restored after a restart", async () => {
  rmSync(kv(), { recursive: true, force: true })
  const prompt = { prompt: prose(14, 500), id_slot: 2, n_predict: 8, temperature: 0 }
  await using first = await serve()
  // The routes' answers have these types.
  const cold = (await (await first.post("/completion", prompt)).json()) as NativeAnswer
  expect(cold).toMatchObject({ id_slot: 2 })
  const saving = await first.post("/slots/2?action=save", { filename: "talk.bin" })
  const saved = (await saving.json()) as { readonly n_saved: number; readonly n_written: number }
  expect(saved).toMatchObject({ id_slot: 2, filename: "talk.bin", n_saved: cold.timings.prompt_n + 7 })
  expect(await first.stop()).toBe(0)
  await using second = await serve("--kv-disk-min-tokens", "100000")
  const restored = await second.post("/slots/0?action=restore", { filename: "talk.bin" })
  expect(await restored.json()).toMatchObject({ n_restored: saved.n_saved, n_read: saved.n_written })
  const warm = await (await second.post("/completion", { ...prompt, id_slot: 0 })).json()
  expect(warm).toMatchObject({ id_slot: 0, content: cold.content, timings: { prompt_n: 1 } })
  const unknown = await second.post("/slots/0?action=restore", { filename: "other.bin" })
  expect(unknown.status).toBe(400)
  const listed = await xllm.run(["cache", "--json"])
  expect(JSON.parse(listed.out).prompts).toContainEqual(expect.objectContaining({ name: "talk.bin" }))
})
