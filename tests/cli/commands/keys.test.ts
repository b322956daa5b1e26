import { beforeAll, describe, expect, test } from "bun:test"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as keys } from "../../../src/cli/commands/keys"
import { fakeIo } from "../../support/fakes/fake-io"
import { Signer } from "../../support/fakes/signer"
import { tempFolder } from "../../support/temp-folder"

let alice: Signer
let bob: Signer

beforeAll(async () => {
  alice = await Signer.create("Alice")
  bob = await Signer.create("Bob")
})

/** The command with a home of its own. */
function home() {
  const folder = tempFolder()
  const run = async (argv: readonly string[], input = "") => {
    const io = fakeIo({ environment: { XLLM_HOME: folder.path }, input })
    await keys.execute(argv, io)
    return io.out
  }
  return { path: folder.path, run, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

describe("keys", () => {
  test("are added from a file and from what is piped in, listed, and removed", async () => {
    using it = home()
    const file = join(it.path, "alice.asc")
    await Bun.write(file, alice.publicKey)
    expect(await it.run(["add", file])).toMatch(/^trusted: [0-9A-F]{16} Alice <alice@example.org>\n$/)
    await it.run(["add", "-"], bob.publicKey)
    const listed = await it.run(["list"])
    expect(listed).toMatch(
      /^ID +USER +CREATED +EXPIRES\n[0-9A-F]{16} +Alice .* never\n[0-9A-F]{16} +Bob .*\n$/,
    )
    const [first] = JSON.parse(await it.run(["list", "--json"])).keys
    expect(first).toMatchObject({ users: ["Alice <alice@example.org>"], expires_at: null })
    expect(await it.run(["rm", first.fingerprint.slice(-16)])).toContain("no longer trusted")
    expect(await it.run(["list"])).not.toContain("Alice")
  })

  test("that cannot be kept are told of with their path, and leave nothing behind", async () => {
    using folder = tempFolder()
    const environment = { XLLM_HOME: join(folder.path, "file") }
    writeFileSync(join(folder.path, "file"), "")
    const adding = keys.execute(["add", "-"], fakeIo({ environment, input: alice.publicKey }))
    await expect(adding).rejects.toThrow(
      new RegExp(`^cannot write ${folder.path}/file/keys/[0-9a-f]{40}\\.asc: a part of the path is a file`),
    )
    expect(readdirSync(folder.path)).toEqual(["file"])
  })

  test("of private keys only the public part is kept", async () => {
    using it = home()
    await it.run(["add", "-"], alice.privateKey)
    const [name = ""] = [...new Bun.Glob("*.asc").scanSync(join(it.path, "keys"))]
    expect(await Bun.file(join(it.path, "keys", name)).text()).toContain("BEGIN PGP PUBLIC KEY BLOCK")
  })

  test.each([
    [["add", "/none.asc"], "cannot read /none.asc: no such file or folder"],
    [["add"], "keys add needs a FILE"],
    [["add", "-"], "standard input has no readable OpenPGP public key"],
    [["rm"], "keys rm needs an ID"],
    [["rm", "12"], "no trusted key ends with '12'"],
    [["drop"], "unknown action 'drop'; use add, list or rm"],
  ])("%p is refused", async (argv, message) => {
    using it = home()
    await expect(it.run(argv, "nonsense")).rejects.toThrow(message)
  })
})
