import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { readdirSync, rmSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { partialBytes } from "../../src/store/pull/transfer/partial-file"
import { DockerRegistry, hasDockerRegistry } from "../support/fakes/docker-registry"
import { FakeHub, sha256 } from "../support/fakes/fake-hub"
import { FakeRegistry } from "../support/fakes/fake-registry"
import { FaultyServer } from "../support/fakes/faulty-server"
import { tinyModelBytes } from "../support/fakes/pull-scene"
import { Signer } from "../support/fakes/signer"
import { someBytes } from "../support/files/some-bytes"
import { Installation } from "../support/installation"
import { canMount, mountSmallDisk } from "../support/small-disk"
import { until } from "../support/until"

const MB = 1024 ** 2
const TINY = tinyModelBytes()
/** Large enough for many parts; what comes behind the tensors does not matter to a GGUF file. */
const LARGE = Buffer.concat([TINY, someBytes(40 * MB)])
const KEY = `sha256-${sha256(LARGE)}`

let xllm: Installation
let hub: FakeHub
let registry: FakeRegistry

beforeAll(async () => {
  xllm = await Installation.create()
})
afterAll(() => xllm[Symbol.dispose]())

beforeEach(async () => {
  hub = await FakeHub.start()
  registry = await FakeRegistry.start()
  hub.repositories["org/large"] = { files: { "large-Q4_K_M.gguf": LARGE } }
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
  rmSync(join(xllm.home, ".xllm"), { recursive: true, force: true })
})

const environment = () => ({ HF_ENDPOINT: hub.url, XLLM_PULL_OLLAMA_REGISTRY: registry.url })
const pull = (...argv: readonly string[]) => xllm.run(["pull", ...argv], { environment: environment() })

/** A pull that somebody interrupts. */
function startPull(...argv: readonly string[]) {
  return Bun.spawn([xllm.path, "pull", ...argv], {
    cwd: xllm.folder,
    env: { HOME: xllm.home, ...environment() },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
}

const partial = () => join(xllm.models, "partial")
const leftovers = () => {
  try {
    return readdirSync(partial())
  } catch {
    return []
  }
}

/** Starts a pull of which no more than a part comes, and waits until all of that is on the disk. */
async function pullHalf() {
  hub.storage.fault = () => ({ stallAfter: MB })
  const child = startPull("org/large")
  await until(async () => {
    const sent = hub.storage.sent()
    return sent >= 4 * MB && (await partialBytes(partial(), KEY)) === sent
  })
  hub.storage.fault = () => undefined
  return { child, came: hub.storage.sent() }
}

async function sumOf(model: string): Promise<string> {
  const { out } = await xllm.run(["show", model, "--json"])
  // What the command prints is JSON of a model.
  const { path } = JSON.parse(out) as { path: string }
  return sha256(await Bun.file(path).bytes())
}

describe("pull", () => {
  test("downloads a model, which is listed, answers and is not downloaded again", async () => {
    hub.repositories["org/tiny-GGUF"] = {
      files: { "tiny-Q4_K_M.gguf": TINY, "tiny-Q8_0.gguf": someBytes(5000) },
    }
    const { out, err, code } = await pull("org/tiny-GGUF")
    expect([out, code]).toEqual(["", 0])
    expect(err).toMatch(
      /^pulling manifest\npulling [0-9a-f]{12}: 0% of .*\n[^]*verifying sha256 digest\nwriting manifest\nsuccess\n$/,
    )
    expect((await xllm.run(["list"])).out).toContain("org/tiny-GGUF:latest")
    const answer = await xllm.run(["run", "org/tiny-GGUF", "hello", "--max-tokens", "4"], {
      environment: { XLLM_HOST: "127.0.0.1:1" },
    })
    expect(answer.code).toBe(0)
    const before = hub.storage.sent()
    expect((await pull("org/tiny-GGUF")).code).toBe(0)
    expect(hub.storage.sent()).toBe(before)
  })

  test("tells programs what goes on", async () => {
    registry.publish("library/tiny:latest", { model: TINY })
    const { out, err, code } = await pull("tiny", "--json")
    expect([err, code]).toEqual(["", 0])
    const events = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(events[0]).toEqual({ status: "pulling manifest" })
    expect(events).toContainEqual({
      status: `pulling ${sha256(TINY).slice(0, 12)}`,
      digest: `sha256:${sha256(TINY)}`,
      total: TINY.length,
      completed: TINY.length,
    })
    expect(events.at(-1)).toEqual({ status: "success" })
    const failed = await pull("nope", "--json")
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.out.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      code: "model_not_found",
    })
  })

  test("shows bars on a terminal", async () => {
    await using session = xllm.openTerminal(["pull", "org/large", "--huggingface-endpoint", hub.url])
    const shown = await session.see("success")
    expect(shown).toMatch(/pulling [0-9a-f]{12}: 100% ▕█+▏ \d+ MB/)
    expect(await session.exited).toBe(0)
  })

  test("goes on where it was killed; what came is not fetched again", async () => {
    const { child, came } = await pullHalf()
    child.kill("SIGKILL")
    await child.exited
    const before = hub.storage.requests.length
    const { code } = await pull("org/large")
    expect(code).toBe(0)
    const sentAgain = hub.storage.requests.slice(before).reduce((sum, { sent }) => sum + sent, 0)
    expect(sentAgain).toBe(LARGE.length - came)
    expect(await sumOf("org/large")).toBe(sha256(LARGE))
    expect(leftovers()).toEqual([])
  })

  test("that Ctrl-C ends says that it can go on, and does", async () => {
    const { child, came } = await pullHalf()
    child.kill("SIGINT")
    expect(await child.exited).toBe(130)
    expect(await child.stderr.text()).toContain("'xllm pull org/large' resumes it")
    const before = hub.storage.requests.length
    expect((await pull("org/large")).code).toBe(0)
    const sentAgain = hub.storage.requests.slice(before).reduce((sum, { sent }) => sum + sent, 0)
    expect(sentAgain).toBe(LARGE.length - came)
  })

  test("of a file that has changed meanwhile begins anew, and says so", async () => {
    const { child } = await pullHalf()
    child.kill("SIGKILL")
    await child.exited
    const changed = Buffer.concat([TINY, someBytes(40 * MB, 8)])
    hub.repositories["org/large"] = { files: { "large-Q4_K_M.gguf": changed } }
    const { err, code } = await pull("org/large")
    expect(code).toBe(0)
    expect(err).toContain("has changed at its source since its download began; downloading it again")
    expect(await sumOf("org/large")).toBe(sha256(changed))
    expect(leftovers()).toEqual([])
  })

  test("of a file that is not what it should be installs and keeps nothing", async () => {
    hub.repositories["org/wrong"] = { files: { "m.gguf": LARGE }, wrongSums: ["m.gguf"] }
    const { err, code } = await pull("org/wrong")
    expect(code).toBe(1)
    expect(err).toContain("it was deleted")
    expect(leftovers()).toEqual([])
    expect((await xllm.run(["list", "--json"])).out).toContain('"models": []')
  })

  test("bears connections that break, answers that are refused, and addresses that expire", async () => {
    hub.signatureUses = 3
    let asked = 0
    hub.storage.fault = () => {
      asked++
      if (asked % 7 === 0) return { status: 503, headers: { "retry-after": "0" } }
      return asked % 3 === 0 ? { dropAfter: 300_000 } : undefined
    }
    expect((await pull("org/large")).code).toBe(0)
    expect(await sumOf("org/large")).toBe(sha256(LARGE))
    expect(hub.signatures).toBeGreaterThan(3)
  })

  test("twice at once downloads once", async () => {
    const children = [startPull("org/large"), startPull("org/large")]
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0])
    expect(hub.storage.sent()).toBe(LARGE.length)
    expect(await sumOf("org/large")).toBe(sha256(LARGE))
  })
})

describe.skipIf(!canMount)("on a disk that is too small", () => {
  test("nothing is begun where that is known before", async () => {
    using _disk = mountSmallDisk(xllm.models, 30)
    const { err, code } = await pull("org/large")
    expect(code).toBe(1)
    expect(err).toMatch(/Error: not enough disk space in .*: \d+ MiB needed, \d+ MiB free/)
    expect(hub.storage.sent()).toBe(0)
  })

  test("that becomes full on the way, what came is used once there is room", async () => {
    using _disk = mountSmallDisk(xllm.models, 60)
    // Somebody else takes the room while the download goes on.
    hub.storage.onSent = async () => {
      hub.storage.onSent = () => {}
      await Bun.write(join(xllm.models, "partial", "other"), new Uint8Array(44 * MB))
    }
    const { err, code } = await pull("org/large")
    expect(code).toBe(1)
    expect(err).toContain("what was downloaded is kept: free some space, and run the same command again")
    rmSync(join(xllm.models, "partial", "other"))
    const kept = await partialBytes(partial(), KEY)
    expect(kept).toBeGreaterThan(MB)
    const before = hub.storage.requests.length
    expect((await pull("org/large")).code).toBe(0)
    const sentAgain = hub.storage.requests.slice(before).reduce((sum, { sent }) => sum + sent, 0)
    expect(sentAgain).toBe(LARGE.length - kept)
    expect(await sumOf("org/large")).toBe(sha256(LARGE))
  })
})

test("a limit for the size of files is a full disk too", async () => {
  const limited = Bun.spawn(
    ["bash", "-c", `ulimit -f 12000; exec "$0" "$@"`, xllm.path, "pull", "org/large"],
    {
      cwd: xllm.folder,
      env: { HOME: xllm.home, PATH: "/usr/bin:/bin", ...environment() },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  )
  expect(await limited.exited).toBe(1)
  expect(await limited.stderr.text()).toContain("no disk space left in")
  expect((await pull("org/large")).code).toBe(0)
  expect(await sumOf("org/large")).toBe(sha256(LARGE))
})

describe("the address of a file", () => {
  const serve = () => FaultyServer.start((_request, exchange) => exchange.file(LARGE, '"v1"'))

  test("is a model called as the file is", async () => {
    await using server = await serve()
    expect((await pull(`${server.url}/files/large.gguf`)).code).toBe(0)
    expect(await sumOf("large")).toBe(sha256(LARGE))
    expect(server.sent()).toBe(LARGE.length + 1)
  })

  test("is downloaded where the server knows neither parts nor lengths", async () => {
    await using server = await serve()
    server.fault = () => ({ ignoreRange: true, hideLength: true })
    expect((await pull(`${server.url}/large.gguf`)).code).toBe(0)
    expect(await sumOf("large")).toBe(sha256(LARGE))
  })

  test("of something else is refused", async () => {
    const { err, code } = await pull("https://example.org/model.bin")
    expect(code).toBe(1)
    expect(err).toContain("is not the URL of a GGUF file")
    expect((await pull("http://example.org/model.gguf")).err).toContain("only with --insecure")
  })
})

if (!hasDockerRegistry)
  console.log("the tests with Debian's docker-registry are skipped: it is not installed")

describe.skipIf(!hasDockerRegistry)("a registry for containers", () => {
  test("gives the models that were pushed to it", async () => {
    await using docker = await DockerRegistry.start(xllm.folder)
    const text = (value: string) => new TextEncoder().encode(value)
    await docker.push("team/large", "v1", {
      model: LARGE,
      system: text("You are large."),
      params: text('{"temperature":0.25,"stop":["<end>"]}'),
      license: text("MIT"),
    })
    const name = `${docker.host}/team/large:v1`
    expect(await pull(name)).toMatchObject({ code: 0, out: "" })
    expect(await sumOf(name)).toBe(sha256(LARGE))
    expect((await xllm.run(["show", name, "--system"])).out).toBe("You are large.\n")
    expect((await xllm.run(["show", name, "--parameters"])).out).toContain("0.25")
    const none = await pull(`${docker.host}/team/none`)
    expect(none.code).toBe(1)
    expect(none.err).toContain("not found")
  })
})

describe("a model that is missing", () => {
  const alone = () => ({ ...environment(), XLLM_HOST: "127.0.0.1:1" })
  const FLAGS = ["--temperature", "0", "--max-tokens", "4"]

  test("is downloaded by run", async () => {
    registry.publish("library/tiny:latest", { model: TINY })
    const first = await xllm.run(["run", "tiny", "hello", ...FLAGS], { environment: alone() })
    expect(first.code).toBe(0)
    expect(first.err).toContain("pulling manifest\n")
    const again = await xllm.run(["run", "tiny", "hello", ...FLAGS], { environment: alone() })
    expect(again.out).toBe(first.out)
    expect(again.err).not.toContain("pulling")
  })

  test("and can be had nowhere is said to be missing", async () => {
    const { err, code } = await xllm.run(["run", "nope", "hi"], { environment: alone() })
    expect(code).toBe(1)
    expect(err).toContain("model 'nope' not found")
    expect(err).toContain("'ollama:library/nope:latest' was tried")
  })

  test("is downloaded by a server that may, from the hosts that its owner has named", async () => {
    registry.publish("library/tiny:latest", { model: TINY })
    registry.publish("team/tiny:latest", { model: TINY })
    await using server = await xllm.serve(["--pull-missing"], { environment: environment() })
    expect((await server.chat({ model: "tiny", max_tokens: 2 })).status).toBe(200)
    const foreign = await server.chat({ model: `${registry.host}/team/tiny`, max_tokens: 2 })
    expect(foreign.status).toBe(404)
    expect(await foreign.text()).toContain("are not enabled")
    expect((await server.chat({ model: "https://example.org/m.gguf" })).status).toBe(404)
    expect((await server.chat({ model: "nope" })).status).toBe(404)
  })

  test("is not downloaded by any other server", async () => {
    registry.publish("library/tiny:latest", { model: TINY })
    await using server = await xllm.serve([], { environment: environment() })
    expect((await server.chat({ model: "tiny" })).status).toBe(404)
    expect(registry.server.requests).toEqual([])
  })
})

describe("a model whose file is damaged", () => {
  /** Overwrites the start of its file, which stays as long as it was. */
  async function damage(model: string): Promise<void> {
    const { path } = JSON.parse((await xllm.run(["list", "--json"])).out).models.find(
      ({ name }: { readonly name: string }) => name === model,
    ) as { path: string }
    const file = await open(path, "r+")
    await file.write(new Uint8Array(4096), 0, 4096, 0)
    await file.close()
  }

  beforeEach(async () => {
    registry.publish("library/tiny:latest", { model: TINY })
    await pull("tiny")
  })

  test("is repaired by pull --repair", async () => {
    await damage("tiny:latest")
    const { err, code } = await pull("--repair", "tiny")
    expect(code).toBe(0)
    expect(err).toContain("model.gguf is damaged")
    expect(await sumOf("tiny")).toBe(sha256(TINY))
    const before = registry.storage.sent()
    expect((await pull("--repair", "tiny")).err).not.toContain("damaged")
    expect(registry.storage.sent()).toBe(before)
  })

  test("answers model_corrupt, naming the command", async () => {
    await using server = await xllm.serve([], { environment: environment() })
    await damage("tiny:latest")
    const answer = await server.chat({ model: "tiny", max_tokens: 2 })
    expect(answer.status).toBe(500)
    const { error } = (await answer.json()) as { error: { code: string; message: string } }
    expect(error.code).toBe("model_corrupt")
    expect(error.message).toContain("xllm pull --repair tiny:latest")
    expect((await pull("--repair", "tiny")).code).toBe(0)
    expect((await server.chat({ model: "tiny", max_tokens: 2 })).status).toBe(200)
  })

  test("is not downloaded again without a word", async () => {
    await damage("tiny:latest")
    const before = registry.storage.sent()
    const { err, code } = await xllm.run(["run", "tiny", "hi"], {
      environment: { ...environment(), XLLM_HOST: "127.0.0.1:1" },
    })
    expect(code).toBe(1)
    expect(err).toContain("xllm pull --repair tiny:latest")
    expect(registry.storage.sent()).toBe(before)
  })

  test("is downloaded again by run where somebody at a terminal says yes", async () => {
    await damage("tiny:latest")
    await using session = xllm.openTerminal(["run", "tiny", "hi", "--max-tokens", "4"], {
      ...environment(),
      XLLM_HOST: "127.0.0.1:1",
    })
    await session.see("Download it again now? [y/N]")
    session.type("y\r")
    await session.see("success")
    expect(await session.exited).toBe(0)
  })
})

test("list --check-updates asks whether there is something newer", async () => {
  registry.publish("library/tiny:latest", { model: TINY })
  await pull("tiny")
  const list = async () => (await xllm.run(["list", "--check-updates"], { environment: environment() })).out
  expect(await list()).toMatch(/^NAME .* UPDATE\ntiny:latest .* current\n$/)
  registry.publish("library/tiny:latest", { model: TINY, system: "New." })
  expect(await list()).toMatch(/\ntiny:latest .* available\n$/)
})

test("signatures are checked against the keys that were added", async () => {
  const alice = await Signer.create("Alice")
  hub.repositories["org/signed"] = { files: { "m.gguf": TINY, "m.gguf.asc": await alice.sign(TINY) } }
  const refused = await pull("--verify", "org/signed")
  expect(refused.code).toBe(1)
  expect(refused.err).toContain("no trusted key has signed it")
  const added = await xllm.run(["keys", "add", "-"], { input: alice.publicKey })
  expect(added.out).toContain("Alice <alice@example.org>")
  expect((await pull("--verify", "org/signed")).code).toBe(0)
})
