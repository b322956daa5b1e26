import { afterAll, beforeAll, expect, test } from "bun:test"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { tempFolder } from "../support/temp-folder"
import { writeTinyModel } from "../support/tiny-model"
import { writeGguf } from "../support/gguf-writer"

/** Root may read everything: whoever runs the tests as root becomes nobody for them. */
const AS_USER =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []

const canBeUser = AS_USER.length === 0 || Bun.which("setpriv") !== null
if (!canBeUser) console.warn("files that cannot be read: skipped, because there is no setpriv here")

const PROGRAM = join(import.meta.dir, "../support/store-reader.ts")

/** What the store of a folder lists, and what it says of a model. */
function read(folder: string, model: string): { names: string[]; warnings: string[]; told: string } {
  const { stdout, stderr } = Bun.spawnSync([...AS_USER, process.execPath, PROGRAM, folder, model])
  if (stdout.length === 0) throw new Error(stderr.toString())
  return JSON.parse(stdout.toString())
}

let folder = ""
let temp: ReturnType<typeof tempFolder>

beforeAll(() => {
  temp = tempFolder()
  folder = temp.path
  chmodSync(folder, 0o755)
  writeTinyModel(join(folder, "good.gguf"))
  writeTinyModel(join(folder, "locked.gguf"))
  mkdirSync(join(folder, "attic"))
  writeTinyModel(join(folder, "attic/old.gguf"))
  mkdirSync(join(folder, "voice"))
  writeFileSync(join(folder, "voice/joe.onnx"), "x")
  writeFileSync(join(folder, "voice/joe.onnx.json"), "{}")
  for (const path of ["locked.gguf", "attic", "voice/joe.onnx.json"]) chmodSync(join(folder, path), 0)
})

afterAll(() => temp[Symbol.dispose]())

test.skipIf(!canBeUser)(
  "files and folders that cannot be read are told of, and the other models are there",
  () => {
    const { names, warnings } = read(folder, "good")
    expect(names).toEqual(["good"])
    const reason = "it cannot be read: permission denied"
    expect(warnings.sort()).toEqual(
      ["attic", "locked.gguf", "voice"].map((path) => `${join(folder, path)} ${reason}`),
    )
  },
)

test.skipIf(!canBeUser)("a model whose file cannot be read says so, and is not called missing", () => {
  expect(read(folder, "locked").told).toBe(
    "model 'locked' could not be loaded: it cannot be read: permission denied",
  )
  expect(read(folder, join(folder, "locked.gguf")).told).toEndWith(
    "locked.gguf: it cannot be read: permission denied",
  )
})

test("a file that is named by its path says what it is", () => {
  using elsewhere = tempFolder()
  chmodSync(elsewhere.path, 0o755)
  const told = (name: string) => read(folder, join(elsewhere.path, name)).told
  const of = (name: string, bytes: number[]) => {
    writeFileSync(join(elsewhere.path, name), Buffer.concat([Buffer.from("GGUF"), Buffer.from(bytes)]))
    return told(name)
  }
  expect(of("big.gguf", [0, 0, 0, 3])).toEndWith("big.gguf: big-endian GGUF files are not supported")
  expect(of("first.gguf", [1, 0, 0, 0])).toEndWith(
    "first.gguf: GGUF version 1 is not supported (2 and 3 are)",
  )
  writeFileSync(join(elsewhere.path, "text.gguf"), "hello")
  expect(told("text.gguf")).toEndWith("text.gguf: it is not a GGUF file")
  writeGguf(join(elsewhere.path, "part.gguf"), [["general.architecture", "string", "clip"]], [])
  expect(told("part.gguf")).toEndWith("it is a part for another model, not a model itself")
})
