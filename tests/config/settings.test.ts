import { describe, expect, test } from "bun:test"
import { homedir } from "node:os"
import { join } from "node:path"
import { parseAddress } from "../../src/config/address"
import { flagName, resolveSettings, variableName } from "../../src/config/load"
import { findPaths } from "../../src/config/paths"
import { modelSettings } from "../../src/config/schema"
import {
  listenSettings,
  logOptions,
  modelsFolder,
  serverLocation,
  textModelSettings,
} from "../../src/config/settings"

const host = (text: string) => parseAddress(text, "--host")

describe("a setting", () => {
  test("has a flag and a variable of the same name", () => {
    expect(flagName("cacheTypeK")).toBe("cache-type-k")
    expect(variableName("cacheTypeK")).toBe("XLLM_CACHE_TYPE_K")
  })

  test("comes from the flag before the variable, and from the variable before the default", () => {
    const environment = { XLLM_CTX: "4k", XLLM_SLOTS: "2" }
    const { values, sources } = resolveSettings(modelSettings, { ctx: 100 }, environment)
    expect([values.ctx, values.slots, values.flashAttn]).toEqual([100, 2, "auto"])
    expect([sources.ctx, sources.slots, sources.flashAttn]).toEqual(["flag", "environment", "default"])
  })

  test("is not set by an empty variable", () => {
    expect(resolveSettings(modelSettings, {}, { XLLM_CTX: "" }).values.ctx).toBeNull()
  })

  test("with an impossible variable is refused by the variable's name", () => {
    expect(() => resolveSettings(modelSettings, {}, { XLLM_GPU_LAYERS: "many" })).toThrow(
      "XLLM_GPU_LAYERS must be a whole number of at least 0, got 'many'",
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
      runtime: "/data/xllm/runtime",
      history: "/data/xllm/history",
    })
  })

  test("the models have a setting of their own", () => {
    const environment = { XLLM_HOME: "/data/xllm", XLLM_MODELS_DIR: "/models" }
    expect(modelsFolder({}, environment)).toBe("/models")
    expect(modelsFolder({ modelsDir: "/other" }, environment)).toBe("/other")
    expect(modelsFolder({}, { XLLM_HOME: "/data/xllm" })).toBe("/data/xllm/models")
  })
})

describe("where serve listens", () => {
  test("is this machine and the usual port", () => {
    expect(listenSettings({}, {})).toMatchObject({ hostname: "127.0.0.1", port: 32769, queueLimit: 1000 })
  })

  test.each([
    ["--host with a port", { host: host("0.0.0.0:1") }, {}, 1],
    ["--port beats the port in --host", { host: host("0.0.0.0:1"), port: 2 }, {}, 2],
    ["the port in --host beats XLLM_PORT", { host: host("0.0.0.0:1") }, { XLLM_PORT: "3" }, 1],
    ["XLLM_PORT beats the port in XLLM_HOST", {}, { XLLM_HOST: "0.0.0.0:1", XLLM_PORT: "3" }, 3],
    ["the port in XLLM_HOST", {}, { XLLM_HOST: "0.0.0.0:1" }, 1],
    ["any port", { port: 0 }, {}, 0],
  ])("%s", (_what, flags, environment, port) => {
    expect(listenSettings(flags, environment).port).toBe(port)
  })

  test("is never https", () => {
    expect(() => listenSettings({ host: host("https://box") }, {})).toThrow("plain HTTP")
  })
})

describe("where clients look for a server", () => {
  test.each([
    ["nothing said", {}, {}, "http://127.0.0.1:32769", false],
    ["the server's own variable", {}, { XLLM_HOST: "0.0.0.0:8080" }, "http://127.0.0.1:8080", true],
    ["only the port", {}, { XLLM_PORT: "8080" }, "http://127.0.0.1:8080", true],
    ["the flag", { host: host("box") }, { XLLM_HOST: "other" }, "http://box:32769", true],
    ["a URL", { host: host("https://box") }, {}, "https://box:443", true],
  ])("%s", (_what, flags, environment, url, isNamed) => {
    expect(serverLocation(flags, environment)).toEqual({ url, isNamed })
  })
})

test("models are loaded with what was said, and the rest is left to the worker", () => {
  const flags = { ctx: 4096, threads: 2, tensorSplit: [3, 1], kv: "split", mmap: false } as const
  expect(textModelSettings(flags, { XLLM_CACHE_TYPE_K: "q8_0" })).toEqual({
    contextLength: 4096,
    slots: 16,
    decodeThreads: 2,
    prefillThreads: null,
    gpuLayers: null,
    splitMode: "layer",
    tensorSplit: [3, 1],
    devices: null,
    kvTypeK: "q8_0",
    kvTypeV: "f16",
    kvLayout: "split",
    kvCells: null,
    flashAttention: "auto",
    memoryMap: false,
    memoryLock: false,
  })
})

test("the usual log level is the command's, unless somebody says one", () => {
  expect(logOptions({}, {}).logLevel).toBe("info")
  expect(logOptions({}, {}, "error").logLevel).toBe("error")
  expect(logOptions({}, { XLLM_LOG_LEVEL: "debug" }, "error").logLevel).toBe("debug")
})
