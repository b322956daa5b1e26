import type { ModelKind } from "../../domain/model"
import { KINDS } from "../../domain/tasks"
import type { ModelSettings } from "../../domain/settings"

/** The engine's timeouts, in milliseconds unless noted. */
export interface Timeouts {
  /** A load without progress or output for this long is ended. */
  readonly loadSilenceMs: number
  /** Limit for rendering a chat template; the worker enforces it itself. */
  readonly templateMs: number
  /** Lower bound of the step limit, see {@link Timeouts.stepFactor}. */
  readonly stepMs: number
  /** A step may take this many times as long as the slowest recent one of the same worker. */
  readonly stepFactor: number
  /** Upper bound of the step limit, unless the settings say otherwise. */
  readonly mostStepMs: number
  /** How long a worker that is asked to stop may write prompts to disk, before everything else. */
  readonly saveMs: number
  /** How long a worker may take to stop when asked. Then it gets SIGTERM. */
  readonly stopGraceMs: number
  /** How long after SIGTERM a worker gets SIGKILL. */
  readonly termGraceMs: number
  /**
   * How long to wait, after a worker's end, for its last messages and lines: a child process of it may hold the
   * pipes open.
   */
  readonly drainMs: number
  /** Limit for querying the backends for devices. The first start of a GPU driver can take several seconds. */
  readonly probeMs: number
}

/**
 * The default timeouts. A load reads the file in large pieces, so a minute of silence is no slow disk. A step
 * computes at most one chunk of a prompt, which takes seconds only on the slowest machines; 20 times the slowest
 * recent step leaves room for a machine that becomes busy. Two minutes is as long as people wait without knowing
 * whether anything will come.
 */
export const DEFAULT_TIMEOUTS: Timeouts = {
  loadSilenceMs: 60_000,
  templateMs: 2_000,
  stepMs: 30_000,
  stepFactor: 20,
  mostStepMs: 120_000,
  saveMs: 2_000,
  stopGraceMs: 2_000,
  termGraceMs: 1_000,
  drainMs: 500,
  probeMs: 30_000,
}

/** The limits of workers of a kind, where `changes` do not say otherwise. */
export function timeoutsOf(kind: ModelKind, changes: Partial<Timeouts> = {}): Timeouts {
  return { ...DEFAULT_TIMEOUTS, ...KINDS[kind].timeouts, ...changes }
}

/** Any lower, and a step could be ended for merely waiting on the system's scheduler. */
const LEAST_STEP_MS = 1_000

/** The upper bound of a step's duration by the model's settings. */
export function mostStepMs(
  limits: Pick<Timeouts, "mostStepMs">,
  { stepTimeoutSeconds }: Pick<ModelSettings, "stepTimeoutSeconds">,
): number {
  return stepTimeoutSeconds === null ? limits.mostStepMs : Math.max(LEAST_STEP_MS, stepTimeoutSeconds * 1000)
}

/** Maximum age of a free-GPU-memory figure that is only displayed. */
export const DEVICES_FRESH_MS = 5_000

/** Bytes left free in every memory, for drivers, desktops and estimates that were too low. */
export const DEFAULT_HEADROOM_BYTES = 512 * 1024 ** 2

/** How many requests may wait for one model. */
export const DEFAULT_QUEUE_LIMIT = 1_000
