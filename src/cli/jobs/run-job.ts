import type { Settings } from "../../config/resolve"
import type { JobRequest } from "../../protocol/jobs"
import { workerCommand } from "../serve/compose"

/** Runs jobs in processes of this program. */
export function jobRunner(settings: Settings, what: string) {
  return async (
    request: JobRequest,
    options: { readonly signal?: AbortSignal; readonly onLine?: (text: string) => void },
  ): Promise<void> => {
    const { runJob } = await import("../../engine/process/run-job")
    const command = workerCommand("job")
    await runJob(what, request, { command, runtimeFolder: settings.paths.runtime, ...options })
  }
}
