import type { Settings } from "../../config/resolve"
import { openExistingStore } from "../models/models-folder"
import type { Io } from "../terminal/io"
import { warnOfBusyServer } from "./busy-server"
import type { Results } from "./results"
import type { MeasureRun } from "./run"
import { type BenchSubject, findSubject, toBenchModel } from "./subject"
import { readSystem } from "./system"

/** Threads of a model wait for each other at every operation, and so for each that does not run. */
function warnOfLoad(results: Results): void {
  const { load, cores } = results
  if (load < BUSY_LOAD * cores) return
  results.warn(
    `contended: the load of this machine was ${load} on ${cores} ${cores === 1 ? "core" : "cores"}` +
      (cores === 1 ? "" : `; -t ${Math.max(1, cores - Math.ceil(load))} would be disturbed less`),
  )
}

/** From this share of the cores on, others computed in the minute before. */
const BUSY_LOAD = 0.5

/** Finds the models to measure. One that is missing is a failure of its own; the others are still measured. */
export async function openSubjects(
  words: readonly string[],
  settings: Settings,
  { results }: MeasureRun,
  io: Io,
): Promise<readonly BenchSubject[]> {
  const { store } = await openExistingStore(settings, io)
  const subjects: BenchSubject[] = []
  for (const word of words) {
    try {
      const found = await findSubject(word, store, settings)
      const isTwice = subjects.some(({ label }) => label === found.label)
      const subject = isTwice ? { ...found, label: `${found.label} (${subjects.length + 1})` } : found
      subjects.push(subject)
      results.model(toBenchModel(subject))
    } catch (error) {
      results.failure(word, error)
    }
  }
  if (subjects.length === 0) return subjects
  await warnOfBusyServer(settings, results)
  warnOfLoad(results)
  results.machine(await readSystem(settings))
  return subjects
}
