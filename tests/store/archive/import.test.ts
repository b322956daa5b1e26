import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { zstdCompressSync } from "node:zlib"
import { XllmError } from "../../../src/errors/base"
import { importArchive, type ImportOptions } from "../../../src/store/archive/import"
import { printDescription, printSums } from "../../../src/store/archive/layout"
import type { Digest } from "../../../src/store/managed/manifest"
import { parseModelName } from "../../../src/store/names"
import { failure } from "../../support/failure"
import { manifestOf, ModelsFolder } from "../../support/files/models-folder"
import { type TarEntry, writeTar } from "../../support/files/tar-writer"

const WEIGHTS = "weights of a model"
const MODELFILE = "FROM somewhere\n"

function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex")
}

const BLOB = `blobs/sha256-${sha256(WEIGHTS)}`

interface Change {
  readonly name?: string
  readonly manifest?: object
  readonly description?: string
  readonly weights?: string
  readonly sums?: (right: ReadonlyMap<string, string>) => string
}

/** The entries of a right archive, but for what a test changes. */
function entriesOf(change: Change = {}): TarEntry[] {
  const { name = "tale:v1", manifest = rightManifest(), weights = WEIGHTS, sums = printSums } = change
  const description = change.description ?? printDescription({ name, manifest })
  const right = new Map([
    ["model.json", sha256(description)],
    ["Modelfile", sha256(MODELFILE)],
    [BLOB, sha256(WEIGHTS)],
  ])
  return [
    { path: "SHA256SUMS", content: sums(right) },
    { path: "model.json", content: description },
    { path: "Modelfile", content: MODELFILE },
    { path: BLOB, content: weights },
  ]
}

function rightManifest(sizeBytes = WEIGHTS.length) {
  const digest: Digest = `sha256:${sha256(WEIGHTS)}`
  return manifestOf([{ name: "m.gguf", role: "model", digest, sizeBytes }])
}

async function* inPieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

function importInto(models: ModelsFolder, bytes: Uint8Array, options: Partial<ImportOptions> = {}) {
  return importArchive({
    store: models.store,
    archive: "tale.tar.zst",
    bytes: inPieces(bytes),
    replace: false,
    onProgress() {},
    signal: new AbortController().signal,
    ...options,
  })
}

describe("a right archive", () => {
  test.each([
    ["compressed", zstdCompressSync],
    ["not compressed", (bytes: Uint8Array) => bytes],
  ])("that is %s is installed", async (_how, compress) => {
    using models = new ModelsFolder()
    const summary = await importInto(models, compress(writeTar(entriesOf())))
    expect(summary).toMatchObject({ name: "tale:v1", kind: "text", sizeBytes: WEIGHTS.length })
    expect(readFileSync(summary.path, "utf8")).toBe(WEIGHTS)
    expect(models.files("tmp")).toEqual([])
  })

  test("gets the name that it is given", async () => {
    using models = new ModelsFolder()
    await importInto(models, writeTar(entriesOf()), { name: parseModelName("other") })
    expect(await models.names()).toEqual(["other:latest"])
  })

  test("is no reason to complain where the same model is there", async () => {
    using models = new ModelsFolder()
    const first = await importInto(models, writeTar(entriesOf()))
    expect((await importInto(models, writeTar(entriesOf()))).id).toBe(first.id)
  })

  test("replaces another model of its name only when told so", async () => {
    using models = new ModelsFolder()
    const old = await models.install("tale:v1", { "m.gguf": "another" })
    expect(await failure(importInto(models, writeTar(entriesOf())))).toMatchObject({ code: "model_exists" })
    expect(await models.store.resolve("tale:v1")).toEqual(old)
    await importInto(models, writeTar(entriesOf()), { replace: true })
    expect((await models.store.resolve("tale:v1")).id).not.toBe(old.id)
    expect(existsSync(old.path)).toBe(false)
  })

  test("is given up when nobody waits for it any more", async () => {
    using models = new ModelsFolder()
    const controller = new AbortController()
    const onProgress = () => controller.abort()
    const { signal } = controller
    const error = await failure(importInto(models, writeTar(entriesOf()), { signal, onProgress }))
    expect(error.code).toBe("cancelled")
    expect(models.files()).toEqual([])
  })
})

test("an archive that grows without end is given up, and leaves nothing behind", async () => {
  using models = new ModelsFolder()
  const weights = Buffer.alloc(80 * 1024 ** 2)
  const hex = sha256(weights)
  const manifest = manifestOf([
    { name: "m.gguf", role: "model", digest: `sha256:${hex}`, sizeBytes: weights.length },
  ])
  const description = printDescription({ name: "zeros", manifest })
  const sums = new Map([
    ["model.json", sha256(description)],
    [`blobs/sha256-${hex}`, hex],
  ])
  const archive = zstdCompressSync(
    writeTar([
      { path: "SHA256SUMS", content: printSums(sums) },
      { path: "model.json", content: description },
      { path: `blobs/sha256-${hex}`, content: weights },
    ]),
  )
  expect(archive.length).toBeLessThan(100_000)
  const error = await failure(importInto(models, archive))
  expect(error).toMatchObject({ code: "invalid_archive" })
  expect(error.message).toContain("it grows to more than 100 times its size")
  expect(models.files()).toEqual([])
})

const OUTSIDE = ["../evil", "/evil", "blobs/../../evil", "..\\evil", "blobs//sha256-x", `./${BLOB}`, "evil"]

const RIGHT = entriesOf()
// Four entries, in the order in which they are written.
const [SUMS, DESCRIPTION, MODELFILE_ENTRY, BLOB_ENTRY] = RIGHT as [TarEntry, TarEntry, TarEntry, TarEntry]

const HOSTILE: readonly (readonly [what: string, entries: readonly TarEntry[], says: string])[] = [
  ...OUTSIDE.map(
    (path) => [`with the entry ${path}`, [...RIGHT, { path, content: "x" }], "is not in SHA256SUMS"] as const,
  ),
  ...OUTSIDE.map(
    (path) =>
      [
        `whose sums name ${path}`,
        [
          ...entriesOf({ sums: (right) => `${printSums(right)}${sha256("x")}  ${path}\n` }),
          { path, content: "x" },
        ],
        "SHA256SUMS has the line",
      ] as const,
  ),
  ["with a link out", [SUMS, { path: BLOB, type: "SymbolicLink", linkpath: "/etc/passwd" }], "SymbolicLink"],
  [
    "with a hard link",
    [SUMS, { path: BLOB, type: "Link", linkpath: "/etc/passwd" }],
    "not a file but a Link",
  ],
  ["with a device", [SUMS, { path: BLOB, type: "CharacterDevice" }], "CharacterDevice"],
  ["with a pipe", [SUMS, { path: BLOB, type: "FIFO" }], "FIFO"],
  ["with a folder", [{ path: "blobs/", type: "Directory" }, ...RIGHT], "Directory"],
  ["with an entry twice", [...RIGHT, BLOB_ENTRY], "occurs twice"],
  ["without sums", RIGHT.slice(1), "begins with 'model.json'"],
  ["without a description", [SUMS, MODELFILE_ENTRY], "ends without"],
  ["without weights", RIGHT.slice(0, 3), `ends without '${BLOB}'`],
  ["whose weights come first", [SUMS, BLOB_ENTRY, DESCRIPTION, MODELFILE_ENTRY], "comes before model.json"],
  ["with other weights", entriesOf({ weights: "weights of 4 model" }), "checksum mismatch for 'blobs/"],
  ["with longer weights", entriesOf({ weights: `${WEIGHTS}!` }), "has 19 bytes, but should have 18"],
  [
    "with another description",
    [SUMS, { path: "model.json", content: `${String(DESCRIPTION.content)} ` }, MODELFILE_ENTRY, BLOB_ENTRY],
    "checksum mismatch for 'model.json'",
  ],
  [
    "of a later version",
    entriesOf({ description: '{"format":"xllm-model","version":2,"name":"a","manifest":{}}' }),
    "version 2",
  ],
  ["that describes nothing", entriesOf({ description: "[]" }), "is not what xLLM writes"],
  ["with a broken description", entriesOf({ description: "{" }), "is not what xLLM writes"],
  ["with an impossible name", entriesOf({ name: "../../evil" }), "choose another name with --name"],
  ["with an impossible manifest", entriesOf({ manifest: { version: 1 } }), "invalid manifest"],
  [
    "whose file leads elsewhere",
    entriesOf({
      manifest: { ...rightManifest(), files: [{ ...rightManifest().files[0], name: "../../evil" }] },
    }),
    "leads elsewhere",
  ],
  ["whose sums are not sums", entriesOf({ sums: () => "hello\n" }), "SHA256SUMS has the line 'hello'"],
  [
    "whose sums lack the weights",
    entriesOf({ sums: (all) => printSums(new Map([...all].slice(0, 2))) }),
    "SHA256SUMS lacks",
  ],
  ["with an endless text", [SUMS, { path: "model.json", size: 2 ** 32 }], "has 4 GiB, more than any text"],
]

describe("an archive is refused, and nothing is installed,", () => {
  test.each(HOSTILE)("%s", async (_what, entries, says) => {
    using models = new ModelsFolder()
    const error = await failure(importInto(models, writeTar(entries)))
    expect(error).toMatchObject({ code: "invalid_archive", message: expect.stringContaining(says) })
    expect(models.files()).toEqual([])
    expect(existsSync(join(models.home, "evil"))).toBe(false)
  })

  test("that needs more room than there is, before anything is written", async () => {
    using models = new ModelsFolder()
    const entries = entriesOf({ manifest: rightManifest(2 ** 52) })
    const error = await failure(importInto(models, writeTar(entries)))
    expect(error.code).toBe("disk_full")
    expect(models.files()).toEqual([])
  })

  test("that is given up within its weights, and no file of it stays open", async () => {
    using models = new ModelsFolder()
    const weights = "w".repeat(1_000_000)
    const archive = writeTar(entriesOf({ weights, manifest: rightManifest(weights.length) }))
    const cancelling = new AbortController()
    const onProgress = (bytes: number) => {
      if (bytes > archive.length / 2) cancelling.abort()
    }
    const error = await failure(importInto(models, archive, { onProgress, signal: cancelling.signal }))
    expect(error.code).toBe("cancelled")
    expect(models.files()).toEqual([])
    const opened = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(join("/proc/self/fd", fd))
      } catch {
        return "" // of the reading of the folder itself
      }
    })
    expect(opened.filter((path) => path.startsWith(models.path))).toEqual([])
  })

  test("that unpacks to far more than it says", async () => {
    using models = new ModelsFolder()
    const bomb = Buffer.concat([writeTar(entriesOf()), new Uint8Array(256 * 1024 ** 2)])
    // What follows the end of a tar file is no part of it.
    expect((await importInto(models, zstdCompressSync(bomb))).name).toBe("tale:v1")
  })

  test("that is no archive", async () => {
    using models = new ModelsFolder()
    for (const bytes of [new Uint8Array(), new TextEncoder().encode("hello"), new Uint8Array(5000)])
      expect((await failure(importInto(models, bytes))).code).toBe("invalid_archive")
  })
})

test("a thousand damaged archives install nothing but what is whole", async () => {
  using models = new ModelsFolder()
  const right = writeTar(entriesOf())
  const compressed = zstdCompressSync(right)
  const random = numbers(7)
  let installed = 0
  for (let round = 0; round < 1000; round++) {
    const damaged = damage(round % 2 === 0 ? right : compressed, random)
    try {
      const { path } = await importInto(models, damaged)
      expect(readFileSync(path, "utf8")).toBe(WEIGHTS)
      installed++
    } catch (error) {
      expect(error).toBeInstanceOf(XllmError)
      expect((error as XllmError).status).toBeLessThan(500)
    }
  }
  // Times and owners of entries can change without harm.
  expect(installed).toBeLessThan(500)
  expect(models.files("tmp")).toEqual([])
  expect(models.files().filter((file) => !/^(blobs|manifests)\//.test(file))).toEqual([])
})

/** Cuts an end off, changes some bytes, or doubles a stretch. */
function damage(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const kind = random(3)
  const at = random(bytes.length)
  if (kind === 0) return bytes.subarray(0, at)
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1))])
  const changed = Uint8Array.from(bytes)
  for (let count = 0; count <= random(4); count++) changed[random(bytes.length)] = random(256)
  return changed
}

/** The same numbers in every run (Lehmer's generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % Math.max(1, below)
  }
}
