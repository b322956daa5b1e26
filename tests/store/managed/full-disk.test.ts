import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { command as cp } from "../../../src/cli/commands/cp"
import { command as create } from "../../../src/cli/commands/create"
import { command as exportCommand } from "../../../src/cli/commands/export"
import { command as importCommand } from "../../../src/cli/commands/import"
import { command as rm } from "../../../src/cli/commands/rm"
import { XllmError } from "../../../src/errors/base"
import { type FakeIo, fakeIo } from "../../support/fakes/fake-io"
import { ModelsFolder } from "../../support/files/models-folder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { canMount, mountReadOnly, mountSmallDisk } from "../../support/small-disk"

const MB = 1024 ** 2

let models: ModelsFolder
let scope: DisposableStack
/** A model's file outside of the models folder. */
let source = ""
let archive = ""

beforeEach(async () => {
  models = new ModelsFolder()
  scope = new DisposableStack()
  scope.use(models)
  source = join(models.home, "source.gguf")
  archive = join(models.home, "archive.tar.zst")
  // Noise: nothing of it is saved by compressing it.
  writeTinyModel(source, { dim: 256 })
  await run(importCommand, source, "--name", "exported")
  await run(exportCommand, "exported", archive)
  await run(rm, "exported")
  writeFileSync(join(models.home, "Modelfile"), `FROM ${source}\nSYSTEM Be brief.\n`)
})
afterEach(() => scope.dispose())

type Command = typeof cp

async function run(command: Command, ...argv: readonly string[]): Promise<FakeIo> {
  const environment = { XLLM_MODELS_DIR: models.path, XLLM_HOME: models.home, XLLM_HOST: "127.0.0.1:1" }
  const io = fakeIo({ environment })
  await command.execute(argv, io)
  return io
}

/** Where it fails, how: one sentence, without anything of the program's inside. */
async function failed(command: Command, ...argv: readonly string[]): Promise<string> {
  const error = await run(command, ...argv).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(XllmError)
  const { message } = error as XllmError
  expect(message.replaceAll(models.home, "")).not.toMatch(/\bE[A-Z]{3,}\b|\n|\(/)
  return message
}

/** Everything but what is there for good: the lock, and the cache. */
function everything(folder: string): readonly string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
  return all
    .filter((entry) => !/^(\.lock|index\.sqlite.*)$/.test(entry.name))
    .filter((entry) => entry.isFile() || readdirSync(join(entry.parentPath, entry.name)).length > 0)
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

const COMMANDS: readonly (readonly [string, () => readonly [Command, ...string[]]])[] = [
  ["create", () => [create, "made", "-f", join(models.home, "Modelfile")]],
  ["cp of a file", () => [cp, source, "made"]],
  ["import of a file", () => [importCommand, source, "--name", "made"]],
  ["import of an archive", () => [importCommand, archive, "--name", "made"]],
]

describe.skipIf(!canMount)("on a full disk", () => {
  /** A disk with nothing but room for so many bytes. */
  function fill(leaving: number): void {
    scope.use(mountSmallDisk(models.path, 4) ?? models)
    const { bavail, bsize } = statfsSync(models.path)
    writeFileSync(join(models.path, "ballast"), new Uint8Array(bavail * bsize - leaving))
  }

  test.each(COMMANDS)("%s says so, and leaves nothing behind", async (_, command) => {
    fill(MB / 2)
    expect(await failed(...command())).toMatch(
      new RegExp(`^(cannot write to ${models.path}: no space left on the disk|.*: .* needed, .* free.*)$`),
    )
    expect(everything(models.path)).toEqual(["ballast"])
  })

  test.each(COMMANDS)("%s says so where there is no room for anything", async (_, command) => {
    fill(0)
    expect(await failed(...command())).toMatch(/: no space left on the disk$|: .* needed, 0 MiB free/)
    expect(everything(models.path)).toEqual(["ballast"])
  })

  test("a name more for an installed model is not there by halves, and rm still makes room", async () => {
    scope.use(mountSmallDisk(models.path, 4) ?? models)
    await run(cp, source, "there")
    const before = everything(models.path)
    const { bavail, bsize } = statfsSync(models.path)
    writeFileSync(join(models.path, "ballast"), new Uint8Array(bavail * bsize))
    expect(await failed(cp, "there", "someone/else")).toBe(
      `cannot write to ${models.path}: no space left on the disk`,
    )
    expect(everything(models.path)).toEqual(["ballast", ...before])
    await run(rm, "there")
    expect(everything(models.path)).toEqual(["ballast"])
  })

  test("an archive is not there by halves, and says where it was to go", async () => {
    await run(cp, source, "there")
    const disk = join(models.home, "disk")
    scope.use(mountSmallDisk(disk, 1) ?? models)
    const path = join(disk, "out.tar.zst")
    writeFileSync(path, "what was there before")
    expect(await failed(exportCommand, "there", path)).toBe(`cannot write ${path}: no space left on the disk`)
    expect(everything(disk)).toEqual(["out.tar.zst"])
    expect(await Bun.file(path).text()).toBe("what was there before")
  })
})

describe("in a folder that cannot be written", () => {
  test.each(COMMANDS)(
    "%s says so, where a file stands in the place of one of its folders",
    async (_, command) => {
      for (const name of ["blobs", "tmp", "manifests"]) {
        rmSync(models.path, { recursive: true })
        mkdirSync(models.path)
        writeFileSync(join(models.path, name), "")
        expect(await failed(...command())).toMatch(
          /^cannot write to (the models directory )?\/.*: (a file of that name already exists|a part of the path is a file)/,
        )
        expect(everything(models.path)).toEqual([name])
      }
    },
  )

  test.each(COMMANDS)("%s says so, where a file stands in the place of the folder", async (_, command) => {
    rmSync(models.path, { recursive: true })
    writeFileSync(models.path, "")
    expect(await failed(...command())).toContain(models.path)
    expect(existsSync(models.path)).toBeTrue()
  })

  test.skipIf(!canMount).each([...COMMANDS, ["rm", () => [rm, "there", "dropped"]]] as typeof COMMANDS)(
    "%s says so, on a disk that is only read",
    async (_, command) => {
      await run(cp, source, "there")
      writeTinyModel(join(models.path, "dropped.gguf"), { layers: 1 })
      scope.use(mountReadOnly(models.path) ?? models)
      const before = everything(models.path)
      expect(await failed(...command())).toStartWith(
        `cannot write to the models directory ${models.path}: the file system is read-only; make it writable`,
      )
      expect(everything(models.path)).toEqual(before)
    },
  )

  test.skipIf(!canMount)("rm of a file that was dropped in names it", async () => {
    const path = join(models.path, "dropped.gguf")
    writeTinyModel(path, { layers: 1 })
    scope.use(mountReadOnly(models.path) ?? models)
    expect(await failed(rm, "dropped")).toBe(`cannot delete ${path}: the file system is read-only`)
    expect(existsSync(path)).toBeTrue()
  })

  test("an archive that cannot be written is named", async () => {
    await run(cp, source, "there")
    writeFileSync(join(models.home, "file"), "")
    const path = join(models.home, "file/out.tar.zst")
    expect(await failed(exportCommand, "there", path)).toBe(
      `cannot write ${path}: a part of the path is a file, not a folder`,
    )
    expect(await failed(exportCommand, "there", models.home)).toContain(basename(models.home))
  })
})
