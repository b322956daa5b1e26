import { describe, expect, test } from "bun:test"
import { changedSettings, effectiveSettings, unknownVariables } from "../../src/config/effective"
import type { Inputs } from "../../src/config/load"
import { allSettings } from "../../src/config/schema"

function inputs(file: Record<string, unknown>, environment: Inputs["environment"] = {}): Inputs {
  return { flags: {}, environment, file: { path: "/c.yaml", values: new Map(Object.entries(file)) } }
}

describe("the settings that count", () => {
  const settings = effectiveSettings(
    inputs(
      { "server.port": 1, "models.m.keep_alive": null, "server.api_keys": ["secret"] },
      { XLLM_QUEUE_TIMEOUT: "5m" },
    ),
  )
  const at = (wanted: string) => settings.find(({ path }) => path === wanted)

  test("are all there, and what the file says of a model", () => {
    expect(settings.map(({ path }) => path)).toEqual([
      ...Object.values(allSettings).map(({ path }) => path),
      "models.m.keep_alive",
    ])
  })

  test("have a value and an origin", () => {
    const file = { source: "file", name: "/c.yaml" } as const
    expect(at("server.port")).toEqual({ path: "server.port", shown: "1", value: 1, origin: file })
    expect(at("models.m.keep_alive")).toMatchObject({ shown: "forever", value: null, origin: file })
    expect(at("queue.timeout")).toMatchObject({
      shown: "5m",
      value: 300,
      origin: { source: "environment", name: "XLLM_QUEUE_TIMEOUT" },
    })
    expect(at("server.host")).toMatchObject({ shown: "127.0.0.1", value: "127.0.0.1" })
  })

  test("hide keys", () => {
    expect(JSON.stringify(settings)).not.toContain("secret")
    expect(at("server.api_keys")?.shown).toBe("1 not shown")
  })
})

describe("a change", () => {
  test.each<[Record<string, unknown>, Record<string, unknown>, ReturnType<typeof changedSettings>]>([
    [{}, {}, []],
    [{ "queue.limit": 5 }, { "queue.limit": 5 }, []],
    [{ "queue.limit": 1000 }, {}, []],
    [{ "queue.limit": 5 }, {}, [{ path: "queue.limit", takesEffect: "now" }]],
    [{}, { "server.port": 5 }, [{ path: "server.port", takesEffect: undefined }]],
    [{}, { "defaults.ctx": 5 }, [{ path: "defaults.ctx", takesEffect: "load" }]],
    [
      { "server.api_keys": ["a"] },
      { "server.api_keys": ["b"] },
      [{ path: "server.api_keys", takesEffect: "now" }],
    ],
    [{ "models.m.pinned": true }, {}, [{ path: "models.m.pinned", takesEffect: "now" }]],
    [{ "gpu.simulate": [1] }, { "gpu.simulate": [1] }, []],
  ])("from %j to %j", (before, after, expected) => {
    expect(changedSettings(inputs(before), inputs(after))).toEqual(expected)
  })
})

test("variables that mean nothing are named", () => {
  const environment = {
    XLLM_SLTOS: "1",
    XLLM_HOME: "/h",
    XLLM_CTX: "1",
    PATH: "/bin",
    XLLM_WHATEVER_IT_IS: "",
  }
  expect(unknownVariables(environment)).toEqual([
    "unknown environment variable XLLM_SLTOS; did you mean XLLM_SLOTS?",
    "unknown environment variable XLLM_WHATEVER_IT_IS",
  ])
})
