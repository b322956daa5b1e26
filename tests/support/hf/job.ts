import { join } from "node:path"
import type { JobRunner } from "../../../src/convert/output"
import { runJob } from "../../../src/engine/process/run-job"

const INDEX = join(import.meta.dir, "../../../src/index.ts")

/** Runs jobs in workers of the source. */
export function jobsIn(runtimeFolder: string): JobRunner {
  const command = [process.execPath, INDEX, "worker", "job"]
  return (request, options) => runJob("the job", request, { command, runtimeFolder, ...options })
}
