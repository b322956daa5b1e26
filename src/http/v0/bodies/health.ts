import type { EngineStatus } from "../../../engine/contract"
import { type DeviceBody, toDeviceBody } from "./device"
import {
  type FailedModelBody,
  type LoadedModelBody,
  toFailedModelBody,
  toLoadedModelBody,
} from "./loaded-model"

/** GET /v0/health */
export interface HealthBody {
  readonly status: EngineStatus["status"]
  /** Progress of the slowest load, 0 to 1; `null` if nothing is loading. */
  readonly progress: number | null
  /** Current problems, one sentence each. */
  readonly problems: readonly string[]
  readonly version: string
  readonly uptime_seconds: number
  readonly queue: EngineStatus["queue"]
  readonly models: readonly LoadedModelBody[]
  readonly failed: readonly FailedModelBody[]
  /** `null` until the backends have reported. */
  readonly devices: readonly DeviceBody[] | null
}

/** GET /v0/health/live and /v0/health/ready */
export interface ProbeBody {
  readonly status: EngineStatus["status"]
}

export function toHealthBody(status: EngineStatus, version: string, startedAt: Date): HealthBody {
  const loading = status.models.filter(({ state }) => state === "loading")
  return {
    status: status.status,
    progress: loading.length === 0 ? null : Math.min(...loading.map(({ progress }) => progress)),
    problems: status.problems,
    version,
    uptime_seconds: secondsSince(startedAt),
    queue: status.queue,
    models: status.models.map(toLoadedModelBody),
    failed: status.failed.map(toFailedModelBody),
    devices: status.devices?.map(toDeviceBody) ?? null,
  }
}

export function secondsSince(time: Date): number {
  return (Date.now() - time.getTime()) / 1000
}
