import type { Settings } from "../../config/resolve"
import type { JobRunner } from "../../convert/output"
import { workerCommand } from "../serve/compose"

/** Runs jobs in processes of this program. */
export function jobRunner(settings: Settings, what: string): JobRunner {
  return async (request, options) => {
    const { runJob } = await import("../../engine/process/run-job")
    const command = workerCommand("job")
    await runJob(what, request, { command, runtimeFolder: settings.paths.runtime, ...options })
  }
}
