import { describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FolderListings } from "../../src/store/local/folder-listings"
import { writeGguf } from "../support/files/gguf-writer"
import { writeTinyModel } from "../support/files/tiny-model"
import { tempFolder } from "../support/temp-folder"

/** To root everything can be read. */
const AS_NOBODY =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []

/** What a command says of the models in a folder; the times of its lines are left out. */
async function xllm(folder: string, ...argv: string[]) {
  chmodSync(folder, 0o755)
  const child = Bun.spawn([...AS_NOBODY, process.execPath, "src/index.ts", ...argv, "--models-dir", folder], {
    env: { XLLM_HOME: join(folder, "home") },
    stdout: "pipe",
    stderr: "pipe",
  })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return { out, err: err.replace(/^[\d:.]{12} /gm, ""), code: await child.exited }
}

const HEADING = "NAME    TYPE    ID    SIZE    MODIFIED\n"

describe("what cannot be read in the models directory", () => {
  test("is named by list, and by the command that asks for it: a file", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "secret.gguf")
    await writeTinyModel(path)
    chmodSync(path, 0)
    const reason = `cannot read ${path}: permission denied`
    const listed = await xllm(folder.path, "list")
    expect(listed.out).toBe(HEADING)
    expect(listed.err).toContain(`warn  unusable model path=${path} reason="${reason}"\n`)
    expect((await xllm(folder.path, "show", "secret")).err).toEndWith(
      `Error: model 'secret' could not be loaded: ${reason}\n`,
    )
    expect((await xllm(folder.path, "show", path)).err).toEndWith(`Error: ${reason}\n`)
  })

  test("is found when it can be read, though nothing else has changed", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "voice.safetensors")
    writeFileSync(path, "no weights")
    chmodSync(path, 0)
    expect((await xllm(folder.path, "list")).err).toContain(`reason="${path}: permission denied"`)
    chmodSync(path, 0o644)
    expect((await xllm(folder.path, "list")).err).not.toContain("permission denied")
  })

  test("is named by list: a folder", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "more")
    mkdirSync(path)
    chmodSync(path, 0)
    const { out, err, code } = await xllm(folder.path, "list")
    expect(out).toBe(HEADING)
    expect(err).toContain(`path=${path} reason="cannot read ${path}: permission denied"`)
    expect(code).toBe(0)
  })

  test.each(["gone.gguf", "disk"])("is named by list: the link %s that leads to nothing", async (name) => {
    using folder = tempFolder()
    const path = join(folder.path, name)
    symlinkSync("/mnt/no/disk", path)
    const { err, code } = await xllm(folder.path, "list")
    expect(err).toContain(`path=${path} reason="cannot read ${path}: the link leads to nothing"`)
    expect(err.match(/unusable model/g)).toHaveLength(1)
    expect(code).toBe(0)
  })

  test("is named by the command that asks for it: a link that leads to nothing", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "gone.gguf")
    symlinkSync("/mnt/no/disk.gguf", path)
    expect((await xllm(folder.path, "show", "gone")).err).toEndWith(
      `Error: model 'gone' could not be loaded: cannot read ${path}: the link leads to nothing\n`,
    )
  })

  test("is named, and may be read again: a manifest", async () => {
    using folder = tempFolder()
    const manifests = join(folder.path, "manifests/registry.ollama.ai/library/m")
    mkdirSync(manifests, { recursive: true })
    const path = join(manifests, "latest.json")
    writeFileSync(path, "{}")
    chmodSync(path, 0)
    const { err } = await xllm(folder.path, "show", "m")
    expect(err).toContain(`damaged manifest path=${path} reason="cannot read ${path}: permission denied"`)
    expect(err).toContain("Error: model 'm' not found")
    chmodSync(path, 0o644)
    expect((await xllm(folder.path, "show", "m")).err).toContain("invalid manifest")
  })
})

test("a listing forgets a problem that is over", async () => {
  using folder = tempFolder()
  const path = join(folder.path, "link")
  symlinkSync("/no/where", path)
  const listings = new FolderListings()
  expect(await listings.entries(folder.path, new Set())).toEqual([{ name: "link", kind: "unknown" }])
  expect([...listings.problems]).toEqual([[path, "the link leads to nothing"]])
  rmSync(path)
  symlinkSync("/etc/passwd", path)
  expect(await listings.entries(folder.path, new Set())).toEqual([{ name: "link", kind: "file" }])
  expect([...listings.problems]).toEqual([])
})

test("a file that is named by its path says what it is", async () => {
  using elsewhere = tempFolder()
  chmodSync(elsewhere.path, 0o755)
  const told = async (name: string) =>
    (await xllm(elsewhere.path, "show", join(elsewhere.path, name))).err.trimEnd()
  const of = (name: string, bytes: number[]) => {
    writeFileSync(join(elsewhere.path, name), Buffer.concat([Buffer.from("GGUF"), Buffer.from(bytes)]))
    return told(name)
  }
  expect(await of("big.gguf", [0, 0, 0, 3])).toEndWith("big.gguf: big-endian GGUF files are not supported")
  expect(await of("first.gguf", [1, 0, 0, 0])).toEndWith(
    "first.gguf: GGUF version 1 is not supported (2 and 3 are)",
  )
  writeFileSync(join(elsewhere.path, "text.gguf"), "hello")
  expect(await told("text.gguf")).toEndWith(": it is not a GGUF file")
  writeGguf(join(elsewhere.path, "part.gguf"), [["general.architecture", "string", "clip"]], [])
  expect(await told("part.gguf")).toEndWith("it is a part of another model, not a model itself")
})
