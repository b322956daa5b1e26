import type { EngineStatus, SystemReport } from "../../../engine/contract"
import type { Machine } from "../../../lib/system/machine"
import { BODY_BYTES } from "../../../limits"
import { type DeviceBody, toDeviceBody } from "./device"
import { secondsSince } from "./health"
import { type MemoriesBody, toMemoriesBody } from "./memory"

/** GET /v0/system */
export interface SystemBody {
  readonly version: string
  readonly llama_version: string
  readonly runtime: string
  readonly platform: string
  readonly architecture: string
  /** Name and release of the operating system. */
  readonly system: string
  /** ISO 8601. */
  readonly started_at: string
  readonly uptime_seconds: number
  readonly processor: { readonly name: string; readonly cores: number; readonly usable_cores: number }
  readonly memory: MemoriesBody
  readonly limits: {
    /** The maximum number of waiting requests per model. */
    readonly queue: number
    readonly memory_bytes: number | null
    readonly body_bytes: number
  }
  /** llama.cpp's backends, as named by its devices. */
  readonly backends: readonly string[]
  readonly devices: readonly DeviceBody[]
  readonly gpu_fallback: string | null
}

export interface SystemFacts {
  readonly report: SystemReport
  readonly status: EngineStatus
  readonly machine: Machine
  readonly version: string
  readonly startedAt: Date
}

export function toSystemBody({ report, status, machine, version, startedAt }: SystemFacts): SystemBody {
  return {
    version,
    llama_version: report.llamaVersion,
    runtime: `bun ${Bun.version}`,
    platform: process.platform,
    architecture: process.arch,
    system: machine.system,
    started_at: startedAt.toISOString(),
    uptime_seconds: secondsSince(startedAt),
    processor: { name: machine.processor, cores: machine.cores, usable_cores: machine.usableCores },
    memory: toMemoriesBody(status.memory),
    limits: {
      queue: status.queue.limit,
      memory_bytes: status.memory.system.limitBytes,
      body_bytes: BODY_BYTES.generation,
    },
    backends: [...new Set(report.devices.map(({ backend }) => backend))],
    devices: report.devices.map(toDeviceBody),
    gpu_fallback: report.gpuFallback ?? null,
  }
}
