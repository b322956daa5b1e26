import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { open } from "node:fs/promises"
import { constants } from "node:fs"
import { join } from "node:path"

/** Bytes with the magic numbers of these formats, but invalid contents. */
const BROKEN: Readonly<Record<string, string | Uint8Array>> = {
  "empty.gguf": "",
  "text.txt": "hello: [world\n",
  "half.gguf": bytes("GGUF", [3, 0, 0, 0, 1], 20, "\xff".repeat(50)),
  "old.gguf": bytes("GGUF", [1, 0, 0, 0], 40),
  "turned.gguf": bytes("GGUF", [0, 0, 0, 3], 40),
  "bad.safetensors": bytes([20], 7, "{broken json   xxxxxx"),
  "bad.onnx": bytes([8, 7, 0x12, 0xff, 0xff, 0xff]),
  "model.bin": bytes([6, 0, 0, 0], "\xff".repeat(64)),
  "bad.tar": bytes(100, "garbage".repeat(200)),
  "bad.tar.zst": bytes([0x28, 0xb5, 0x2f, 0xfd], "garbage".repeat(50)),
  "bad.tar.gz": bytes([0x1f, 0x8b, 8, 0], "garbage".repeat(50)),
  "bad.zip": bytes("PK", [3, 4], "garbage".repeat(50)),
  "bad.json": '{"a": ',
  "bad.yaml": "a: [1\nb: {",
  "bad.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\ngarbage!\n-----END PGP PUBLIC KEY BLOCK-----\n",
  "bad.wav": bytes("RIFF", "\xff".repeat(4), "WAVEfmt ", 2),
  "bad.png": bytes("\x89PNG\r\n\x1a\n", "garbage".repeat(20)),
}

/** Paths that no command can use, by what is wrong with them. */
export function wrongPaths(folder: string): ReadonlyMap<string, string> {
  const at = (name: string) => join(folder, name)
  for (const [name, content] of Object.entries(BROKEN)) writeFileSync(at(name), content)
  mkdirSync(at("folder"))
  mkdirSync(at("other/inner"), { recursive: true })
  writeFileSync(at("folder/a%ZZ"), "text")
  symlinkSync(at("nowhere.gguf"), at("dangling.gguf"))
  symlinkSync(at("nowhere"), at("dangling"))
  symlinkSync(at("loop"), at("loop"))
  Bun.spawnSync(["mkfifo", at("fifo.gguf")])
  return new Map([
    ...Object.keys(BROKEN).map((name) => [name, at(name)] as const),
    ["missing", at("missing")],
    ["missing.gguf", at("missing.gguf")],
    ["below what is missing", at("no/such/x.gguf")],
    ["folder", at("folder")],
    ["folder with a slash", `${at("folder")}/`],
    ["folder with folders", at("other")],
    ["below a file", at("text.txt/x")],
    ["below a file.gguf", at("text.txt/x.gguf")],
    ["%ZZ", at("folder/a%ZZ")],
    ["missing %ZZ", at("b%ZZc.gguf")],
    ["control characters", at("a\x1b[31m\nb\x07")],
    ["a name that is too long", at("a".repeat(300))],
    ["a path that is too long", `/${"a/".repeat(3000)}`],
    ["dangling link", at("dangling")],
    ["dangling.gguf", at("dangling.gguf")],
    ["circle of links", at("loop")],
    ["fifo", at("fifo.gguf")],
    ["device without an end", "/dev/zero"],
    ["device that is full", "/dev/full"],
  ])
}

/** Prevents programs from blocking on a pipe: opens and closes both ends repeatedly, until disposed. */
export function closeEnds(fifo: string): Disposable {
  const timer = setInterval(() => {
    for (const end of [constants.O_WRONLY, constants.O_RDONLY]) {
      // Fails if no program has the other end open.
      open(fifo, end | constants.O_NONBLOCK).then(
        (file) => file.close(),
        () => {},
      )
    }
  }, 20)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Strings as Latin-1 bytes, numbers as that many zeros, and lists of bytes. */
function bytes(...parts: readonly (string | number | readonly number[])[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part, "latin1")
      return typeof part === "number" ? Buffer.alloc(part) : Buffer.from(part)
    }),
  )
}
