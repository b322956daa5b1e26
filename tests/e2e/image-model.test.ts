import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyImageModel } from "../support/files/tiny-image-model"
import { Installation, type InstalledServer } from "../support/installation"
import { until } from "../support/until"

// Pictures give way to whatever else keeps the cores busy.
setDefaultTimeout(600_000)

let xllm: Installation

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyImageModel(join(xllm.models, "painter.safetensors"))
})
afterAll(() => xllm[Symbol.dispose]())

/** One thread: several wait for each other where others keep the cores busy. */
const LOADING = { loading: ["--threads", "1", "--gpu-layers", "0"] }
const SMALL = { model: "painter", prompt: "a cat", size: "64x64", cfg_scale: 1 }
const SHORT = { ...SMALL, steps: 1, seed: 1, response_format: "b64_json" }
/** Enough steps to be killed in. */
const LONG = { ...SMALL, steps: 150 }

async function draw(server: InstalledServer, format: string): Promise<Uint8Array> {
  const response = await server.post("/v1/images/generations", { ...SHORT, output_format: format })
  const body = (await response.json()) as { data?: readonly { b64_json: string }[] }
  return Buffer.from(body.data?.[0]?.b64_json ?? "", "base64")
}

/** Processes that draw and belong to this test's executable: they run what it has extracted. */
function sidecars(): readonly number[] {
  const runtime = join(xllm.home, ".xllm/runtime")
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandOf(pid).startsWith(runtime))
}

/** Empty where the process is gone, or only its exit status is left. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1")
  } catch {
    return ""
  }
}

describe("the executable, in a folder and a home of nothing", () => {
  test("makes pictures in every format", async () => {
    await using server = await xllm.serve([], LOADING)
    for (const format of ["png", "jpeg", "webp"]) {
      const picture = await draw(server, format)
      expect([format, await new Bun.Image(picture).metadata()]).toMatchObject([
        format,
        { format, width: 64, height: 64 },
      ])
    }
    expect(await server.stop()).toBe(0)
    await until(() => sidecars().length === 0)
  })

  test("loses a request and no more when the process that draws is killed", async () => {
    await using server = await xllm.serve([], LOADING)
    const stream = await server.post("/v1/images/generations", { ...LONG, stream: true })
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    const readOn = async (): Promise<boolean> => {
      const part = await reader?.read()
      text += part?.value ?? ""
      return part?.done !== false
    }
    await until(async () => (await readOn()) || /"step":\s*1\b/.test(text))
    const [sidecar] = sidecars()
    if (sidecar === undefined) throw new Error(`nobody draws, but: ${text}`)
    process.kill(sidecar, "SIGKILL")
    await until(readOn)
    expect(text).toContain('"code":"worker_crashed"')
    // How it drew is in the log; the worker ends as what draws for it did.
    expect(text).toContain("was killed (SIGKILL)")
    expect((await draw(server, "png")).length).toBeGreaterThan(100)
  })

  test("leaves no process that draws when it is killed itself", async () => {
    await using server = await xllm.serve([], LOADING)
    const drawing = server.post("/v1/images/generations", LONG).catch(() => undefined)
    await until(() => sidecars().length === 1)
    server.kill("SIGKILL")
    await server.exited
    await until(() => sidecars().length === 0)
    await drawing
  })
})
