import { expect, jest, test } from "bun:test"
import type { LoadedModel } from "../../../src/domain/loaded-model"
import type { ModelDetails, ModelSummary } from "../../../src/domain/model"
import { ContextReader, type ContextReaderOptions } from "../../../src/engine/serving/context-lengths"
import { LOADED_TINY, TINY_INFO, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { detailsOf, SETTINGS } from "../../support/test-engine"

interface Scene {
  readonly models?: Readonly<Record<string, Partial<ModelDetails>>>
  readonly loaded?: readonly LoadedModel[]
  readonly settingsOf?: ContextReaderOptions["settingsOf"]
  readonly describe?: (name: string) => Promise<ModelDetails>
  readonly availableBytes?: number
}

function scene({
  models = { m: {} },
  loaded = [],
  settingsOf = () => SETTINGS,
  describe,
  availableBytes = 64 * 1024 ** 3,
}: Scene) {
  const details = Object.entries(models).map(
    ([name, more]) => ({ ...detailsOf(name, { id: name }), ...more }) as ModelDetails,
  )
  const described: string[] = []
  const reader = new ContextReader({
    store: {
      list: async () => details,
      resolve: () => Promise.reject(new Error("nobody asks")),
      describe: (name) => {
        described.push(name)
        const found = details.find((one) => one.name === name)
        return describe?.(name) ?? (found ? Promise.resolve(found) : Promise.reject(new Error(name)))
      },
    },
    settingsOf,
    loaded: () => loaded,
    available: () => ({ systemBytes: availableBytes, gpus: [] }),
  })
  const summaries: readonly ModelSummary[] = details
  return { described, read: async () => Object.fromEntries(await reader.read(summaries)) }
}

test("a model that is loaded tells what it was loaded with", async () => {
  const info = { ...TINY_INFO, contextLength: 4096, trainedContextLength: 8192 }
  const { read, described } = scene({ loaded: [{ ...LOADED_TINY, name: "m", info }] })
  expect(await read()).toEqual({ m: { trained: 8192, served: 4096 } })
  expect(described).toEqual([])
})

test("one that is not loaded tells what it will be loaded with: as set, else as trained", async () => {
  const models = {
    short: { contextLength: 2048 },
    long: { contextLength: 131072 },
    set: { contextLength: 4096 },
  }
  const settingsOf: Scene["settingsOf"] = ({ name }) => ({
    ...SETTINGS,
    contextLength: name === "set" ? 16384 : null,
  })
  expect(await scene({ models, settingsOf }).read()).toEqual({
    short: { trained: 2048, served: 2048 },
    long: { trained: 131072, served: 131072 },
    set: { trained: 4096, served: 16384 },
  })
})

test("where memory is the limit, the length that fits is told, with the reason", async () => {
  const models = { long: { contextLength: 131072 } }
  // 96 MiB for the process, 2 KiB a token for the mask.
  const availableBytes = 96 * 1024 ** 2 + 20_000 * 2048
  expect(await scene({ models, availableBytes }).read()).toEqual({
    long: { trained: 131072, served: 19_968, limitedBy: "memory" },
  })
})

test("what came along with a model is told to the settings", async () => {
  const models = { m: { defaults: { settings: { contextLength: 1024 } } } }
  const settingsOf: Scene["settingsOf"] = ({ defaults }) => ({ ...SETTINGS, ...defaults?.settings })
  expect(await scene({ models, settingsOf }).read()).toEqual({ m: { trained: 2048, served: 1024 } })
})

test("nothing is told of other kinds, of files that cannot be read, and of those that do not say it", async () => {
  const models = { joe: VOICE_MODEL, bad: {}, silent: { contextLength: 0 } }
  const describe = (name: string) =>
    name === "bad"
      ? Promise.reject(new Error("it is damaged"))
      : Promise.resolve(detailsOf(name, { id: name }))
  const silent = scene({ models: { silent: models.silent } })
  expect(await silent.read()).toEqual({})
  expect(await scene({ models: { joe: VOICE_MODEL, bad: {} }, describe }).read()).toEqual({})
})

test("each version of a file is read once", async () => {
  const { read, described } = scene({})
  expect(await read()).toEqual(await read())
  expect(described).toEqual(["m"])
})

test("a list does not wait long for files that have not been read yet; the next one has them", async () => {
  jest.useFakeTimers()
  try {
    const slow = Promise.withResolvers<ModelDetails>()
    const describe = (name: string) =>
      name === "slow" ? slow.promise : Promise.resolve(detailsOf(name, { id: name }))
    const { read } = scene({ models: { quick: {}, slow: {} }, describe })
    const first = read()
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    jest.advanceTimersByTime(500)
    expect(Object.keys(await first)).toEqual(["quick"])
    slow.resolve(detailsOf("slow", { id: "slow" }))
    expect(Object.keys(await read())).toEqual(["quick", "slow"])
  } finally {
    jest.useRealTimers()
  }
})
