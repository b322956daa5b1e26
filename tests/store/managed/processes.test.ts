import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createStore } from "../../../src/store"
import { parseModelName } from "../../../src/store/names"
import { cleanPartials } from "../../../src/store/pull/transfer/leftovers"
import { ModelsFolder } from "../../support/files/models-folder"

const CHILD = join(import.meta.dir, "../../support/store-child.ts")

/** A process at work on the models folder; killed at the end of the scope if it still runs. */
class Child implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">
  readonly #output: AsyncIterator<string>

  constructor(models: ModelsFolder, task: string, ...rest: readonly string[]) {
    this.#process = Bun.spawn([process.execPath, CHILD, models.path, task, ...rest], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    })
    this.#output = linesOf(this.#process.stdout)[Symbol.asyncIterator]()
  }

  /** The next thing that it tells. */
  async next(): Promise<string | undefined> {
    const { value, done } = await this.#output.next()
    return done === true ? undefined : value
  }

  async ready(): Promise<this> {
    expect(await this.next()).toBe("ready")
    return this
  }

  /** Lets it begin, or go on. */
  go(): void {
    void this.#process.stdin.write("go\n")
    void this.#process.stdin.flush()
  }

  /** Everything that it tells until its end. */
  async rest(): Promise<readonly string[]> {
    const lines: string[] = []
    for (let line = await this.next(); line !== undefined; line = await this.next()) lines.push(line)
    return lines
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL")
    await this.#process.exited
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = ""
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    yield* lines
  }
}

/** Runs tasks at the same time, and gives what each has told. */
async function atOnce(
  models: ModelsFolder,
  tasks: readonly (readonly string[])[],
): Promise<(readonly string[])[]> {
  await using children = new AsyncDisposableStack()
  const started = tasks.map(([task = "", ...rest]) => children.use(new Child(models, task, ...rest)))
  for (const child of started) await child.ready()
  for (const child of started) child.go()
  return await Promise.all(started.map((child) => child.rest()))
}

/** Every blob is what its name says, and every model has its blobs. */
async function expectSound(models: ModelsFolder): Promise<void> {
  const folder = join(models.path, "blobs")
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const hex = new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, name))).digest("hex")
    expect(name).toBe(`sha256-${hex}`)
  }
  const store = createStore({ modelsFolder: models.path })
  for (const { name } of await store.list()) {
    const { path } = await store.resolve(name)
    expect(existsSync(path)).toBeTrue()
    for (const { digest } of (await store.manifest(name))?.files ?? [])
      expect(await store.blobs.has(digest)).toBeTrue()
  }
}

describe("several processes", () => {
  test("install and remove models that share a file, and it stays as long as one needs it", async () => {
    using models = new ModelsFolder()
    const names = [0, 1, 2].map((child) => [0, 1, 2, 3].map((index) => `m${child}:t${index}`))
    for (const told of await atOnce(
      models,
      names.map((some) => ["shared", ...some]),
    )) {
      expect(told.at(-1)).toBe("done")
    }
    expect(await models.names()).toEqual(names.flat().sort())
    await expectSound(models)
    const [[last = ""] = [], ...others] = names
    const removed = await atOnce(models, [
      ["remove", ...(names[0] ?? []).slice(1)],
      ...others.map((some) => ["remove", ...some]),
    ])
    for (const told of removed) expect(told.at(-1)).toBe("done")
    expect(await models.names()).toEqual([last])
    await expectSound(models)
    await models.store.remove(last)
    expect(models.files()).toEqual([])
  })

  test("replace one model again and again while others look: it is the old one or the new one", async () => {
    using models = new ModelsFolder()
    await models.install("m", { "part-0.onnx": "version 0", "part-1.onnx": "same" }, { kind: "tts" })
    await using writer = new Child(models, "replace", "m", "25")
    await using another = new Child(models, "replace", "m", "25")
    for (const child of [writer, another]) (await child.ready()).go()
    const ids = new Set<string>()
    let isOver = false
    const ended = Promise.all([writer.rest(), another.rest()]).then((told) => {
      isOver = true
      return told
    })
    while (!isOver) {
      const store = createStore({ modelsFolder: models.path })
      ids.add((await store.resolve("m")).id)
      expect(await store.list()).toHaveLength(1)
    }
    for (const told of await ended) expect(told.at(-1)).toBe("done")
    // The one before, and both that it was replaced by.
    expect(ids.size).toBeLessThanOrEqual(3)
    await expectSound(models)
    expect(models.files("blobs")).toHaveLength(2)
    expect(models.files("tmp")).toEqual([])
  })

  test("hold blobs that another one would free", async () => {
    using models = new ModelsFolder()
    const { path } = await models.install("m", { "m.gguf": "content" })
    const digests = (await models.store.manifest("m"))?.files.map(({ digest }) => digest) ?? []
    await using child = await new Child(models, "hold", ...digests).ready()
    child.go()
    expect(await child.next()).toBe("holding")
    expect((await models.store.remove("m")).freedBytes).toBe(0)
    expect(existsSync(path)).toBeTrue()
    child.go()
    expect(await child.rest()).toEqual(["done"])
  })

  test("that was killed holds nothing", async () => {
    using models = new ModelsFolder()
    await models.install("m", { "m.gguf": "content" })
    const digests = (await models.store.manifest("m"))?.files.map(({ digest }) => digest) ?? []
    await using child = await new Child(models, "hold", ...digests).ready()
    child.go()
    expect(await child.next()).toBe("holding")
    await child.kill()
    expect((await models.store.remove("m")).freedBytes).toBe(7)
    expect(models.files()).toEqual([])
  })
})

describe("a process that is killed while it installs", () => {
  test("leaves what was there before, and nothing that stays", async () => {
    using models = new ModelsFolder()
    for (const steps of [1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 22]) {
      await using child = await new Child(models, "forever").ready()
      child.go()
      for (let step = 0; step < steps; step++) await child.next()
      await child.kill()
      await expectSound(models)
    }
    await models.store.tidy()
    expect(models.files("tmp")).toEqual([])
    await expectSound(models)
    for (const name of await models.names()) await models.store.remove(name)
    // Blobs that no manifest names yet are kept for a while: whoever made them may be going on.
    expect(models.files().filter((file) => !file.startsWith("blobs/"))).toEqual([])
  })
})

test("a process that ends in the middle of its work leaves no files that are being made", async () => {
  using models = new ModelsFolder()
  const [told = []] = await atOnce(models, [["quit"]])
  expect(told).toEqual(["working"])
  expect(readdirSync(join(models.path, "tmp"))).toEqual([])
})

describe("tidying", () => {
  test("keeps blobs without a model for a week, and downloads for ever", async () => {
    using models = new ModelsFolder()
    // As a process leaves it that is killed before it installs a model.
    await Bun.write(models.store.blobs.pathOf(`sha256:${"0".repeat(64)}`), "of nobody")
    await Bun.write(join(models.store.blobs.partialFolder, "sha256-00.part"), "half")
    await models.store.tidy()
    expect(models.files()).toHaveLength(2)
    using _later = laterBy(8 * 24 * 3600 * 1000)
    await models.store.tidy()
    expect(models.files()).toEqual(["partial/sha256-00.part"])
  })

  test("keeps what was made of models that are there", async () => {
    using models = new ModelsFolder()
    const { id } = await models.install("a", { "m.gguf": "content" })
    await models.store.copy("a", parseModelName("b"))
    for (const folder of [id, "0123456789ab"])
      await Bun.write(join(models.path, "derived", folder, "graph"), "x")
    await models.store.tidy()
    expect(models.files("derived")).toHaveLength(2)
    using _later = laterBy(8 * 24 * 3600 * 1000)
    await models.store.tidy()
    await models.store.remove("a")
    expect(models.files("derived")).toEqual([`${id}/graph`])
    await models.store.remove("b")
    expect(models.files("derived")).toEqual([])
  })

  test("keeps blobs that somebody is about to install", async () => {
    using models = new ModelsFolder()
    const blob = await models.store.blobs.addBytes(new TextEncoder().encode("soon"))
    using _later = laterBy(8 * 24 * 3600 * 1000)
    await createStore({ modelsFolder: models.path }).tidy()
    expect(await models.store.blobs.has(blob.digest)).toBeTrue()
  })

  test("takes nothing of Ollama's, whose models directory may be the same", async () => {
    using models = new ModelsFolder()
    const digest = `sha256:${"a".repeat(64)}` as const
    await Bun.write(models.store.blobs.pathOf(digest), "weights")
    await Bun.write(join(models.path, "blobs", `sha256-${"b".repeat(64)}-partial-0`), "half")
    const layers = [{ digest, mediaType: "application/vnd.ollama.image.model", size: 7 }]
    await Bun.write(
      join(models.path, "manifests/registry.ollama.ai/library/llama3/8b"),
      JSON.stringify({ layers }),
    )
    const before = models.files()
    await models.install("own", { "m.gguf": "weights of our own" })
    using _later = laterBy(8 * 24 * 3600 * 1000)
    await models.store.tidy()
    await models.store.remove("own")
    await models.store.tidy()
    expect(models.files()).toEqual(before)
  })

  test("takes nothing that others have put into its folders", async () => {
    using models = new ModelsFolder()
    const strange = [
      "blobs/notes.txt",
      "derived/mine/graph",
      "partial/report.json",
      "partial/report.tmp",
      "tmp/work.lock",
      "tmp/work/file",
      "views/mine/picture",
    ]
    for (const path of strange) await Bun.write(join(models.path, path), "x")
    using _later = laterBy(8 * 24 * 3600 * 1000)
    await models.install("own", { "m.gguf": "weights" })
    await models.store.remove("own")
    await models.store.tidy()
    await cleanPartials(models.store.blobs)
    expect(models.files()).toEqual(strange)
  })

  test("does nothing where there are no models", async () => {
    using models = new ModelsFolder()
    await models.store.tidy()
    expect(existsSync(models.path)).toBeFalse()
  })
})

/** The clock goes ahead until the end of the scope. */
function laterBy(ms: number): Disposable {
  const now = Date.now
  Date.now = () => now() + ms
  return { [Symbol.dispose]: () => void (Date.now = now) }
}
