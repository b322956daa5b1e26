import { describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeTinyModel } from "../../support/files/tiny-model"
import { writeTinyTtsModel } from "../../support/files/tiny-tts-model"
import { startSession } from "../../support/pty"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

const SOURCES = join(import.meta.dir, "../../../src/index.ts")

/** A home with a text model that has a tag, and a voice. */
async function home() {
  const folder = tempFolder()
  const models = join(folder.path, "models")
  mkdirSync(models)
  await writeTinyModel(join(models, "tiny.gguf"))
  writeTinyTtsModel(join(models, "joe"))
  await runXllm(["cp", "tiny", "story:v1"], { environment: { XLLM_HOME: folder.path } })
  return { ...folder, environment: { XLLM_HOME: folder.path }, [Symbol.dispose]: folder[Symbol.dispose] }
}

async function completed(
  place: { readonly environment: Readonly<Record<string, string>> },
  ...words: string[]
) {
  const { out, err } = await runXllm(["__complete", ...words], place)
  expect(err).toBe("")
  return out.trimEnd().split("\n")
}

describe("a word that is not finished", () => {
  test("may be a command", async () => {
    using place = await home()
    expect(await completed(place, "s")).toEqual(["serve", "speak", "show", "stop"])
    expect(await completed(place, "help", "li")).toEqual(["list", "licenses"])
    expect(await completed(place, "--v")).toEqual(["--version"])
  })

  test("may be a model, of the kind that the command is for", async () => {
    using place = await home()
    expect((await completed(place, "show", "")).toSorted()).toEqual([":files", "joe", "story:v1", "tiny"])
    expect(await completed(place, "run", "st")).toEqual(["story:v1", ":files"])
    expect(await completed(place, "speak", "")).toEqual(["joe", ":files"])
    expect(await completed(place, "rm", "tiny", "story:")).toEqual(["story:v1", ":files"])
  })

  test("may be a flag, or one of its values", async () => {
    using place = await home()
    expect(await completed(place, "run", "tiny", "--key")).toEqual([""])
    expect(await completed(place, "run", "tiny", "--keep")).toEqual(["--keepalive"])
    expect(await completed(place, "run", "tiny", "--mirostat", "")).toEqual(["0", "1", "2"])
    expect(await completed(place, "create", "-f", "")).toEqual([":files"])
    expect(await completed(place, "keys", "")).toEqual(["add", "list", "rm"])
    expect(await completed(place, "completion", "z")).toEqual(["zsh"])
  })

  test("is nothing where nobody knows, and never an error", async () => {
    using place = await home()
    for (const words of [["nope", ""], ["pull", "q"], ["run", "--temperature", ""], ["config", "x"], []]) {
      const found = await completed(place, ...words)
      if (words.length > 0) expect(found).toEqual([""])
    }
  })
})

test("bash completes commands, names with colons, and files", async () => {
  using place = await home()
  const bin = join(place.path, "xllm")
  writeFileSync(bin, `#!/bin/sh\nexec ${process.execPath} ${SOURCES} "$@"\n`)
  chmodSync(bin, 0o755)
  writeFileSync(join(place.path, "notes.gguf"), "")
  const PATH = `${place.path}:${process.env["PATH"] ?? ""}`
  await using session = startSession({
    program: ["bash", "--norc", "-i"],
    argv: [],
    cwd: place.path,
    environment: { ...place.environment, PATH, PS1: "shell> " },
  })
  await session.see("shell> ")
  session.type('eval "$(xllm completion bash)"; echo "$?" done\r')
  await session.see("0 done")
  await session.see("shell> ")
  session.type("xllm spe\t")
  await session.see("xllm speak ")
  session.type("\x15xllm show story:\t")
  await session.see("xllm show story:v1 ")
  session.type("\x15xllm show no\t")
  await session.see("xllm show notes.gguf ")
})

test.each(["bash", "zsh", "fish"])("the script for %s is printed", async (shell) => {
  const { out, code } = await runXllm(["completion", shell])
  expect(code).toBe(0)
  expect(out).toContain(" __complete ")
})

test("another shell is refused by name", async () => {
  expect((await runXllm(["completion", "csh"])).err).toBe(
    "Error: completion supports bash, zsh, fish, got 'csh'\n",
  )
})
