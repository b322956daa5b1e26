import { describe, expect, test } from "bun:test"
import { homedir } from "node:os"
import { join } from "node:path"
import { parseAddress } from "../../src/config/address"
import { flagName, type Inputs, resolveSettings, variableName, variablesOf } from "../../src/config/load"
import { findPaths } from "../../src/config/paths"
import { allSettings } from "../../src/config/schema"
import { flaglessSettings } from "../../src/config/sections/flagless"
import { capacitySettings } from "../../src/config/sections/limits"
import { modelSettings } from "../../src/config/sections/model"
import {
  listenSettings,
  logOptions,
  modelsFolder,
  quietLogOptions,
  serverLocation,
} from "../../src/config/settings"

const host = (text: string) => parseAddress(text, "--host")

/** What was said on the command line, by variables and in the file (by paths). */
function said(
  flags: Inputs["flags"] = {},
  environment: Inputs["environment"] = {},
  file?: Readonly<Record<string, unknown>>,
): Inputs {
  const values = new Map(Object.entries(file ?? {}))
  return { flags, environment, ...(file !== undefined && { file: { path: "/c.yaml", values } }) }
}

describe("a setting", () => {
  test("has a flag and a variable of the same name", () => {
    expect(flagName("cacheTypeK")).toBe("cache-type-k")
    expect(variableName("cacheTypeK")).toBe("XLLM_CACHE_TYPE_K")
  })

  test("has a variable of its place in the file too", () => {
    expect(variablesOf("queueTimeout", capacitySettings.queueTimeout)).toEqual(["XLLM_QUEUE_TIMEOUT"])
    expect(variablesOf("ctx", modelSettings.ctx)).toEqual(["XLLM_CTX", "XLLM_DEFAULTS_CTX"])
    expect(variablesOf("apiKeys", flaglessSettings.apiKeys)).toContain("XLLM_API_KEY")
  })

  test("shares none of its names with another", () => {
    const paths = Object.values(allSettings).map(({ path }) => path)
    const variables = Object.entries(allSettings).flatMap(([key, setting]) => variablesOf(key, setting))
    expect(new Set(paths).size).toBe(paths.length)
    expect(new Set(variables).size).toBe(variables.length)
  })

  test("comes from the flag, then the variable, then the file, then the default", () => {
    const file = { "defaults.ctx": 1, "defaults.slots": 3, "defaults.mlock": true }
    const { values, origins } = resolveSettings(
      modelSettings,
      said({ ctx: 100 }, { XLLM_CTX: "4k", XLLM_SLOTS: "2" }, file),
    )
    expect([values.ctx, values.slots, values.mlock, values.flashAttn]).toEqual([100, 2, true, "auto"])
    expect([origins.ctx, origins.slots, origins.mlock, origins.flashAttn]).toEqual([
      { source: "flag", name: "--ctx" },
      { source: "environment", name: "XLLM_SLOTS" },
      { source: "file", name: "/c.yaml" },
      { source: "default", name: "default" },
    ])
  })

  test("is not set by an empty variable", () => {
    expect(resolveSettings(modelSettings, said({}, { XLLM_CTX: "" })).values.ctx).toBeNull()
  })

  test("with an impossible variable is refused by the variable's name", () => {
    expect(() => resolveSettings(modelSettings, said({}, { XLLM_GPU_LAYERS: "many" }))).toThrow(
      "XLLM_GPU_LAYERS must be a whole number from 0 to 2147483647, got 'many'",
    )
  })
})

describe("places", () => {
  test("are in the home folder, also without HOME", () => {
    expect(findPaths({}).models).toBe(join(homedir(), ".xllm", "models"))
  })

  test("move with XLLM_HOME", () => {
    const paths = findPaths({ XLLM_HOME: "/data/xllm" })
    expect(paths).toEqual({
      home: "/data/xllm",
      models: "/data/xllm/models",
      loras: "/data/xllm/loras",
      runtime: "/data/xllm/runtime",
      images: "/data/xllm/images",
      responses: "/data/xllm/responses/responses.sqlite",
      prompts: "/data/xllm/cache/kv",
      profiles: "/data/xllm/cache/profiles",
      keys: "/data/xllm/keys",
      uploads: "/data/xllm/uploads",
      history: "/data/xllm/history",
      errors: "/data/xllm/errors.log",
    })
  })

  test("the models have a setting of their own", () => {
    const environment = { XLLM_HOME: "/data/xllm", XLLM_MODELS_DIR: "/models" }
    expect(modelsFolder(said({}, environment))).toBe("/models")
    expect(modelsFolder(said({ modelsDir: "/other" }, environment))).toBe("/other")
    expect(modelsFolder(said({}, { XLLM_HOME: "/data/xllm" }))).toBe("/data/xllm/models")
    expect(modelsFolder(said({}, {}, { models_dir: "/files" }))).toBe("/files")
  })
})

describe("where serve listens", () => {
  const insecure = { insecure: true }

  test("is this machine and the usual port", () => {
    expect(listenSettings(said())).toEqual({ hostname: "127.0.0.1", port: 32769 })
  })

  test.each<[string, Inputs, number]>([
    ["--host with a port", said({ host: host("0.0.0.0:1"), ...insecure }), 1],
    ["--port beats the port in --host", said({ host: host("0.0.0.0:1"), port: 2, ...insecure }), 2],
    [
      "the port in --host beats XLLM_PORT",
      said({ host: host("0.0.0.0:1"), ...insecure }, { XLLM_PORT: "3" }),
      1,
    ],
    ["XLLM_PORT beats the port in XLLM_HOST", said({}, { XLLM_HOST: "localhost:1", XLLM_PORT: "3" }), 3],
    ["the port in XLLM_HOST", said({}, { XLLM_HOST: "localhost:1" }), 1],
    [
      "the port in XLLM_HOST beats the file's",
      said({}, { XLLM_HOST: "localhost:1" }, { "server.port": 3 }),
      1,
    ],
    ["any port", said({ port: 0 }), 0],
  ])("%s", (_what, inputs, port) => {
    expect(listenSettings(inputs)).toMatchObject({ port })
  })

  test.each<[string, Inputs, object]>([
    ["a flag", said({ socket: "/run/x.sock" }), { socket: "/run/x.sock" }],
    ["the file", said({}, {}, { "server.socket": "/run/x.sock" }), { socket: "/run/x.sock" }],
    ["a stronger port", said({ port: 5 }, {}, { "server.socket": "/run/x.sock" }), { port: 5 }],
    ["a stronger host", said({ host: host("::1") }, { XLLM_SOCKET: "/run/x" }), { hostname: "::1" }],
  ])("is a socket, or not, by %s", (_what, inputs, expected) => {
    expect(listenSettings(inputs)).toMatchObject(expected)
  })

  test("is never https", () => {
    expect(() => listenSettings(said({ host: host("https://box") }))).toThrow(
      "--host must not be https: 'xllm serve' speaks plain HTTP",
    )
  })

  test.each(["0.0.0.0", "::", "192.168.0.7", "box"])("is not %s without a key", (name) => {
    const flags = { host: host(name) }
    expect(() => listenSettings(said(flags))).toThrow(
      "set XLLM_API_KEY (or server.api_keys), or pass --insecure",
    )
    expect(listenSettings(said({ ...flags, ...insecure }))).toMatchObject({ hostname: name })
    expect(listenSettings(said(flags, { XLLM_API_KEY: "k" }))).toMatchObject({ hostname: name })
    expect(listenSettings(said(flags, {}, { "server.api_keys": ["k"] }))).toMatchObject({ hostname: name })
  })
})

describe("where clients look for a server", () => {
  test.each<[string, Inputs, string, boolean]>([
    ["nothing said", said(), "http://127.0.0.1:32769", false],
    ["the server's own variable", said({}, { XLLM_HOST: "0.0.0.0:8080" }), "http://127.0.0.1:8080", true],
    ["only the port", said({}, { XLLM_PORT: "8080" }), "http://127.0.0.1:8080", true],
    ["the flag", said({ host: host("box") }, { XLLM_HOST: "other" }), "http://box:32769", true],
    ["a URL", said({ host: host("https://box") }), "https://box:443", true],
    ["the server's file", said({}, {}, { "server.port": 8080 }), "http://127.0.0.1:8080", false],
  ])("%s", (_what, inputs, url, isNamed) => {
    expect(serverLocation(inputs)).toEqual({ url, isNamed })
  })

  test("a socket, unless an address is said more strongly", () => {
    const file = { "server.socket": "/run/x.sock" }
    expect(serverLocation(said({}, {}, file))).toMatchObject({ socket: "/run/x.sock", isNamed: false })
    expect(serverLocation(said({ host: host("box") }, {}, file))).toEqual({
      url: "http://box:32769",
      isNamed: true,
    })
  })

  test("they show the key, but one from the file only to the file's own server", () => {
    const file = { "server.api_keys": ["of-file", "more"] }
    expect(serverLocation(said({}, {}, file)).apiKey).toBe("of-file")
    expect(serverLocation(said({ host: host("box") }, {}, file)).apiKey).toBeUndefined()
    expect(serverLocation(said({ host: host("box") }, { XLLM_API_KEY: "mine" }, file)).apiKey).toBe("mine")
  })
})

describe("how much is logged", () => {
  test.each<[string, Inputs, string, string]>([
    ["nobody says", said(), "info", "off"],
    ["the file says", said({}, {}, { "log.level": "debug" }), "debug", "off"],
    ["a variable says", said({}, { XLLM_LOG: "debug" }), "debug", "debug"],
    ["the flag says", said({ logLevel: "warn" }, { XLLM_LOG_LEVEL: "debug" }), "warn", "warn"],
  ])("where %s", (_who, inputs, byServe, byRun) => {
    expect(logOptions(inputs).logLevel).toBe(byServe as "info")
    expect(quietLogOptions(inputs).logLevel).toBe(byRun as "off")
  })
})
