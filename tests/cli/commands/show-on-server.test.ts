import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { command as show } from "../../../src/cli/commands/show"
import { listen, type Listener } from "../../../src/http/server/listen"
import { FakeEngine, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { fakeIo } from "../../support/fakes/fake-io"
import { fakeServer } from "../../support/http"

let listener: Listener

beforeAll(async () => {
  const engine = new FakeEngine()
  engine.mediaModels = [VOICE_MODEL]
  const plain = engine.show.bind(engine)
  engine.show = async (model) => ({
    ...(await plain(model)),
    defaults: { system: "Be brief.", sampling: { temperature: 0.25 }, stop: ["END"] },
    parts: [{ role: "adapter", name: "a.gguf", path: "/secret/a.gguf", sizeBytes: 500, scale: 0.5 }],
  })
  listener = await listen(fakeServer(undefined, { engine }).app, { host: "127.0.0.1", port: 0 })
})
afterAll(() => listener.close())

async function shown(...words: readonly string[]): Promise<string> {
  const io = fakeIo()
  await show.execute([...words, "--host", listener.url], io)
  return io.out
}

describe("show --host", () => {
  test("describes a server's model", async () => {
    const text = await shown("tiny")
    expect(text).toMatch(/^ {2}Model\n {4}architecture +llama\n/)
    expect(text).toMatch(/\n {2}Parts\n {4}adapter +a\.gguf +500 B +scale 0\.5\n/)
    expect(await shown("joe")).toMatch(/^ {2}Model\n {4}family +piper\n/)
  })

  test("prints JSON with what the server reports, and no paths", async () => {
    const printed: unknown = JSON.parse(await shown("tiny", "--json"))
    expect(printed).toMatchObject({
      name: "tiny",
      kind: "text",
      size_bytes: 1234,
      capabilities: ["completion", "chat"],
      parts: [{ role: "adapter", name: "a.gguf", size_bytes: 500, scale: 0.5 }],
    })
    expect(printed).not.toHaveProperty("path")
    expect(JSON.stringify(printed)).not.toContain("/secret")
  })

  test.each([
    ["--system", "Be brief.\n"],
    ["--parameters", 'stop                           "END"\ntemperature                    0.25\n'],
  ])("%s prints nothing else", async (flag, text) => {
    expect(await shown("tiny", flag)).toBe(text)
  })

  test("prints a Modelfile", async () => {
    expect(await shown("tiny", "--modelfile")).toContain('FROM tiny\nSYSTEM "Be brief."\n')
  })

  test.each(["--tensors", "--metadata", "-v", "--effective"])(
    "refuses %s, which only files tell",
    async (flag) => {
      await expect(shown("tiny", flag)).rejects.toThrow(
        /^--(tensors|metadata|verbose|effective) is not available through a server; omit --host/,
      )
    },
  )

  test("refuses a path, and names a model that the server does not have", async () => {
    await expect(shown("./tiny.gguf")).rejects.toThrow(
      "a server accepts model names, not paths, got './tiny.gguf'",
    )
    await expect(shown("tinx")).rejects.toThrow("model 'tinx' not found; did you mean 'tiny'?")
  })

  test("says where no server answers", async () => {
    const io = fakeIo()
    await expect(show.execute(["tiny", "--host", "http://127.0.0.1:9"], io)).rejects.toMatchObject({
      code: "server_unreachable",
    })
  })
})
