import type { Settings } from "../../config/resolve"
import type { ModelLibrary } from "../../http/context/library"
import type { Logger } from "../../log/logger"
import type { Store } from "../../store/contract"
import { formatModelName } from "../../store/names"
import { SharedPulls } from "../../store/pull/shared-pulls"
import { workerCommand } from "./compose"
import { createPuller, pullableName } from "../pull/puller"

/** The models on disk, for clients of the server. `settings`: the current ones. */
export function serverLibrary(settings: () => Settings, store: Store, log: Logger): ModelLibrary {
  const pulls = new SharedPulls()
  return {
    store,
    runJob: async (request, options) => {
      const { runJob } = await import("../../engine/process/run-job")
      const runtimeFolder = settings().paths.runtime
      await runJob("quantizing", request, { command: workerCommand("job"), runtimeFolder, ...options })
    },
    async checkUpdates(models, signal) {
      const puller = await createPuller(settings(), store)
      return await puller.checkUpdates(models, signal)
    },
    async pull(model, { isInsecure, signal, onEvent }) {
      const name = formatModelName(await pullableName(model, settings(), store))
      return await pulls.pull(
        `${name} ${isInsecure}`,
        async (shared) => {
          log.info("downloading model", { model: name })
          const puller = await createPuller(settings(), store)
          return await puller.pull({ model, isInsecure, ...shared })
        },
        { signal, onEvent },
      )
    },
  }
}
