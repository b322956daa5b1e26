import { describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { importFromOllama, type OllamaImportEvent } from "../../../src/store/archive/from-ollama"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tempFolder } from "../../support/temp-folder"

/** A models folder as Ollama lays it out. */
class OllamaFolder implements Disposable {
  readonly #folder = tempFolder()

  get path(): string {
    return this.#folder.path
  }

  blob(content: string | Uint8Array) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    const hex = new Bun.CryptoHasher("sha256").update(bytes).digest("hex")
    const path = join(this.path, "blobs", `sha256-${hex}`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    return { digest: `sha256:${hex}`, size: bytes.length, path }
  }

  weights(): Uint8Array {
    const path = join(this.path, "tiny.gguf")
    writeTinyModel(path, { layers: 1 })
    const bytes = readFileSync(path)
    rmSync(path)
    return bytes
  }

  /** Writes a manifest; layers by the last word of their media type. */
  model(name: string, layers: readonly (readonly [kind: string, content: string | Uint8Array])[]): void {
    const listed = layers.map(([kind, content]) => {
      const { digest, size } = this.blob(content)
      return { mediaType: `application/vnd.ollama.image.${kind}`, digest, size }
    })
    const { digest, size } = this.blob(JSON.stringify({ model_format: "gguf", model_family: "llama" }))
    const config = { mediaType: "application/vnd.docker.container.image.v1+json", digest, size }
    this.manifest(name, JSON.stringify({ schemaVersion: 2, config, layers: listed }))
  }

  manifest(name: string, text: string): void {
    const path = join(this.path, "manifests", name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]()
  }
}

async function importAll(models: ModelsFolder, ollama: OllamaFolder, replace = false) {
  const events: OllamaImportEvent[] = []
  await importFromOllama({
    store: models.store,
    folder: ollama.path,
    replace,
    signal: new AbortController().signal,
    report: (event) => void events.push(event),
  })
  return events.filter(({ type }) => type !== "progress")
}

const LLAMA = "registry.ollama.ai/library/tale/1b"

describe("the models of an Ollama", () => {
  test("are installed with what they bring along, and share their files with it", async () => {
    using models = new ModelsFolder()
    using ollama = new OllamaFolder()
    const weights = ollama.weights()
    ollama.model(LLAMA, [
      ["model", weights],
      ["template", "{{ .Prompt }}"],
      ["system", "Be brief."],
      ["params", `{"stop":["</s>"],"temperature":0.5}`],
      ["license", "MIT"],
    ])
    ollama.model("hf.co/someone/Tale-GGUF/Q4_K_M", [["model", weights]])
    expect(await importAll(models, ollama)).toEqual([
      { type: "imported", model: "someone/Tale-GGUF:Q4_K_M" },
      { type: "imported", model: "tale:1b" },
    ])
    expect(await models.store.manifest("tale:1b")).toMatchObject({
      kind: "text",
      system: "Be brief.",
      parameters: { stop: ["</s>"], temperature: 0.5 },
      template: { text: "{{ .Prompt }}", syntax: "go" },
      licenses: ["MIT"],
      source: { type: "ollama", reference: "tale:1b" },
    })
    const { path } = await models.store.resolve("tale:1b")
    const original = ollama.blob(weights).path
    expect(readFileSync(path)).toEqual(Buffer.from(weights))
    expect(statSync(path).ino).toBe(statSync(original).ino)
  })

  test("stay Ollama's: nothing of it changes, and removing one here takes nothing there", async () => {
    using models = new ModelsFolder()
    using ollama = new OllamaFolder()
    const weights = ollama.weights()
    ollama.model(LLAMA, [["model", weights]])
    await importAll(models, ollama)
    await models.store.remove("tale:1b")
    expect(existsSync(ollama.blob(weights).path)).toBe(true)
  })

  test("come again without complaint, and replace others of their names only when told so", async () => {
    using models = new ModelsFolder()
    using ollama = new OllamaFolder()
    ollama.model(LLAMA, [["model", ollama.weights()]])
    await importAll(models, ollama)
    expect(await importAll(models, ollama)).toEqual([{ type: "imported", model: "tale:1b" }])
    await models.install("tale:1b", { "m.gguf": "another" })
    expect(await importAll(models, ollama)).toMatchObject([
      { type: "skipped", reason: expect.stringContaining("already exists") },
    ])
    expect(await importAll(models, ollama, true)).toEqual([{ type: "imported", model: "tale:1b" }])
  })

  test.each([
    [
      "whose weights are missing",
      "is missing",
      (ollama: OllamaFolder) => rmSync(ollama.blob(ollama.weights()).path),
    ],
    [
      "whose weights are damaged",
      "its content is damaged",
      (ollama: OllamaFolder) => {
        const weights = ollama.weights()
        const { path } = ollama.blob(weights)
        const damaged = Uint8Array.from(weights)
        damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
        writeFileSync(path, damaged)
      },
    ],
    [
      "whose weights are cut short",
      "should have",
      (ollama: OllamaFolder) => writeFileSync(ollama.blob(ollama.weights()).path, "x"),
    ],
    ["whose manifest is no manifest", "manifest", (ollama: OllamaFolder) => ollama.manifest(LLAMA, "{")],
    [
      "whose manifest leads elsewhere",
      "without a SHA-256",
      (ollama: OllamaFolder) => {
        const layers = [
          { mediaType: "application/vnd.ollama.image.model", digest: "sha256:../../etc", size: 1 },
        ]
        ollama.manifest(LLAMA, JSON.stringify({ schemaVersion: 2, layers }))
      },
    ],
    ["made of safetensors", "safetensors", (ollama: OllamaFolder) => ollama.model(LLAMA, [["tensor", "x"]])],
  ])("%s are left out, and the others come", async (_what, says, damage) => {
    using models = new ModelsFolder()
    using ollama = new OllamaFolder()
    ollama.model(LLAMA, [["model", ollama.weights()]])
    damage(ollama)
    writeTinyModel(join(ollama.path, "other.gguf"), { layers: 2 })
    ollama.model("registry.ollama.ai/library/zebra/latest", [
      ["model", readFileSync(join(ollama.path, "other.gguf"))],
    ])
    expect(await importAll(models, ollama)).toEqual([
      { type: "skipped", model: "tale:1b", reason: expect.stringContaining(says) },
      { type: "imported", model: "zebra:latest" },
    ])
    expect(await models.names()).toEqual(["zebra:latest"])
  })

  test("are looked for in a folder of Ollama's only", async () => {
    using models = new ModelsFolder()
    using other = tempFolder()
    const work = importFromOllama({
      store: models.store,
      folder: other.path,
      replace: false,
      signal: new AbortController().signal,
      report() {},
    })
    await expect(work).rejects.toThrow("not an Ollama models directory")
  })
})
