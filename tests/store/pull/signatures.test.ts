import { beforeAll, describe, expect, test } from "bun:test"
import { SignatureRefused } from "../../../src/errors/store"
import { PullScene, tinyModelBytes } from "../../support/fakes/pull-scene"
import { Signer } from "../../support/fakes/signer"
import { someBytes } from "../../support/files/some-bytes"

// Larger than what is read in one go.
const MODEL = Buffer.concat([tinyModelBytes(), someBytes(2_000_000)])
let alice: Signer
let mallory: Signer

beforeAll(async () => {
  alice = await Signer.create("Alice")
  mallory = await Signer.create("Mallory")
})

async function trusting(signer: Signer): Promise<PullScene> {
  const it = await PullScene.create()
  await it.keys.add(new TextEncoder().encode(signer.publicKey), "key.asc")
  return it
}

describe("a pull that wants signatures", () => {
  test("takes what a trusted key has signed, armored or not", async () => {
    await using it = await trusting(alice)
    it.hub.repositories["org/a"] = { files: { "m.gguf": MODEL, "m.gguf.asc": await alice.sign(MODEL) } }
    it.hub.repositories["org/b"] = { files: { "m.gguf": MODEL, "m.gguf.sig": await alice.signBinary(MODEL) } }
    await it.pull("org/a", { verify: true })
    await it.pull("org/b", { verify: true })
    expect(await it.store.list()).toHaveLength(2)
    expect(it.statuses).toContain("verifying signatures")
  })

  test("takes several files only if each is signed", async () => {
    await using it = await trusting(alice)
    const parts = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"] as const
    const files = {
      [parts[0]]: MODEL,
      [parts[1]]: tinyModelBytes(),
      [`${parts[0]}.asc`]: await alice.sign(MODEL),
    }
    it.hub.repositories["org/split"] = { files }
    await expect(it.pull("org/split", { verify: true })).rejects.toThrow(
      "m-00002-of-00002.gguf is refused: there is no signature",
    )
  })

  test("refuses what is not signed, before it is downloaded", async () => {
    await using it = await trusting(alice)
    it.hub.repositories["org/bare"] = { files: { "m.gguf": MODEL } }
    const failure = it.pull("org/bare", { verify: true })
    await expect(failure).rejects.toThrow(SignatureRefused)
    await failure.catch(() => {})
    expect(it.hub.storage.sent()).toBe(0)
    expect(await it.store.list()).toEqual([])
  })

  test.each([
    ["by somebody who is not trusted", async () => await mallory.sign(MODEL)],
    ["for another file", async () => await alice.sign(someBytes(100))],
    ["by nobody", async () => "-----BEGIN PGP SIGNATURE-----\n\nnonsense\n-----END PGP SIGNATURE-----\n"],
  ])("refuses what is signed %s", async (_what, signature) => {
    await using it = await trusting(alice)
    it.hub.repositories["org/odd"] = { files: { "m.gguf": MODEL, "m.gguf.asc": await signature() } }
    await expect(it.pull("org/odd", { verify: true })).rejects.toThrow(SignatureRefused)
    await it.pull("org/odd", { verify: true }).catch(() => {})
    expect(await it.store.list()).toEqual([])
  })

  test("refuses registries, which have no signatures", async () => {
    await using it = await trusting(alice)
    it.registry.publish("library/tiny:latest", { model: MODEL })
    await expect(it.pull("tiny", { verify: true })).rejects.toThrow("registries do not provide signatures")
  })
})
