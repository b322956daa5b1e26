import { describe, expect, test } from "bun:test"
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { InvalidManifest } from "../../../src/errors/store"
import { createStore } from "../../../src/store"
import { parseManifest } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { failure } from "../../support/failure"
import { manifestOf, ModelsFolder } from "../../support/files/models-folder"
import { mulberry } from "../../support/files/mulberry"
import { writeTinyModel } from "../../support/files/tiny-model"

describe("an installed model", () => {
  test("is listed, resolved and described under its name", async () => {
    using models = new ModelsFolder()
    const summary = await models.installTiny("llama3:1b", { contextLength: 321 })
    expect(summary).toMatchObject({
      name: "llama3:1b",
      kind: "text",
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(await models.store.list()).toEqual([summary])
    expect(await models.store.resolve("llama3:1b")).toEqual(summary)
    expect(await models.store.describe("llama3:1b")).toMatchObject({ ...summary, contextLength: 321 })
    expect(summary.sizeBytes).toBe(statSync(summary.path).size)
  })

  test.each([
    ["llama3", "llama3:latest"],
    ["llama3", "LLAMA3:Latest"],
    ["Qwen/Qwen3-GGUF:Q4_K_M", "hf:qwen/qwen3-gguf:q4_k_m"],
    ["Qwen/Qwen3-GGUF:Q4_K_M", "HuggingFace.co/Qwen/Qwen3-GGUF:Q4_K_M"],
    ["ollama:someone/m", "registry.ollama.ai/someone/m"],
    ["localhost:5000/team/m:v1", "localhost:5000/team/M:V1"],
  ])("called %s is found as %s", async (name, asked) => {
    using models = new ModelsFolder()
    const summary = await models.install(name, { "m.gguf": "content" })
    expect(await models.store.resolve(asked)).toEqual(summary)
  })

  test.each([
    "other",
    "llama3:8b",
    "hf:llama3/llama3",
    "ollama:llama3/llama3",
    "llama3:",
    "../llama3",
    "",
    "a\0b",
  ])("called llama3:latest is not found as %p", async (asked) => {
    using models = new ModelsFolder()
    await models.install("llama3", { "m.gguf": "content" })
    expect((await failure(models.store.resolve(asked))).code).toBe("model_not_found")
  })

  test("gives way to a file that was dropped in under the same name", async () => {
    using models = new ModelsFolder()
    await models.install("m", { "m.gguf": "content" })
    expect((await models.store.resolve("m")).name).toBe("m:latest")
    await writeTinyModel(join(models.path, "m.gguf"), { layers: 1 })
    expect((await models.store.resolve("m")).name).toBe("m")
    expect((await models.store.resolve("m:latest")).name).toBe("m:latest")
    expect((await models.store.resolve("M")).name).toBe("m")
    expect(await models.names()).toEqual(["m", "m:latest"])
  })

  test("gives way to a dropped-in file in whatever case, but for its name with the tag", async () => {
    using models = new ModelsFolder()
    await models.install("small", { "m.gguf": "content" })
    await writeTinyModel(join(models.path, "Small.gguf"), { layers: 1 })
    for (const name of ["small", "Small", "SMALL"]) {
      expect((await models.store.resolve(name)).name).toBe("Small")
    }
    expect((await models.store.resolve("SMALL:Latest")).name).toBe("small:latest")
  })

  test("that is removed by its name leaves a file of that name where it is, and the other way round", async () => {
    using models = new ModelsFolder()
    const path = join(models.path, "Small.gguf")
    await models.install("small", { "m.gguf": "content" })
    await writeTinyModel(path, { layers: 1 })
    expect(await models.store.remove("small")).toMatchObject({ name: "Small", paths: [path] })
    expect(await models.names()).toEqual(["small:latest"])
    await writeTinyModel(path, { layers: 1 })
    expect((await models.store.remove("small:latest")).name).toBe("small:latest")
    expect(await models.names()).toEqual(["Small"])
  })

  test("is not removed in place of another one that had its name when it was meant", async () => {
    using models = new ModelsFolder()
    const { id } = await models.install("m", { "m.gguf": "old" })
    await models.install("m", { "m.gguf": "new" })
    expect((await failure(models.store.remove("m:latest", id))).message).toBe(
      "model 'm:latest' not found: the name was given to another model meanwhile; nothing was deleted",
    )
    const path = join(models.path, "m.gguf")
    await writeTinyModel(path, { layers: 1 })
    const dropped = await models.store.resolve("m")
    rmSync(path)
    expect((await failure(models.store.remove(dropped.name, dropped.id))).code).toBe("model_not_found")
    expect(await models.names()).toEqual(["m:latest"])
  })

  test("has the same id under every name, whenever it was installed, and another for other content", async () => {
    using models = new ModelsFolder()
    const first = await models.install("a", { "m.gguf": "content" })
    const again = await models.install(
      "b",
      { "m.gguf": "content" },
      { createdAt: "2026-02-02T00:00:00Z", source: { type: "import", reference: "x.tar.zst" } },
    )
    const other = await models.install("c", { "m.gguf": "content" }, { system: "Be brief." })
    expect(again.id).toBe(first.id)
    expect(other.id).not.toBe(first.id)
    expect(other.path).toBe(first.path)
  })

  test("replaces the one that had its name, in whatever case, and frees what only that one used", async () => {
    using models = new ModelsFolder()
    const old = await models.install("Llama3", { "m.gguf": "old" })
    const fresh = await models.install("llama3", { "m.gguf": "new" })
    expect(fresh.name).toBe("Llama3:latest")
    expect(await models.names()).toEqual(["Llama3:latest"])
    expect(existsSync(old.path)).toBeFalse()
    expect(readFileSync(fresh.path, "utf8")).toBe("new")
  })

  test("shares its folders with another case of its name", async () => {
    using models = new ModelsFolder()
    await models.install("Qwen/Qwen3:q4", { "m.gguf": "4" })
    await models.install("qwen/qwen3:q8", { "m.gguf": "8" })
    expect(await models.names()).toEqual(["Qwen/Qwen3:q4", "Qwen/Qwen3:q8"])
    expect((await models.store.resolve("QWEN/QWEN3:Q8")).name).toBe("Qwen/Qwen3:q8")
  })

  test("that lacks a file is not installed, and the one before stays", async () => {
    using models = new ModelsFolder()
    const before = await models.install("m", { "m.gguf": "content" })
    const digest = `sha256:${"0".repeat(64)}` as const
    const manifest = manifestOf([{ name: "x.gguf", role: "model", digest, sizeBytes: 1 }])
    const error = await failure(models.store.install(parseModelName("m"), manifest))
    expect(error).toMatchObject({ code: "blob_missing", details: { digests: [digest] } })
    expect(await models.store.list()).toEqual([before])
  })

  test("needs a folder that can be written to", async () => {
    using models = new ModelsFolder()
    writeFileSync(models.path, "a file in its place")
    const error = await failure(models.install("m", { "m.gguf": "content" }))
    expect(error.code).toBe("models_folder_unwritable")
    expect(error.message).toContain(models.path)
    expect(await models.names()).toEqual([])
  })

  test("whose manifest could not be read again is not installed", async () => {
    using models = new ModelsFolder()
    for (const name of ["../../out", "/etc/out", "a/../../out", "a\0b", "", "."]) {
      expect((await failure(models.install("m", { [name]: "x" }))).code).toBe("invalid_manifest")
    }
    expect((await failure(models.install("m", { a: "x", "a/b": "y" }, { kind: "tts" }))).message).toContain(
      "one place",
    )
    expect(await models.names()).toEqual([])
    expect(existsSync(join(models.home, "out"))).toBeFalse()
  })

  test("of several files is one folder with their names, however it is called", async () => {
    using models = new ModelsFolder()
    const files = { "voice.onnx": "network", "voice.onnx.json": "{}", "data/de_dict": "words" }
    const voice = await models.install("a/joe:medium", files, { kind: "tts" })
    const same = await models.install("joe", files, { kind: "tts" })
    expect(voice).toMatchObject({ kind: "tts", sizeBytes: 14 })
    expect(same.path).toBe(voice.path)
    for (const [name, text] of Object.entries(files)) {
      expect(readFileSync(join(voice.path, name), "utf8")).toBe(text)
    }
  })

  test("whose folder was damaged is put together again when it is asked for", async () => {
    using models = new ModelsFolder()
    const voice = await models.install("joe", { "a.onnx": "A", "b.json": "B" }, { kind: "tts" })
    rmSync(join(voice.path, "a.onnx"))
    const another = createStore({ modelsFolder: models.path })
    expect((await another.resolve("joe")).path).toBe(voice.path)
    expect(readFileSync(join(voice.path, "a.onnx"), "utf8")).toBe("A")
    rmSync(voice.path, { recursive: true })
    await another.resolve("joe")
    expect(readFileSync(join(voice.path, "b.json"), "utf8")).toBe("B")
  })

  test("one of whose files is lost says so, and can be removed", async () => {
    using models = new ModelsFolder()
    const { path } = await models.install("joe", { "a.onnx": "A", "b.json": "B" }, { kind: "tts" })
    const [blob = ""] = models.files("blobs")
    rmSync(join(models.path, "blobs", blob))
    rmSync(path, { recursive: true })
    expect((await failure(models.store.describe("joe"))).message).toContain(blob)
    expect((await models.store.resolve("joe")).name).toBe("joe:latest")
    await models.store.remove("joe")
    expect(models.files()).toEqual([])
  })

  test("of a split GGUF is loaded by its first part, in a folder with the others", async () => {
    using models = new ModelsFolder()
    const names = ["m-00002-of-00002.gguf", "m-00001-of-00002.gguf"]
    const { path } = await models.install("m", Object.fromEntries(names.map((name) => [name, name])))
    expect(path).toEndWith("/m-00001-of-00002.gguf")
    expect(readFileSync(path.replace("00001-of", "00002-of"), "utf8")).toBe("m-00002-of-00002.gguf")
  })

  test("is newer the later it was installed", async () => {
    using models = new ModelsFolder()
    for (const [name, seconds] of [
      ["old", 1000],
      ["new", 3000],
    ] as const) {
      await models.install(name, { "m.gguf": name })
      const path = join(models.path, `manifests/registry.ollama.ai/library/${name}/latest.json`)
      utimesSync(path, seconds, seconds)
    }
    await writeTinyModel(join(models.path, "middle.gguf"), { layers: 1 })
    utimesSync(join(models.path, "middle.gguf"), 2000, 2000)
    expect((await models.store.list()).map(({ name }) => name)).toEqual([
      "new:latest",
      "middle",
      "old:latest",
    ])
  })
})

describe("manifests that something is wrong with", () => {
  const GOOD = JSON.stringify(
    manifestOf([{ name: "m.gguf", role: "model", digest: `sha256:${"a".repeat(64)}`, sizeBytes: 5 }]),
  )
  const DAMAGED: readonly (readonly [what: string, text: string | Uint8Array])[] = [
    ["empty", ""],
    ["cut short", GOOD.slice(0, 50)],
    ["not JSON", "hello"],
    ["not UTF-8", new Uint8Array([0x7b, 0xff, 0xfe])],
    ["a list", "[]"],
    ["null", "null"],
    ["of a later version", GOOD.replace(`"version":1`, `"version":2`)],
    ["of an unknown kind", GOOD.replace(`"text"`, `"game"`)],
    ["without files", GOOD.replace(/"files":\[.*?\]/, `"files":[]`)],
    ["with a path in a digest", GOOD.replace(/sha256:a+/, "sha256:../../../../etc/passwd")],
    ["with a short digest", GOOD.replace(/sha256:a+/, "sha256:abc")],
    ["with capitals in a digest", GOOD.replace(/sha256:a+/, `sha256:${"A".repeat(64)}`)],
    ["with a digest and more", GOOD.replace(/sha256:a+/, `sha256:${"a".repeat(64)}/../x`)],
    ["with a name that leads out", GOOD.replace("m.gguf", "../../m.gguf")],
    ["with an absolute name", GOOD.replace("m.gguf", "/etc/m.gguf")],
    ["with a backslash in a name", GOOD.replace("m.gguf", "..\\\\m.gguf")],
    ["with a negative size", GOOD.replace(`"sizeBytes":5`, `"sizeBytes":-5`)],
    ["with an impossible size", GOOD.replace(`"sizeBytes":5`, `"sizeBytes":1e300`)],
    ["with a wrong type", GOOD.replace(`"parameters":{}`, `"parameters":{"stop":{"a":1}}`)],
    ["with text for a list", GOOD.replace(`"parameters":{}`, `"parameters":{},"licenses":"MIT"`)],
    ["with a wrong date", GOOD.replace("2026-01-01T00:00:00Z", "yesterday")],
    ["with a role that is none", GOOD.replace(`"role":"model"`, `"role":"boss"`)],
    ["without weights", GOOD.replace(`"role":"model"`, `"role":"adapter"`)],
  ]

  test.each(DAMAGED)("%s: it is left out and told of once", async (_what, text) => {
    using models = new ModelsFolder()
    await models.install("good", { "m.gguf": "content" })
    const folder = join(models.path, "manifests/registry.ollama.ai/library/bad")
    mkdirSync(folder)
    writeFileSync(join(folder, "latest.json"), text)
    for (let time = 0; time < 3; time++) expect(await models.names()).toEqual(["good:latest"])
    expect(await failure(models.store.resolve("bad"))).toMatchObject({
      code: "model_not_found",
      message:
        "model 'bad' not found: its description is damaged, or of a later version; 'xllm pull bad:latest' replaces it, " +
        "'xllm rm bad:latest' deletes it",
    })
    expect(models.warnings).toEqual([
      {
        event: "damaged manifest",
        fields: { path: join(folder, "latest.json"), reason: expect.any(String) },
      },
    ])
    // It can be repaired by installing the model anew.
    await models.install("bad", { "m.gguf": "better" })
    expect(await models.names()).toEqual(["bad:latest", "good:latest"])
  })

  test("of any bytes: they are read, or refused with a reason", async () => {
    const random = mulberry(7)
    const pieces = [
      "../",
      "sha256:",
      "\\",
      '"',
      "{",
      "[",
      "null",
      "-1",
      "1e999",
      "\u0000",
      "__proto__",
      "files",
      ",",
    ]
    let read = 0
    for (let round = 0; round < 1000; round++) {
      let text = GOOD
      for (let change = 0; change <= random() * 3; change++) {
        const at = Math.floor(random() * text.length)
        const piece = pieces[Math.floor(random() * pieces.length)] ?? ""
        text = text.slice(0, at) + piece + text.slice(at + Math.floor(random() * 4))
      }
      try {
        const { files } = await parseManifest(Buffer.from(text))
        read++
        for (const { name, digest } of files) {
          expect(name.split("/")).not.toContain("..")
          expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidManifest)
      }
    }
    expect(read).toBeGreaterThan(0)
  })

  test("far too large: it is left out without being read", async () => {
    using models = new ModelsFolder()
    const folder = join(models.path, "manifests/registry.ollama.ai/library/bad")
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "latest.json"), "")
    truncateSync(join(folder, "latest.json"), 8 * 1024 ** 3)
    expect(await models.names()).toEqual([])
    expect(models.warnings[0]?.fields["reason"]).toContain("larger than any manifest")
  })

  test("in places that are no names: they are left out", async () => {
    using models = new ModelsFolder()
    await models.install("good", { "m.gguf": "content" })
    const at = (path: string) => join(models.path, "manifests", path)
    for (const path of [
      "x.json",
      "hf.co/a b/c/d.json",
      "hf.co/a/.b/latest.json",
      "hf.co/a/b/c.txt",
      "HF.co/a/b/c.json",
    ]) {
      mkdirSync(join(at(path), ".."), { recursive: true })
      writeFileSync(at(path), readFileSync(at("registry.ollama.ai/library/good/latest.json")))
    }
    mkdirSync(at("hf.co/a/b/folder.json"), { recursive: true })
    symlinkSync("/dev/zero", at("hf.co/a/b/endless.json"))
    symlinkSync(at("circle"), at("circle"))
    expect(await models.names()).toEqual(["good:latest"])
  })
})

describe("removing", () => {
  test("frees the blobs that no other model uses", async () => {
    using models = new ModelsFolder()
    await models.install("a", { "shared.gguf": "shared" })
    await models.install("b", { "shared.gguf": "shared" }, { system: "other" })
    const c = await models.install("c", { "own.gguf": "own" })
    expect(await models.store.remove("A")).toEqual({ name: "a:latest", freedBytes: 0 })
    expect(await models.store.remove("c")).toEqual({ name: "c:latest", freedBytes: 3 })
    expect(existsSync(c.path)).toBeFalse()
    expect(await models.names()).toEqual(["b:latest"])
    expect(await models.store.remove("b:latest")).toEqual({ name: "b:latest", freedBytes: 6 })
    expect(models.files()).toEqual([])
  })

  test("takes the folder of a model of several files along, once nobody uses it", async () => {
    using models = new ModelsFolder()
    const files = { "a.onnx": "A", "b.json": "B" }
    const { path } = await models.install("one", files, { kind: "tts" })
    await models.store.copy("one", parseModelName("two"))
    await models.store.remove("one")
    expect(readFileSync(join(path, "a.onnx"), "utf8")).toBe("A")
    await models.store.remove("two")
    expect(existsSync(path)).toBeFalse()
    expect(models.files()).toEqual([])
  })

  test("spares blobs that a damaged manifest, or one of a later version, names", async () => {
    using models = new ModelsFolder()
    const { path } = await models.install("a", { "m.gguf": "content" })
    const folder = join(models.path, "manifests/registry.ollama.ai/library/a")
    writeFileSync(
      join(folder, "next.json"),
      readFileSync(join(folder, "latest.json"), "utf8").replace(`"version": 1`, `"version": 2`),
    )
    expect((await models.store.remove("a")).freedBytes).toBe(0)
    expect(existsSync(path)).toBeTrue()
  })

  test("spares blobs that a download in progress holds, until it is over", async () => {
    using models = new ModelsFolder()
    const first = await models.install("a", { "m.gguf": "content" })
    const manifest = await models.store.manifest("a")
    const digests = manifest?.files.map(({ digest }) => digest) ?? []
    {
      await using _held = await createStore({ modelsFolder: models.path }).blobs.hold(digests)
      expect((await models.store.remove("a")).freedBytes).toBe(0)
      expect(existsSync(first.path)).toBeTrue()
    }
    await models.install("a", { "m.gguf": "content" })
    expect((await models.store.remove("a")).freedBytes).toBe(7)
    expect(models.files()).toEqual([])
  })

  test("of what was dropped in deletes the file, of a link only the link", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    const outside = join(models.home, "outside.gguf")
    await writeTinyModel(outside, { layers: 1 })
    await writeTinyModel(join(models.path, "inside.gguf"), { layers: 1 })
    symlinkSync(outside, join(models.path, "linked.gguf"))
    await models.store.remove("inside")
    await models.store.remove("linked")
    expect(models.files()).toEqual([])
    expect(existsSync(outside)).toBeTrue()
  })

  test("refuses files that are not in the models directory", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    mkdirSync(join(models.home, "elsewhere"))
    const outside = join(models.home, "elsewhere/far.gguf")
    await writeTinyModel(outside, { layers: 1 })
    symlinkSync(join(models.home, "elsewhere"), join(models.path, "linked"))
    expect((await failure(models.store.remove("linked/far"))).message).toContain(
      "outside the models directory",
    )
    const elsewhere = createStore({ modelsFolder: join(models.home, "none") })
    await elsewhere.add(outside)
    expect((await failure(elsewhere.remove("far"))).message).toContain(outside)
    expect(existsSync(outside)).toBeTrue()
  })

  test("of an unknown name fails and suggests another", async () => {
    using models = new ModelsFolder()
    await models.install("llama3", { "m.gguf": "content" })
    expect((await failure(models.store.remove("llama4"))).message).toBe(
      "model 'llama4' not found; did you mean 'llama3'?",
    )
  })
})

describe("copying", () => {
  test("gives one more name to the same blobs and the same id", async () => {
    using models = new ModelsFolder()
    const source = await models.install("a", { "m.gguf": "content" })
    const target = await models.store.copy("a", parseModelName("mine/b:c"))
    expect(target).toMatchObject({ name: "mine/b:c", id: source.id, path: source.path })
    expect(models.files("blobs")).toHaveLength(1)
  })

  test("onto itself changes nothing", async () => {
    using models = new ModelsFolder()
    const source = await models.install("a", { "m.gguf": "content" })
    expect(await models.store.copy("a", parseModelName("A"))).toMatchObject({
      id: source.id,
      name: "a:latest",
    })
    expect(readFileSync(source.path, "utf8")).toBe("content")
  })

  test("of a file that was dropped in installs it", async () => {
    using models = new ModelsFolder()
    mkdirSync(models.path)
    await writeTinyModel(join(models.path, "x.gguf"), { layers: 1, contextLength: 77 })
    await models.store.copy("x", parseModelName("y"))
    rmSync(join(models.path, "x.gguf"))
    expect(await models.store.describe("y")).toMatchObject({ name: "y:latest", contextLength: 77 })
    expect(await models.store.manifest("y")).toMatchObject({
      source: { type: "file" },
      files: [{ name: "x.gguf" }],
    })
  })
})
