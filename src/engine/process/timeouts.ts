import type { ModelKind } from "../../domain/model"
import { KINDS } from "../../domain/tasks"
import type { ModelSettings } from "../../domain/settings"

/** How long the engine waits for what, in milliseconds where nothing else is said. */
export interface Timeouts {
  /** A load that shows no progress and writes no line for this long is ended. */
  readonly loadSilenceMs: number
  /** A chat template that takes longer is given up; the worker keeps this one itself. */
  readonly templateMs: number
  /** The least time that a step may take, see {@link IdleTimeouts.stepFactor}. */
  readonly stepMs: number
  /** A step may also take this many times as long as the slowest of the same worker's recent ones. */
  readonly stepFactor: number
  /** No step may take longer than this, where the settings do not say otherwise. */
  readonly mostStepMs: number
  /** How long a worker may take to end after it was asked to. Then it gets SIGTERM. */
  readonly stopGraceMs: number
  /** How long after SIGTERM a worker gets SIGKILL. */
  readonly termGraceMs: number
  /** How long after a worker's end its last messages and lines are waited for, should a child of it hold them open. */
  readonly drainMs: number
  /** How long asking the backends for their devices may take. A first GPU driver start can take several seconds. */
  readonly probeMs: number
}

/**
 * The limits in use. A load reads the file in large pieces, so a minute without any sign is no slow disk; a step
 * computes at most one chunk of a prompt, which takes seconds only on the slowest machines, and 20 times the
 * slowest of late leaves room for a machine that has become busy. Two minutes are what people wait for who do not know
 * whether anything will come.
 */
export const DEFAULT_TIMEOUTS: Timeouts = {
  loadSilenceMs: 60_000,
  templateMs: 2_000,
  stepMs: 30_000,
  stepFactor: 20,
  mostStepMs: 120_000,
  stopGraceMs: 2_000,
  termGraceMs: 1_000,
  drainMs: 500,
  probeMs: 30_000,
}

/** The limits of workers of a kind, where `changes` do not say otherwise. */
export function timeoutsOf(kind: ModelKind, changes: Partial<Timeouts> = {}): Timeouts {
  return { ...DEFAULT_TIMEOUTS, ...KINDS[kind].timeouts, ...changes }
}

/** Below this a step could be ended that only waited for the system's scheduler. */
const LEAST_STEP_MS = 1_000

/** The most that a step may take by the settings of its model. */
export function mostStepMs(
  limits: Pick<Timeouts, "mostStepMs">,
  { stepTimeoutSeconds }: Pick<ModelSettings, "stepTimeoutSeconds">,
): number {
  return stepTimeoutSeconds === null ? limits.mostStepMs : Math.max(LEAST_STEP_MS, stepTimeoutSeconds * 1000)
}

/** How old a figure of free GPU memory may be where somebody only looks at it. */
export const DEVICES_FRESH_MS = 5_000

/** Left free of every memory, in bytes: drivers, desktops and estimates that were too low want some. */
export const DEFAULT_HEADROOM_BYTES = 512 * 1024 ** 2

/** How many requests may wait for one model. */
export const DEFAULT_QUEUE_LIMIT = 1_000
