import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { effectiveSettings } from "../../src/config/effective"
import { findPaths } from "../../src/config/paths"
import { profilePath, readProfile } from "../../src/config/profiles"
import { resolveInputs } from "../../src/config/resolve"
import { tempFolder } from "../support/temp-folder"

const MODEL = { name: "qwen", id: "abc" }
let home: ReturnType<typeof tempFolder>
let environment: Record<string, string>

/** A file as `xllm profile` writes it, as far as loading a model is concerned. */
const FACTS = {
  schema: "xllm.profile/1",
  model: { name: "qwen", digest: "abc" },
  steady: true,
  settings: [
    { name: "threads", value: 6, reason: "8 is 12 % slower" },
    { name: "threads_batch", value: "many", reason: "no longer allowed" },
  ],
  batchCosts: [
    { tokens: 1, ms: 10 },
    { tokens: 0, ms: 1 },
    { tokens: 2, ms: 12.5 },
  ],
}

async function write(facts: unknown, digest = "abc"): Promise<string> {
  const path = profilePath(findPaths(environment), digest)
  mkdirSync(dirname(path), { recursive: true })
  await Bun.write(path, typeof facts === "string" ? facts : JSON.stringify(facts))
  return path
}

beforeAll(async () => {
  home = tempFolder()
  environment = { XLLM_HOME: home.path }
  await write(FACTS)
})
afterAll(() => home[Symbol.dispose]())

const origin = (inputs: Parameters<typeof resolveInputs>[0], name = "threads") =>
  resolveInputs(inputs)
    .explainModel(MODEL)
    .find((setting) => setting.name === name)

describe("what was measured of a model", () => {
  test("counts where nothing is set, and is said to be from the profile", () => {
    expect(origin({ flags: {}, environment })).toEqual({ name: "threads", shown: "6", from: "profile" })
    const settings = resolveInputs({ flags: {}, environment }).ofModel(MODEL)
    expect(settings.decodeThreads).toBe(6)
    expect(settings.batchCosts).toEqual([
      { tokens: 1, ms: 10 },
      { tokens: 2, ms: 12.5 },
    ])
  })

  test("is weaker than everything that someone has set", () => {
    const file = (values: [string, unknown][]) => ({ path: "/f.yaml", values: new Map(values) })
    expect(origin({ flags: { threads: 3 }, environment })?.from).toBe("set by --threads")
    expect(origin({ flags: {}, environment: { ...environment, XLLM_THREADS: "2" } })?.shown).toBe("2")
    expect(origin({ flags: {}, environment, file: file([["defaults.threads", 4]]) })?.shown).toBe("4")
    expect(origin({ flags: {}, environment, file: file([["models.qwen.threads", 5]]) })?.shown).toBe("5")
    const withDefaults = { ...MODEL, defaults: { settings: { decodeThreads: 7 } } }
    expect(resolveInputs({ flags: {}, environment }).ofModel(withDefaults).decodeThreads).toBe(7)
  })

  test("does not count for another version, with --no-profile, or where a value is not allowed", () => {
    const { ofModel } = resolveInputs({ flags: {}, environment })
    expect(ofModel({ ...MODEL, id: "other" }).decodeThreads).toBeNull()
    expect(ofModel({ name: "qwen" }).decodeThreads).toBeNull()
    const without = resolveInputs({ flags: { profile: false }, environment }).ofModel(MODEL)
    expect([without.decodeThreads, without.batchCosts]).toEqual([null, undefined])
    expect(origin({ flags: {}, environment }, "threads_batch")?.from).toBe("built in")
  })

  test("is listed with the other settings", () => {
    const rows = (flags: Record<string, unknown>) =>
      effectiveSettings({ flags, environment }).filter(({ origin }) => origin.source === "profile")
    expect(rows({})).toMatchObject([{ path: "models.qwen.threads", shown: "6", origin: { name: "profile" } }])
    expect(rows({ profile: false })).toEqual([])
    expect(rows({ threads: 2 })).toEqual([])
  })

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["nothing about the model", "{}"],
    ["facts about another one", { ...FACTS, model: { name: "x", digest: "y" } }],
    ["facts that other programs disturbed", { ...FACTS, steady: false }],
  ])("is ignored where its file has %s", async (_, facts) => {
    await write(facts, "broken")
    expect(readProfile(findPaths(environment), "broken")).toBeUndefined()
  })

  test("is of one build and machine: a file of another name is not looked at", async () => {
    await Bun.write(join(home.path, "cache/profiles/other.json"), JSON.stringify(FACTS))
    expect(
      effectiveSettings({ flags: {}, environment }).filter(({ origin }) => origin.name === "profile").length,
    ).toBe(1)
  })
})
