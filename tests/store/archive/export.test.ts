import { describe, expect, test } from "bun:test"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { exportModel } from "../../../src/store/archive/export"
import { importArchive } from "../../../src/store/archive/import"
import { parseModelName } from "../../../src/store/names"
import { ModelsFolder } from "../../support/files/models-folder"
import { tempFolder } from "../../support/temp-folder"
import { writeTinyVision } from "../../support/vision/tiny-vision"

async function archiveOf(models: ModelsFolder, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await exportModel(models.store, name)).read(() => {})) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function importInto(models: ModelsFolder, archive: Uint8Array) {
  return await importArchive({
    store: models.store,
    archive: "an archive",
    bytes: new Blob([archive]).stream(),
    replace: false,
    onProgress() {},
    signal: new AbortController().signal,
  })
}

describe("an exported model", () => {
  test("is the same elsewhere: files, manifest and id", async () => {
    using here = new ModelsFolder()
    using there = new ModelsFolder()
    const files = { "m.gguf": "weights", "adapter.gguf": "adapter" }
    const change = {
      system: "Be brief.",
      parameters: { temperature: 0.1, stop: ["a", "b"] },
      licenses: ["MIT"],
    }
    const original = await here.install("tale:v1", files, change)
    const copy = await importInto(there, await archiveOf(here, "tale:v1"))
    expect(copy).toMatchObject({ name: "tale:v1", id: original.id, sizeBytes: original.sizeBytes })
    expect(await there.store.manifest("tale:v1")).toEqual(await here.store.manifest("tale:v1"))
    expect(there.files("blobs")).toEqual(here.files("blobs"))
  })

  test("gives the same bytes every time", async () => {
    using models = new ModelsFolder()
    await models.install("tale", { "m.gguf": "weights" })
    expect(await archiveOf(models, "tale")).toEqual(await archiveOf(models, "tale"))
  })

  test("may be one that was dropped in, which stays as it is", async () => {
    using here = new ModelsFolder()
    using there = new ModelsFolder()
    const { path } = await here.installTiny("unused")
    writeFileSync(join(here.path, "dropped.gguf"), readFileSync(path))
    const copy = await importInto(there, await archiveOf(here, "dropped"))
    expect(copy.name).toBe("dropped:latest")
    expect(readFileSync(copy.path)).toEqual(readFileSync(path))
    expect(await here.names()).toEqual(["dropped", "unused:latest"])
  })

  test("takes the projector along that lies beside a dropped-in one", async () => {
    using here = new ModelsFolder()
    using there = new ModelsFolder()
    mkdirSync(here.path, { recursive: true })
    writeTinyVision(here.path, "idefics3", { name: "sees" })
    await importInto(there, await archiveOf(here, "sees"))
    for (const { store } of [here, there])
      expect(await store.describe("sees")).toMatchObject({
        capabilities: ["completion", "chat", "vision"],
        parts: [{ role: "projector", name: "mmproj-sees.gguf" }],
      })
    await here.store.copy("sees", parseModelName("copied"))
    expect((await here.store.describe("copied")).capabilities).toContain("vision")
  })

  test("has a file once that the model has twice", async () => {
    using here = new ModelsFolder()
    using there = new ModelsFolder()
    await here.install("twins", { "a.gguf": "same", "b.gguf": "same" })
    await importInto(there, await archiveOf(here, "twins"))
    expect((await there.store.manifest("twins"))?.files.map(({ name }) => name)).toEqual(["a.gguf", "b.gguf"])
  })

  test("is what tar, zstd and sha256sum read", async () => {
    if (Bun.which("tar") === null || Bun.which("zstd") === null) {
      return console.log("skipped: there is no tar, or no zstd")
    }
    using models = new ModelsFolder()
    using folder = tempFolder()
    await models.installTiny("tale")
    const file = join(folder.path, "tale.tar.zst")
    writeFileSync(file, await archiveOf(models, "tale"))
    const run = (...cmd: string[]) => Bun.spawnSync(cmd, { cwd: folder.path })
    expect(run("tar", "--zstd", "-xf", file).exitCode).toBe(0)
    expect(readFileSync(join(folder.path, "Modelfile"), "utf8")).toMatch(
      /^FROM \.\/blobs\/sha256-[0-9a-f]{64}$/m,
    )
    const check = run("sha256sum", "--strict", "-c", "SHA256SUMS")
    expect(check.stdout.toString()).not.toContain("FAILED")
    expect(check.exitCode).toBe(0)
  })

  test.each([
    ["short", "it has 5 bytes, but should have 7"],
    ["weighty", "its content is damaged"],
  ])("whose file was damaged (%s) is not exported as if it were whole", async (content, says) => {
    using models = new ModelsFolder()
    const { path } = await models.install("tale", { "m.gguf": "weights" })
    writeFileSync(path, content)
    await expect(archiveOf(models, "tale")).rejects.toThrow(says)
  })
})
