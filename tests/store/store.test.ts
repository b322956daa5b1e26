import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createStore } from "../../src/store"
import type { Blob, Store } from "../../src/store/contract"
import { parseModelName } from "../../src/store/names"
import { failure } from "../support/failure"
import { type GgufEntry, writeGguf } from "../support/files/gguf-writer"
import { type TinyModelOptions, writeTinyModel } from "../support/files/tiny-model"
import { writeTinyProjector } from "../support/vision/tiny-projectors"

let home = ""
let store: Store
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "xllm-store-"))
  mkdirSync(join(home, "models"))
  store = createStore({ modelsFolder: join(home, "models") })
})
afterEach(() => rmSync(home, { recursive: true }))

const inModels = (name: string): string => join(home, "models", name)

function addTiny(name: string, options: TinyModelOptions = {}): string {
  writeTinyModel(inModels(name), { layers: 1, ...options })
  return inModels(name)
}

async function names(): Promise<string[]> {
  return (await store.list()).map(({ name }) => name)
}

describe("listing", () => {
  test("a model is named after its file and the folders it is in", async () => {
    mkdirSync(inModels("some/deep"), { recursive: true })
    addTiny("plain.gguf")
    addTiny("some/deep/Model.Q8_0.gguf")
    expect((await names()).sort()).toEqual(["plain", "some/deep/Model.Q8_0"])
  })

  test("the newest comes first", async () => {
    for (const [name, seconds] of [
      ["old", 1000],
      ["new", 3000],
      ["middle", 2000],
    ] as const) {
      utimesSync(addTiny(`${name}.gguf`), seconds, seconds)
    }
    expect(await names()).toEqual(["new", "middle", "old"])
    expect((await store.list())[0]?.modifiedAt).toEqual(new Date(3000_000))
  })

  test("a folder that is not there has no models", async () => {
    expect(await createStore({ modelsFolder: join(home, "nowhere") }).list()).toEqual([])
  })

  test("a file that is dropped in or taken away is noticed at once", async () => {
    const path = addTiny("a.gguf")
    expect(await names()).toEqual(["a"])
    addTiny("b.gguf")
    rmSync(path)
    expect(await names()).toEqual(["b"])
  })

  test("the id follows the content, not the name", async () => {
    addTiny("a.gguf", { seed: 1 })
    addTiny("same.gguf", { seed: 1 })
    addTiny("other.gguf", { seed: 2 })
    const idOf = async (name: string): Promise<string> => (await store.resolve(name)).id
    const first = await idOf("a")
    const other = await idOf("other")
    expect(first).toMatch(/^[0-9a-f]{12}$/)
    expect(await idOf("same")).toBe(first)
    expect(other).not.toBe(first)
    addTiny("a.gguf", { seed: 2 })
    utimesSync(inModels("a.gguf"), 5000, 5000)
    expect(await idOf("a")).toBe(other)
  })

  test("things that only look like models do not disturb it", async () => {
    addTiny("good.gguf")
    mkdirSync(inModels("folder.gguf"))
    symlinkSync(join(home, "gone.gguf"), inModels("dangling.gguf"))
    symlinkSync(inModels(""), inModels("circle"))
    writeFileSync(inModels("readme.txt"), "hello")
    writeFileSync(inModels(".hidden.gguf"), "x")
    expect(await names()).toEqual(["good"])
  })

  test("projectors and adapters are not models", async () => {
    addTiny("good.gguf")
    writeGguf(inModels("vision.gguf"), [["general.architecture", "string", "clip"]], [])
    writeGguf(
      inModels("lora.gguf"),
      [
        ["general.architecture", "string", "llama"],
        ["general.type", "string", "adapter"],
      ],
      [],
    )
    writeGguf(inModels("good-mmproj-f16.gguf"), [["x", "u32", 1]], [])
    expect(await names()).toEqual(["good"])
  })

  test("links to files and folders elsewhere are followed", async () => {
    mkdirSync(join(home, "elsewhere"))
    writeTinyModel(join(home, "elsewhere", "far.gguf"), { layers: 1 })
    symlinkSync(join(home, "elsewhere"), inModels("linked"))
    symlinkSync(join(home, "elsewhere", "far.gguf"), inModels("near.gguf"))
    expect((await names()).sort()).toEqual(["linked/far", "near"])
  })

  test("a split model is one, as large as all its files", async () => {
    addTiny("big-00001-of-00002.gguf")
    addTiny("big-00002-of-00002.gguf", { seed: 2 })
    addTiny("orphan-00002-of-00003.gguf")
    const [model, ...others] = await store.list()
    expect(others).toEqual([])
    expect(model).toMatchObject({ name: "big", path: inModels("big-00001-of-00002.gguf") })
    expect(model?.sizeBytes).toBe(2 * readFileSync(inModels("big-00001-of-00002.gguf")).length)
  })
})

describe("resolving", () => {
  test("finds a model by its exact name", async () => {
    const path = addTiny("one.gguf")
    addTiny("two.gguf")
    expect(await store.resolve("one")).toMatchObject({ name: "one", path })
  })

  test("finds a file in whatever case, with the tag 'latest' as well, and its own case first", async () => {
    addTiny("One.gguf")
    for (const name of ["one", "ONE", "one:latest", "One:LATEST"]) {
      expect((await store.resolve(name)).name).toBe("One")
    }
    addTiny("one.gguf")
    expect((await store.resolve("one")).name).toBe("one")
    expect((await store.resolve("One:latest")).name).toBe("One")
    expect((await failure(store.resolve("one:q4"))).code).toBe("model_not_found")
  })

  test("without a name takes the only model", async () => {
    addTiny("only.gguf")
    expect((await store.resolve(undefined)).name).toBe("only")
  })

  test("without a name fails where there are several, or none", async () => {
    expect((await failure(store.resolve(undefined))).message).toContain(
      "there are no models here yet: 'xllm pull qwen3:0.6b' downloads one",
    )
    addTiny("one.gguf")
    addTiny("two.gguf")
    const error = await failure(store.resolve(undefined))
    expect(error).toMatchObject({ status: 400, param: "model" })
    expect(error.message).toBe("model is required: there are 2 models to choose from, 'one' and 'two'")
  })

  test("without a name takes the only one that does what is asked, whatever else there is", async () => {
    addTiny("writer.gguf")
    const reading: readonly GgufEntry[] = [
      ["general.architecture", "string", "bert"],
      ["bert.pooling_type", "u32", 1],
    ]
    writeGguf(inModels("reader.gguf"), reading, [])
    expect((await store.resolve(undefined, "text")).name).toBe("writer")
    const none = await failure(store.resolve(undefined, "tts"))
    expect(none).toMatchObject({ status: 400, param: "model" })
    expect(none.message).toBe("model is required: there is no text-to-speech model to choose")
    addTiny("another.gguf")
    expect((await failure(store.resolve(undefined, "text"))).message).toBe(
      "model is required: there are 2 text models to choose from, 'another' and 'writer'",
    )
  })

  test("suggests the name that was probably meant", async () => {
    addTiny("smollm-135m.gguf")
    const error = await failure(store.resolve("smolm-135m"))
    expect(error).toMatchObject({ code: "model_not_found", status: 404 })
    expect(error.message).toBe("model 'smolm-135m' not found; did you mean 'smollm-135m'?")
    expect((await failure(store.resolve("smollm-135m.gguf"))).message).toContain("'smollm-135m'?")
    expect((await failure(store.resolve("gpt-4"))).message).toBe(
      "model 'gpt-4' not found; there is only 'smollm-135m'",
    )
  })

  test("never takes a path for a name", async () => {
    const outside = join(home, "outside.gguf")
    writeTinyModel(outside, { layers: 1 })
    addTiny("inside.gguf")
    for (const name of [outside, "../outside", "../outside.gguf", "./inside", inModels("inside.gguf"), ""]) {
      expect((await failure(store.resolve(name))).code).toBe("model_not_found")
    }
  })
})

describe("adding a file", () => {
  test("makes it known under its file name, where it is", async () => {
    const path = join(home, "extra.Q4.gguf")
    writeTinyModel(path, { layers: 1 })
    expect(await store.add(path)).toMatchObject({ name: "extra.Q4", path })
    expect(await names()).toEqual(["extra.Q4"])
    expect(await store.describe("extra.Q4")).toMatchObject({ architecture: "llama" })
  })

  test("that is in the models directory already changes nothing", async () => {
    mkdirSync(inModels("sub"))
    const path = addTiny("sub/a.gguf")
    expect((await store.add(path)).name).toBe("sub/a")
    expect(await names()).toEqual(["sub/a"])
  })

  test("twice gives one model", async () => {
    const path = join(home, "x.gguf")
    writeTinyModel(path, { layers: 1 })
    expect((await store.add(path)).name).toBe("x")
    expect((await store.add(path)).name).toBe("x")
    expect(await names()).toEqual(["x"])
  })

  test("of a name in the folder comes before that one", async () => {
    addTiny("same.gguf", { seed: 1 })
    const path = join(home, "same.gguf")
    writeTinyModel(path, { seed: 2, layers: 1 })
    await store.add(path)
    expect((await store.resolve("same")).path).toBe(path)
    expect(await names()).toEqual(["same"])
  })

  test("of a name that was added before is told apart by its folder", async () => {
    for (const folder of ["left", "right"]) {
      mkdirSync(join(home, folder))
      writeTinyModel(join(home, folder, "m.gguf"), { layers: 1 })
    }
    expect((await store.add(join(home, "left", "m.gguf"))).name).toBe("m")
    expect((await store.add(join(home, "right", "m.gguf"))).name).toBe("right/m")
  })

  test("links to one file are models of their own, whatever folder they are reached by", async () => {
    const target = addTiny("target.gguf")
    mkdirSync(join(home, "links"))
    for (const name of ["a", "b"]) symlinkSync(target, join(home, "links", `${name}.gguf`))
    symlinkSync(join(home, "links"), join(home, "same"))
    for (const name of ["a", "b"]) {
      expect(await store.add(join(home, "links", `${name}.gguf`))).toMatchObject({ name })
      expect(await store.add(join(home, "same", `${name}.gguf`))).toMatchObject({ name })
    }
    expect((await names()).sort()).toEqual(["a", "b", "target"])
    expect((await store.resolve("b")).path).toBe(join(home, "links", "b.gguf"))
  })

  test("fails with a reason where it is not a model", async () => {
    expect((await failure(store.add(join(home, "no.gguf")))).message).toContain("no such file")
    expect((await failure(store.add(home))).message).toContain("no supported model found in this folder")
    writeFileSync(join(home, "text.gguf"), "just some text, longer than a header's start")
    expect((await failure(store.add(join(home, "text.gguf")))).message).toContain("it is not a GGUF file")
    writeGguf(join(home, "clip.gguf"), [["general.architecture", "string", "clip"]], [])
    expect((await failure(store.add(join(home, "clip.gguf")))).message).toContain("not a model itself")
  })
})

describe("describing", () => {
  test("adds what the file says to what the disk says", async () => {
    addTiny("m.gguf", { contextLength: 1234 })
    const details = await store.describe("m")
    expect(details).toMatchObject(await store.resolve("m"))
    expect(details).toMatchObject({ contextLength: 1234, layers: 1, quantization: "F32" })
  })

  test("tells that a model sees by the projector that lies beside it in a folder of their own", async () => {
    mkdirSync(inModels("pair"))
    addTiny("pair/m.gguf")
    addTiny("alone.gguf")
    addTiny("named-Q8_0.gguf")
    for (const name of ["pair/mmproj.gguf", "other-mmproj-f16.gguf", "mmproj-named-f16.gguf"]) {
      writeTinyProjector(inModels(name), "idefics3", { projection: 64 })
    }
    expect((await store.describe("pair/m")).capabilities).toEqual(["completion", "chat", "vision"])
    expect((await store.describe("named-Q8_0")).capabilities).toEqual(["completion", "chat", "vision"])
    expect((await store.describe("alone")).capabilities).toEqual(["completion", "chat"])
    expect((await names()).sort()).toEqual(["alone", "named-Q8_0", "pair/m"])
  })

  test("takes a projector only for a model that it fits, and says why not where it was installed", async () => {
    mkdirSync(inModels("pair"))
    addTiny("pair/m.gguf")
    writeTinyProjector(inModels("pair/mmproj-a.gguf"), "gemma3", { projection: 64 })
    writeTinyProjector(inModels("pair/mmproj-b.gguf"), "idefics3", { projection: 128 })
    expect(await store.describe("pair/m")).toMatchObject({
      capabilities: ["completion", "chat"],
      parts: [{ role: "projector", name: "mmproj-a.gguf", fault: expect.stringContaining("gemma3") }],
      defaults: { notes: [expect.stringContaining("Its projector mmproj-a.gguf cannot be used: it is of")] },
    })
    writeTinyProjector(inModels("pair/mmproj-c.gguf"), "idefics3", { projection: 64 })
    expect(await store.resolve("pair/m")).toMatchObject({
      parts: [{ role: "projector", name: "mmproj-c.gguf", path: inModels("pair/mmproj-c.gguf") }],
    })
  })

  test("says why an installed projector is not used, and has the texts without it", async () => {
    addTiny("m.gguf")
    const manifest = await store.contents("m").then(({ manifest }) => manifest)
    const blobOf = async (projection: number) => {
      writeTinyProjector(join(home, "mmproj.gguf"), "idefics3", { projection })
      return await store.blobs.addFile(join(home, "mmproj.gguf"))
    }
    const model = await store.blobs.addFile(inModels("m.gguf"))
    const install = async (name: string, projector: Blob) =>
      await store.install(parseModelName(name), {
        ...manifest,
        files: [
          { name: "m.gguf", role: "model", ...model },
          { name: "mmproj.gguf", role: "projector", ...projector },
        ],
      })
    await install("sees", await blobOf(64))
    await install("wide", await blobOf(96))
    expect(await store.describe("sees")).toMatchObject({ projector: { dimensions: 64, sees: true } })
    const reason = "it makes embeddings of 96 numbers, and those of the model have 64"
    for (const known of [await store.resolve("wide"), await store.describe("wide")])
      expect(known).toMatchObject({
        parts: [{ role: "projector", fault: reason }],
        defaults: { notes: [`Its projector mmproj.gguf cannot be used: ${reason}.`] },
      })
    expect((await store.describe("wide")).capabilities).toEqual(["completion", "chat"])
  })

  test("counts a local model's projector as its own, unless others have it too", async () => {
    mkdirSync(inModels("pair"))
    addTiny("pair/m.gguf")
    const alone = await store.resolve("pair/m")
    writeTinyProjector(inModels("pair/mmproj.gguf"), "idefics3", { projection: 64 })
    const projectorBytes = statSync(inModels("pair/mmproj.gguf")).size
    const together = await store.resolve("pair/m")
    expect(together.sizeBytes).toBe(alone.sizeBytes + projectorBytes)
    expect(together.id).not.toBe(alone.id)
    addTiny("pair/n.gguf")
    expect(await store.remove("pair/m")).toMatchObject({ freedBytes: alone.sizeBytes })
    expect(await store.remove("pair/n")).toMatchObject({
      paths: [inModels("pair/n.gguf"), inModels("pair/mmproj.gguf")],
    })
  })

  test("notices that the file was replaced", async () => {
    addTiny("m.gguf", { contextLength: 100 })
    expect(await store.describe("m")).toMatchObject({ contextLength: 100 })
    addTiny("m.gguf", { contextLength: 200, layers: 2 })
    expect(await store.describe("m")).toMatchObject({ contextLength: 200 })
  })

  test("counts the parameters of all files of a split model", async () => {
    addTiny("whole.gguf")
    addTiny("big-00001-of-00002.gguf")
    addTiny("big-00002-of-00002.gguf")
    const [whole, big] = await Promise.all([store.describe("whole"), store.describe("big")])
    if (whole.kind !== "text") throw new Error("it is no text model")
    expect(big).toMatchObject({ parameterCount: 2 * whole.parameterCount })
  })

  test("fails with the reason for a file that is no model, cut short or incomplete", async () => {
    writeFileSync(inModels("text.gguf"), "just some text, longer than a header's start")
    truncateSync(addTiny("short.gguf"), 50_000)
    addTiny("big-00001-of-00002.gguf")
    expect((await failure(store.describe("text"))).message).toBe(
      "model 'text' could not be loaded: it is not a GGUF file",
    )
    expect((await failure(store.describe("short"))).message).toContain("the file is cut short")
    const incomplete = await failure(store.describe("big"))
    expect(incomplete.code).toBe("model_load_failed")
    expect(incomplete.message).toContain("part 2 of 2 (big-00002-of-00002.gguf) is missing")
  })
})
