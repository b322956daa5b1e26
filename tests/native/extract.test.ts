import { describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packComponent } from "../../scripts/pack"
import { NativeLibraryError } from "../../src/errors/engine"
import { lockFile } from "../../src/lib/system/file-lock"
import { type Component, extractComponent } from "../../src/native/extract"
import { tempFolder } from "../support/temp-folder"

const EXTRACT = join(import.meta.dir, "../../src/native/extract.ts")

/** A small disk that can be filled takes a mount, which containers may forbid; then that one test is skipped. */
const IN_OWN_NAMESPACE = ["unshare", "--map-root-user", "--mount"]
const canMount =
  Bun.which("unshare") !== null &&
  Bun.spawnSync([...IN_OWN_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).exitCode === 0

/** Two files of 300 kB and one empty one, packed as the build does it. */
async function packSample(folder: string, seed = 1): Promise<Component> {
  const paths = ["one.so", "two.so", "empty.so"].map((name) => join(folder, name))
  const content = new Uint8Array(300_000).map((_, index) => (index * seed) % 251)
  writeFileSync(paths[0] ?? "", content)
  writeFileSync(paths[1] ?? "", content.toReversed())
  writeFileSync(paths[2] ?? "", "")
  return packComponent("llama", paths, join(folder, "packed"))
}

async function contentOf(folder: string): Promise<string[]> {
  const names = readdirSync(folder).sort()
  return Promise.all(
    names.map(
      async (name) => `${name} ${Bun.SHA256.hash(await Bun.file(join(folder, name)).bytes(), "hex")}`,
    ),
  )
}

const expected = (component: Component) =>
  component.files.map(({ name, sha256 }) => `${name} ${sha256}`).sort()

describe("extracting a component", () => {
  test("gives its files below a folder named after their content", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const folder = await extractComponent(component, join(temp.path, "runtime"))
    expect(folder).toBe(join(temp.path, "runtime", component.hash, "llama"))
    expect(await contentOf(folder)).toEqual(expected(component))
  })

  test("keeps the folders inside it", async () => {
    using temp = tempFolder()
    const sources = ["a", "b/c", "b/d/e"].map((name) => ({ name, content: Buffer.from(name) }))
    const component = await packComponent("espeak", sources, join(temp.path, "packed"))
    const folder = await extractComponent(component, temp.path)
    const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()
    expect(found).toEqual(["a", "b", "b/c", "b/d", "b/d/e"])
    expect(await Bun.file(join(folder, "b/d/e")).text()).toBe("b/d/e")
  })

  test("happens once: later calls leave the files alone", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const folder = await extractComponent(component, temp.path)
    const before = statSync(join(folder, "one.so"))
    await extractComponent(component, temp.path)
    const after = statSync(join(folder, "one.so"))
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs])
  })

  test("keeps other content apart", async () => {
    using temp = tempFolder()
    const first = await packSample(temp.path)
    const second = await packSample(temp.path, 7)
    const folders = [await extractComponent(first, temp.path), await extractComponent(second, temp.path)]
    expect(new Set(folders).size).toBe(2)
    expect(await contentOf(folders[0] ?? "")).toEqual(expected(first))
    expect(await contentOf(folders[1] ?? "")).toEqual(expected(second))
  })

  test.each([
    ["a missing file", (folder: string) => Bun.file(join(folder, "two.so")).delete()],
    ["a short file", (folder: string) => truncateSync(join(folder, "two.so"), 1000)],
    ["a changed byte", (folder: string) => changeByte(join(folder, "one.so"))],
  ])("repairs a cache with %s, without writing to the old file", async (_, damage) => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const folder = await extractComponent(component, temp.path)
    await damage(folder)
    const damaged = statSync(join(folder, "one.so")).ino
    expect(await extractComponent(component, temp.path)).toBe(folder)
    expect(await contentOf(folder)).toEqual(expected(component))
    expect(statSync(join(folder, "one.so")).ino).not.toBe(damaged)
  })

  test("replaces a plain file that stands in its place", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    mkdirSync(join(temp.path, component.hash))
    writeFileSync(join(temp.path, component.hash, "llama"), "not a folder")
    const folder = await extractComponent(component, temp.path)
    expect(await contentOf(folder)).toEqual(expected(component))
  })

  test("removes what a killed extraction left behind", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const leftover = join(temp.path, component.hash, "llama.4711.x.tmp")
    mkdirSync(leftover, { recursive: true })
    writeFileSync(join(leftover, "one.so"), "half")
    await extractComponent(component, temp.path)
    expect(readdirSync(join(temp.path, component.hash)).sort()).toEqual(["llama", "llama.lock"])
  })

  test("works for many processes at once", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const runtime = join(temp.path, "runtime")
    const program = `
      import { extractComponent } from ${JSON.stringify(EXTRACT)}
      console.log(await extractComponent(${JSON.stringify(component)}, ${JSON.stringify(runtime)}))`
    const children = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, "-e", program], { stderr: "inherit" }),
    )
    const outputs = await Promise.all(children.map((child) => new Response(child.stdout).text()))
    const folder = join(runtime, component.hash, "llama")
    expect(outputs).toEqual(Array.from({ length: 4 }, () => `${folder}\n`))
    expect(await contentOf(folder)).toEqual(expected(component))
    expect(readdirSync(join(runtime, component.hash)).sort()).toEqual(["llama", "llama.lock"])
  })

  test("waits while another process extracts", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    mkdirSync(join(temp.path, component.hash))
    const lock = await lockFile(join(temp.path, component.hash, "llama.lock"), 1000)
    const order: string[] = []
    const extraction = extractComponent(component, temp.path).then(() => order.push("extracted"))
    // The extraction polls the lock; by the time that this second wait has given up, it has been refused too.
    using refused = await lockFile(join(temp.path, component.hash, "llama.lock"), 100)
    order.push("released")
    lock[Symbol.dispose]()
    await extraction
    expect(refused.held).toBe(false)
    expect(order).toEqual(["released", "extracted"])
  })

  test("refuses a damaged archive and leaves nothing", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const wrong = {
      ...component,
      files: component.files.map((file) => ({ ...file, sha256: "0".repeat(64) })),
    }
    expect(extractComponent(wrong, temp.path)).rejects.toThrow(/one\.so in this executable is damaged/)
    await extractComponent(wrong, temp.path).catch(() => undefined)
    expect(readdirSync(join(temp.path, component.hash))).toEqual(["llama.lock"])
  })

  test("says which folder cannot be written and what to do", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const runtime = join(temp.path, "file")
    writeFileSync(runtime, "")
    const failure = await extractComponent(component, runtime).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NativeLibraryError)
    expect(String(failure)).toContain(runtime)
    expect(String(failure)).toContain("XLLM_HOME")
  })

  test.skipIf(!canMount)("says that the disk is full, and leaves nothing half done", async () => {
    using temp = tempFolder()
    const component = await packSample(temp.path)
    const disk = join(temp.path, "disk")
    mkdirSync(disk)
    const program = `
      import { readdirSync } from "node:fs"
      import { extractComponent } from ${JSON.stringify(EXTRACT)}
      console.log(await extractComponent(${JSON.stringify(component)}, ${JSON.stringify(disk)}).catch(String))
      console.log(readdirSync(${JSON.stringify(join(disk, component.hash))}).join())`
    const script = `mount -t tmpfs -o size=400k tmpfs "$1" && exec "$2" -e "$3"`
    const command = [...IN_OWN_NAMESPACE, "sh", "-c", script, "sh", disk, process.execPath, program]
    const { stdout } = Bun.spawnSync(command)
    const [message, left] = stdout.toString().trim().split("\n")
    expect(message).toContain(disk)
    expect(message).toMatch(/no space left on the disk.*free 1 MB there.*XLLM_HOME/)
    expect(left).toBe("llama.lock")
  })
})

/** Keeps the size, so that only the content tells. */
async function changeByte(path: string): Promise<void> {
  const bytes = await Bun.file(path).bytes()
  bytes[1000] = (bytes[1000] ?? 0) ^ 1
  writeFileSync(path, bytes)
}
