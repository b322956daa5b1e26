import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { LiveConfiguration } from "../../../src/cli/serve/reload"
import { readSettings, type Settings } from "../../../src/config/resolve"
import { createLogger } from "../../../src/log/logger"
import { tempFolder } from "../../support/temp-folder"

let folder = tempFolder()
let path = ""
beforeEach(() => {
  folder = tempFolder()
  path = join(folder.path, "config.yaml")
})
afterEach(() => folder[Symbol.dispose]())

async function start(text: string, flags: Settings["inputs"]["flags"] = {}) {
  writeFileSync(path, text)
  const lines: string[] = []
  const applied: Settings[] = []
  const settings = await readSettings(flags, { XLLM_HOME: folder.path })
  const logged = Promise.withResolvers<void>()
  const configuration = new LiveConfiguration({
    settings,
    flags,
    log: createLogger({
      level: "debug",
      format: "json",
      write: (line) => {
        lines.push(line)
        logged.resolve()
      },
    }),
    apply(next) {
      applied.push(next)
      return ["smol"]
    },
  })
  return { configuration, applied, logged: logged.promise, events: () => lines.map(parse) }
}

function parse(line: string): Record<string, unknown> {
  const { time, ...event } = JSON.parse(line) as Record<string, unknown>
  expect(time).toBeString()
  return event
}

describe("a file that is read again", () => {
  test("changes what can change, and names what cannot", async () => {
    const { configuration, applied, events } = await start("queue: {limit: 1}")
    writeFileSync(path, "queue: {limit: 2}\nserver: {port: 1, allowed_hosts: [box]}\ndefaults: {ctx: 9}\n")
    await configuration.reload()
    expect(events()).toEqual([
      {
        level: "info",
        event: "configuration changed",
        settings: ["server.allowed_hosts", "queue.limit"],
        from_the_next_load: ["defaults.ctx"],
        loaded_models: ["smol"],
      },
      {
        level: "warn",
        event: "restart the server for these settings to take effect",
        settings: ["server.port"],
      },
    ])
    expect(applied.map(({ access }) => access.allowedHosts)).toEqual([["box"]])
    expect(configuration.settings.access.allowedHosts).toEqual(["box"])
  })

  test("changes nothing where it says the same, or a flag is stronger", async () => {
    const { configuration, applied, events } = await start("queue: {limit: 1}", { queueLimit: 7 })
    writeFileSync(path, "# now with a comment\nqueue:\n  limit: 2\n")
    await configuration.reload()
    expect([applied, events()]).toEqual([[], []])
  })

  test("changes nothing where it is wrong, and says why", async () => {
    const { configuration, applied, events } = await start("server: {allowed_hosts: [box]}")
    writeFileSync(path, "server: {allowed_hots: [other]}")
    await configuration.reload()
    expect(applied).toEqual([])
    expect(configuration.settings.access.allowedHosts).toEqual(["box"])
    expect(events()).toEqual([
      {
        level: "error",
        event: "invalid configuration, keeping the previous one",
        error: `unknown setting 'server.allowed_hots' in ${path}; did you mean 'server.allowed_hosts'?`,
      },
    ])
  })

  test("is noticed when it is the first one, in a home that there was not", async () => {
    const home = join(folder.path, "new")
    const { promise: applied, resolve } = Promise.withResolvers<Settings>()
    const configuration = new LiveConfiguration({
      settings: await readSettings({}, { XLLM_HOME: home }),
      flags: {},
      log: createLogger({ level: "off" }),
      apply(next) {
        resolve(next)
        return []
      },
    })
    using _watch = configuration.watch()
    writeFileSync(join(home, "config.json"), '{"server": {"allowed_hosts": ["box"]}}')
    expect((await applied).access.allowedHosts).toEqual(["box"])
  })

  test("is noticed when it is written", async () => {
    const { configuration, logged, events } = await start("queue: {limit: 1}")
    using _watch = configuration.watch()
    writeFileSync(path, "queue: {limit: 2}")
    await logged
    expect(events()).toMatchObject([{ event: "configuration changed", settings: ["queue.limit"] }])
  })
})
