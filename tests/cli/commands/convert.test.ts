import { describe, expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { FakeHub } from "../../support/fakes/fake-hub"
import { summarizeGguf } from "../../support/hf/gguf-summary"
import { tinyRepository } from "../../support/hf/hub-files"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

const UNNEEDED = { "pytorch_model.bin": "a pickle", "onnx/model.onnx": "x".repeat(5000), "training.log": "" }

class Place implements AsyncDisposable {
  readonly hub: FakeHub
  readonly #folder = tempFolder()

  constructor(hub: FakeHub) {
    this.hub = hub
  }

  pathOf(name: string): string {
    return join(this.#folder.path, name)
  }

  async convert(...argv: string[]) {
    const environment = { XLLM_HOME: this.pathOf("home"), HF_ENDPOINT: this.hub.url }
    return await runXllm(["convert", ...argv], { environment })
  }

  /** Files that were asked for, without the listings. */
  get downloads(): readonly string[] {
    const paths = this.hub.api.requests.map(({ path }) => /\/resolve\/[^/]+\/([^?]+)/.exec(path)?.[1])
    return [...new Set(paths.filter((path) => path !== undefined))].sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]()
    this.#folder[Symbol.dispose]()
  }
}

describe("a repository on Hugging Face", () => {
  test("is downloaded without what is not needed, and converted", async () => {
    await using it = new Place(await FakeHub.start())
    const files = tinyRepository("qwen2")
    it.hub.repositories["org/Tiny-Qwen"] = { files: { ...files, ...UNNEEDED } }
    const out = it.pathOf("tiny.gguf")
    const planned = await it.convert("hf:org/Tiny-Qwen", "-o", out, "--pre", "qwen2", "--dry-run", "--json")
    expect(JSON.parse(planned.out)).toMatchObject({ repository: "org/Tiny-Qwen", files: Object.keys(files) })
    expect(it.downloads).toEqual([])
    const made = await it.convert("hf:org/Tiny-Qwen", "-o", out, "--pre", "qwen2")
    expect(made).toMatchObject({ code: 0, out: `wrote ${out}\n` })
    expect(it.downloads).toEqual(Object.keys(files).sort())
    expect(summarizeGguf(out).keys).toMatchObject({ "general.name": '"Tiny Qwen"' })
    const again = await it.convert("hf:org/Tiny-Qwen@main", "-o", it.pathOf("again.gguf"), "--pre", "qwen2")
    expect(again.code).toBe(0)
    expect(await Bun.file(it.pathOf("again.gguf")).bytes()).toEqual(await Bun.file(out).bytes())
  })

  test("stays downloaded for the next attempt where its conversion fails", async () => {
    await using it = new Place(await FakeHub.start())
    it.hub.repositories["org/tiny"] = { files: tinyRepository("qwen2") }
    const out = it.pathOf("tiny.gguf")
    const failed = await it.convert("hf:org/tiny", "-o", out, "--pre", "none")
    expect(failed.code).toBe(1)
    const failedLater = await it.convert("hf:org/tiny", "-o", it.pathOf("absent/tiny.gguf"), "--pre", "qwen2")
    expect(failedLater.code).toBe(1)
    it.hub.api.requests.length = 0
    expect((await it.convert("hf:org/tiny", "-o", out, "--pre", "qwen2")).code).toBe(0)
    expect(it.downloads).toEqual([])
  })

  test("with a file that is not the one listed becomes nothing", async () => {
    await using it = new Place(await FakeHub.start())
    it.hub.repositories["org/tiny"] = { files: tinyRepository("qwen2"), wrongSums: ["tokenizer.json"] }
    const out = it.pathOf("tiny.gguf")
    const failed = await it.convert("hf:org/tiny", "-o", out, "--pre", "qwen2")
    expect(failed).toMatchObject({ code: 1, out: "" })
    expect(failed.err).toContain("tokenizer.json")
    expect(existsSync(out)).toBe(false)
  })

  test("is refused where nothing in it can be converted", async () => {
    await using it = new Place(await FakeHub.start())
    it.hub.repositories["org/old"] = { files: { "config.json": "{}", "pytorch_model.bin": "x" } }
    it.hub.repositories["org/done"] = { files: { "a.gguf": "x" } }
    it.hub.repositories["org/new"] = { files: tinyRepository("qwen2") }
    const fault = async (name: string) => (await it.convert(name)).err
    expect(await fault("hf:org/old")).toContain(
      "hf:org/old: its weights are in 'pytorch_model.bin', a pickle",
    )
    expect(await fault("hf:org/done")).toContain("it has GGUF files, which need no conversion")
    expect(await fault("hf:org/new@v9")).toContain("model 'org/new@v9' not found on Hugging Face")
    expect(await fault("hf:org/../x")).toContain("invalid model name")
    expect(it.downloads).toEqual([])
  })
})
