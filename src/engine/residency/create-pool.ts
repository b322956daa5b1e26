import type { MemoryFootprint } from "../../domain/device"
import type { ModelDetails } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import { asXllmError, XllmError } from "../../errors/base"
import type { Catalog } from "../../store/contract"
import type { MemoryLimits } from "../contract"
import type { MemoryReader } from "./memory-reader"
import { Pool, type PoolEffects } from "./pool"
import type { PoolMember } from "./pool-entry"
import { checkSettings, type KnownDevices } from "./settings-check"

/** Timers are limited to this many milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

interface PoolSources {
  readonly store: Pick<Catalog, "describe">
  readonly memory: MemoryReader
  readonly limits: MemoryLimits
}

/** A pool that measures this machine's memory, and describes models by their files. */
export function createPool({ store, memory, limits }: PoolSources): Pool {
  let timer: ReturnType<typeof setTimeout> | undefined
  const effects: PoolEffects = {
    async measure(wanted, amounts) {
      const wantsGpus = needGpus(wanted, amounts)
      const [reading, ...described] = await Promise.all([
        memory.read(wantsGpus),
        ...wanted.map(async (member) => {
          const details = await store.describe(member.model.name).catch(asXllmError)
          if (details instanceof XllmError) return [member, details] as const
          // Settings may name a draft model, which the store knows nothing of.
          const { sizeBytes = details.sizeBytes, parts } = member.model
          return [member, { ...details, sizeBytes, ...(parts !== undefined && { parts }) }] as const
        }),
      ])
      const names = wantsGpus ? memory.deviceNames : undefined
      const devices = names && { names, gpus: reading.gpus }
      const details = described.map(
        ([member, found]) => [member, withValidSettings(found, member.settings, devices)] as const,
      )
      pool.measured({ reading, details: new Map(details) })
    },
    // Waking early is harmless: the pool checks the clock itself.
    wakeAt(time) {
      clearTimeout(timer)
      if (time === undefined) return
      const ms = Math.min(LONGEST_TIMER, Math.max(0, time - performance.now()))
      timer = setTimeout(() => pool.tick(), Math.ceil(ms))
    },
  }
  const pool = new Pool({ limits, effects, now: () => performance.now() })
  return pool
}

function needGpus(wanted: readonly PoolMember[], amounts: readonly MemoryFootprint[]): boolean {
  return (
    wanted.some(({ settings }) => settings.gpuLayers !== 0) ||
    amounts.some(({ devices }) => devices.length > 0)
  )
}

/** The details unchanged, or the error in the settings. */
function withValidSettings(
  details: ModelDetails | XllmError,
  settings: ModelSettings,
  devices: KnownDevices | undefined,
): ModelDetails | XllmError {
  if (details instanceof XllmError) return details
  try {
    checkSettings(details, settings, devices)
    return details
  } catch (error) {
    return asXllmError(error)
  }
}
