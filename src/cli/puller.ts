import type { Inputs } from "../config/load"
import { modelsFolder, pullSettingsOf } from "../config/settings"
import type { Puller } from "../store/pull/pull"

/** What downloads models into the models folder; its modules are loaded only then. */
export async function createPuller(inputs: Inputs): Promise<Puller> {
  const [{ createStore }, { Puller }, { PATIENCE }] = await Promise.all([
    import("../store"),
    import("../store/pull/pull"),
    import("../store/pull/retry"),
  ])
  const { connections, stallMs, ...sources } = pullSettingsOf(inputs)
  return new Puller({
    store: createStore({ modelsFolder: modelsFolder(inputs) }),
    sources,
    connections,
    patience: { ...PATIENCE, stallMs },
  })
}
