import type { Device } from "../../domain/device"
import { type SystemMemory, systemMemory } from "../../lib/system/system-memory"
import type { EngineStatus, MemoryLimits, MemoryStatus } from "../contract"
import { type DeviceProbe, gpusOf } from "../process/device-probe"
import { DEVICES_FRESH_MS } from "../process/timeouts"
import { bytesOn, type GpuReading, type MemoryReading, together } from "./available-memory"
import { type LoadedWeights, mappedWeights } from "./mapped-weights"
import type { Pool } from "./pool"
import { roomToGrow, within } from "./room-to-grow"

/**
 * Whether layers may be put on GPUs. `none`: there are none, or none is wanted. `simulated`: plans use GPUs that do
 * not exist. `unknown`: the backends could not be queried, so the placement is left to them.
 */
export type Offload = "real" | "none" | "simulated" | "unknown"

/** Reads the amount of memory: system memory from the system, GPU memory from the backends. */
export class MemoryReader {
  readonly #probe: DeviceProbe
  readonly #simulated: readonly Device[] | undefined
  readonly #loaded: () => readonly LoadedWeights[]
  #offload: Offload = "none"
  /** When the last load began or ended; `performance.now()`. Earlier readings are out of date. */
  #changedAt = 0

  /** `loaded`: the workers that hold weights at present. */
  constructor(
    probe: DeviceProbe,
    simulated: readonly Device[] | undefined,
    loaded: () => readonly LoadedWeights[],
  ) {
    this.#probe = probe
    this.#simulated = simulated
    this.#loaded = loaded
  }

  /** What the last reading means for a load. */
  get offload(): Offload {
    return this.#offload
  }

  /** The valid device names; undefined where the backends could not be queried. */
  get deviceNames(): readonly string[] | undefined {
    if (this.#offload === "unknown") return undefined
    const devices = this.#simulated ?? this.#probe.peek()?.devices
    const names = devices?.map(({ name }) => name)
    return names === undefined || names.includes("CPU") ? names : [...names, "CPU"]
  }

  /** Called when models were loaded or unloaded: invalidates earlier readings. */
  changed(): void {
    this.#changedAt = performance.now()
  }

  /** Fresh readings for a load. No GPUs where the backends cannot be queried. */
  async read(wantsGpus: boolean): Promise<MemoryReading> {
    const gpus = wantsGpus ? await this.#readGpus() : []
    return { system: this.#system(), gpus: toReadings(gpus) }
  }

  /** The readings without a new query to the backends. */
  known(): MemoryReading {
    const devices = this.#simulated ?? this.#probe.peek()?.devices ?? []
    return {
      system: this.#system(),
      gpus: toReadings(gpusOf(devices)).filter(({ isTwin }) => isTwin !== true),
    }
  }

  /** The known readings, and how much of them models hold. */
  status(pool: Pool, limits: MemoryLimits): EngineStatus["memory"] {
    const reading = this.known()
    const room = pool.room(reading)
    const holders = pool.residents()
    const growth = within(together(this.#loaded().map(({ info }) => roomToGrow(info))), room)
    return {
      system: {
        totalBytes: reading.system.totalBytes,
        freeBytes: Math.max(0, room.systemBytes),
        ...usage(
          holders.reduce((sum, { footprint }) => sum + footprint.ramBytes, 0),
          growth.ramBytes,
        ),
        limitBytes: limits.limitBytes ?? null,
      },
      gpus: reading.gpus.map(({ name, totalBytes }, index) => ({
        name,
        totalBytes,
        freeBytes: Math.max(0, room.gpus[index]?.freeBytes ?? 0),
        ...usage(
          holders.reduce((sum, { footprint }) => sum + bytesOn(footprint, name), 0),
          bytesOn(growth, name),
        ),
        limitBytes: limits.gpuLimitBytes ?? null,
      })),
    }
  }

  #system(): SystemMemory {
    return systemMemory(mappedWeights(this.#loaded()))
  }

  async #readGpus(): Promise<readonly Device[]> {
    if (this.#simulated !== undefined) {
      this.#offload = "simulated"
      return gpusOf(this.#simulated)
    }
    try {
      const age = Math.min(DEVICES_FRESH_MS, performance.now() - this.#changedAt)
      const gpus = gpusOf((await this.#probe.report(age)).devices)
      this.#offload = gpus.length > 0 ? "real" : "none"
      return gpus
    } catch {
      // Already logged; the model can still run on the CPU.
      this.#offload = "unknown"
      return []
    }
  }
}

function usage(used: number, growth: number): Pick<MemoryStatus, "usedByModels" | "mostUsedByModels"> {
  return { usedByModels: used, mostUsedByModels: used + growth }
}

/** In the backends' order, which puts CUDA's devices before Vulkan's. */
function toReadings(gpus: readonly Device[]): readonly GpuReading[] {
  return gpus.map(({ name, backend, totalBytes, freeBytes, address }, index) => {
    const isTwin = address !== undefined && gpus.findIndex((other) => other.address === address) < index
    return { name, backend, totalBytes, freeBytes, ...(isTwin && { isTwin }) }
  })
}
