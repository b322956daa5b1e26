import { expect } from "bun:test"
import type { MemoryFootprint } from "../../src/domain/device"
import type { ModelSettings } from "../../src/domain/settings"
import type { MemoryLimits } from "../../src/engine/contract"
import type { GpuReading } from "../../src/engine/residency/available-memory"
import { Pool } from "../../src/engine/residency/pool"
import type { PoolMember } from "../../src/engine/residency/pool-entry"
import type { Reservation } from "../../src/engine/residency/reservations"
import { InvalidModelFile } from "../../src/errors/model"
import { detailsOf, SETTINGS } from "./test-engine"

export const MIB = 1024 ** 2
export const MINUTES = 60_000

/** A pool whose effects are written down; memory is measured when the test says so, a model takes 1,000 MiB, `small` 150. */
export class PoolBench {
  readonly done: string[] = []
  readonly settings: Record<string, Partial<ModelSettings>> = {}
  now = 0
  wakeAt: number | undefined
  availableMiB = 64_000
  gpus: readonly GpuReading[] = []
  readonly pool: Pool
  readonly #members = new Map<string, PoolMember>()
  #asked: readonly PoolMember[] | undefined

  constructor(limits: Partial<MemoryLimits> = {}) {
    this.pool = new Pool({
      limits: { headroomBytes: 0, ...limits },
      now: () => this.now,
      effects: {
        measure: (wanted) => {
          expect(this.#asked).toBeUndefined()
          this.#asked = wanted
        },
        wakeAt: (time) => (this.wakeAt = time),
      },
    })
  }

  /** The worker of that name: the first of its model, or `model#number`. */
  at(id: string): PoolMember {
    const known = this.#members.get(id)
    if (known !== undefined) return known
    const [model = "", number = "1"] = id.split("#")
    const bench = this
    const member: PoolMember = {
      id,
      model: { name: model },
      number: Number(number),
      get settings() {
        return { ...SETTINGS, ...bench.settings[model] }
      },
      load: () => this.done.push(`load ${id}`),
      unload: (reason) => this.done.push(`unload ${id}: ${reason}`),
      refuse: (error) => this.done.push(`refuse ${id}: ${error.code}`),
      decline: () => this.done.push(`decline ${id}`),
      waits: () => this.done.push(`${id} waits`),
      hold: (held) => this.done.push(`${held ? "hold" : "release"} ${id}`),
    }
    this.#members.set(id, member)
    return member
  }

  want(model: string, replica = 1): void {
    this.pool.want(this.at(replica === 1 ? model : `${model}#${replica}`))
  }

  /** Asks for that much beside what the worker of that name holds; each amount in MiB, the answer is written down. */
  ask(id: string, ...amounts: readonly (number | MemoryFootprint)[]): Reservation {
    const owner = this.at(id)
    return this.pool.reserve({
      owner,
      priority: owner.settings.priority,
      amounts: amounts.map(inMiB),
      decided: (amount) => this.done.push(amount === undefined ? `no ${id}` : `grant ${id}: ${amount}`),
    })
  }

  /** Answers measurements until none is asked for; returns what was done since the last time. */
  settle(broken: readonly string[] = []): readonly string[] {
    for (let wanted = this.#asked; wanted !== undefined; wanted = this.#asked) {
      this.#asked = undefined
      const system = { totalBytes: 64_000 * MIB, availableBytes: this.availableMiB * MIB }
      const details = wanted.map((member) => {
        const { id } = member
        const error = new InvalidModelFile(id, "cut short")
        return [
          member,
          broken.includes(id) ? error : detailsOf(id, { ramMiB: id === "small" ? 150 : 1000 }),
        ] as const
      })
      this.pool.measured({ reading: { system, gpus: this.gpus }, details: new Map(details) })
    }
    return this.done.splice(0)
  }

  /** Has a model loaded, used at `now`, and idle. */
  loaded(model: string, keepAliveMs: number | null = 5 * MINUTES): void {
    this.want(model)
    this.settle()
    this.pool.ready(this.at(model), { ramBytes: 1000 * MIB, devices: [] })
    this.pool.idle(this.at(model), keepAliveMs)
    this.now += 1
  }
}

function inMiB(amount: number | MemoryFootprint): MemoryFootprint {
  return typeof amount === "number" ? { ramBytes: amount * MIB, devices: [] } : amount
}
