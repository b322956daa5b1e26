import { expect, test } from "bun:test"
import { UsageError } from "../../src/errors/cli"
import { resolveInputs } from "../../src/config/resolve"

test("settings are resolved once, and frozen at all levels", () => {
  const values = new Map<string, unknown>([["server.allowed_hosts", ["box"]]])
  const settings = resolveInputs({ flags: {}, environment: {}, file: { path: "/c.yaml", values } })
  expect(settings.access).toBe(settings.access)
  expect(settings.access.allowedHosts).toEqual(["box"])
  for (const one of [
    settings,
    settings.inputs,
    settings.environment,
    settings.access,
    settings.access.allowedHosts,
  ])
    expect(Object.isFrozen(one)).toBe(true)
  expect(Object.isFrozen(settings.ofModel({ name: "m" }))).toBe(true)
  expect(() => Object.assign(settings.capacity, { maxModels: 1 })).toThrow(TypeError)
})

test("what changes in the environment later changes no settings", () => {
  const environment: Record<string, string> = { XLLM_QUEUE_LIMIT: "3" }
  const settings = resolveInputs({ flags: {}, environment })
  environment["XLLM_QUEUE_LIMIT"] = "4"
  expect(settings.capacity.queueLimit).toBe(3)
})

test("a faulty variable stops only what it concerns", () => {
  const settings = resolveInputs({ flags: {}, environment: { XLLM_PORT: "none", XLLM_MODELS_DIR: "/m" } })
  expect(settings.modelsFolder).toBe("/m")
  for (let round = 0; round < 2; round++) expect(() => settings.server).toThrow(UsageError)
})
