import { describe, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

const missing = (path: string, by: string) =>
  `Error: the models directory ${path} (set by ${by}) does not exist; correct the path, or create it\n`

/** To root everything can be read. */
function asNobody(): readonly string[] {
  return process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
}

describe("a models directory that is named and not there", () => {
  test.each([
    [["list"]],
    [["show", "m"]],
    [["serve", "--port", "0"]],
    [["run", "m", "hi"]],
    [["run", "./m.gguf", "hi"]],
    [["speak", "m", "hi"]],
    [["transcribe", "m", "/dev/stdin"]],
    [["image", "m", "hi"]],
    [["rm", "m"]],
    [["export", "m", "m.tar"]],
  ])("is refused by %p", async (argv) => {
    using folder = tempFolder()
    const recording = join(folder.path, "a.wav")
    writeFileSync(recording, "")
    const words = argv.map((word) => (word === "/dev/stdin" ? recording : word))
    const path = join(folder.path, "modles")
    // A port that nobody listens on, so that no server is asked.
    const environment = { XLLM_HOME: folder.path, XLLM_PORT: "1" }
    const result = await runXllm([...words, "--models-dir", path], { environment, input: "x" })
    expect(result.out).toBe("")
    expect(result.err).toEndWith(missing(path, "--models-dir"))
    expect(result.code).toBe(1)
    expect(existsSync(path)).toBe(false)
  })

  test("is told with the variable or the file that names it", async () => {
    using folder = tempFolder()
    const environment = { XLLM_HOME: folder.path, XLLM_MODELS_DIR: "/no/models" }
    expect((await runXllm(["list"], { environment })).err).toBe(missing("/no/models", "XLLM_MODELS_DIR"))
  })

  test("is made by what writes to it", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "models")
    const environment = { XLLM_HOME: join(folder.path, "home") }
    const { err } = await runXllm(["create", "m", "-f", "-", "--models-dir", path], {
      environment,
      input: "FROM ./none.gguf",
    })
    expect(err).not.toContain("does not exist")
  })
})

describe("the default models directory", () => {
  test("counts as empty where it is missing, and is not made", async () => {
    using folder = tempFolder()
    const { out, err, code } = await runXllm(["list"], { environment: { XLLM_HOME: folder.path } })
    const models = join(folder.path, "models")
    expect(out).toBe("NAME    TYPE    ID    SIZE    MODIFIED\n")
    expect(err).toStartWith(`no models in ${models} yet: 'xllm pull `)
    expect(code).toBe(0)
    expect(existsSync(models)).toBe(false)
  })

  test("below what is no folder is said", async () => {
    using folder = tempFolder()
    const home = join(folder.path, "home")
    writeFileSync(home, "")
    expect(await runXllm(["list"], { environment: { XLLM_HOME: home } })).toEqual({
      out: "",
      err: `Error: cannot read the configuration file ${home}/config.yaml: a part of the path is a file, not a folder\n`,
      code: 1,
    })
  })

  test("that is a broken link is said", async () => {
    using folder = tempFolder()
    symlinkSync("/no/disk", join(folder.path, "models"))
    const { err, code } = await runXllm(["list"], { environment: { XLLM_HOME: folder.path } })
    expect(err).toStartWith(`Error: cannot read the models directory ${folder.path}/models: `)
    expect(code).toBe(1)
  })
})

describe("a models directory that cannot be read", () => {
  test("is no empty one: a file in its place", async () => {
    using folder = tempFolder()
    const path = join(folder.path, "file")
    writeFileSync(path, "")
    const { out, err, code } = await runXllm(["list", "--models-dir", path], {
      environment: { XLLM_HOME: folder.path },
    })
    expect({ out, err, code }).toEqual({
      out: "",
      err: `Error: the models directory ${path} is not a folder\n`,
      code: 1,
    })
  })

  test("is no empty one: permission denied", async () => {
    using folder = tempFolder()
    chmodSync(folder.path, 0o755)
    const path = join(folder.path, "models")
    mkdirSync(path)
    chmodSync(path, 0)
    const child = Bun.spawn([...asNobody(), process.execPath, "src/index.ts", "list"], {
      env: { XLLM_HOME: folder.path },
      stdout: "pipe",
      stderr: "pipe",
    })
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
    expect({ out, err }).toEqual({
      out: "",
      err: `Error: cannot read the models directory ${path}: permission denied\n`,
    })
    expect(await child.exited).toBe(1)
  })
})
