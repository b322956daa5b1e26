import type { MemoryFootprint } from "../../domain/device"
import type { LoadedModelInfo } from "../../domain/loaded-model"
import { InternalError, type XllmError } from "../../errors/base"
import type { KvState } from "../../protocol/messages"
import { beyond, NO_MEMORY } from "../residency/available-memory"
import { afterFailure, footprintOf, type LoadPlan, noteOn } from "./load-plan"

/** What a replica loads, what it has loaded, and the memory that takes. */
export class LoadState {
  #plan: LoadPlan | undefined
  /** The load to try once the last one's process is gone. */
  #next: LoadPlan | undefined
  #notes: string[] = []
  #info: LoadedModelInfo | undefined
  /** The worker's last measurement. */
  #measured: MemoryFootprint | undefined

  /** What is loaded, or was last. */
  get plan(): LoadPlan | undefined {
    return this.#plan
  }

  /** Fallbacks and limits of the load, for people. */
  get notes(): readonly string[] {
    return this.#notes
  }

  /** Undefined unless it is loaded. */
  get info(): LoadedModelInfo | undefined {
    return this.#info
  }

  /** The memory it holds as far as measured, plus what it takes while it works. */
  get footprint(): MemoryFootprint {
    return this.#plan === undefined || this.#info === undefined
      ? NO_MEMORY
      : footprintOf(this.#plan, this.#info, this.#measured)
  }

  /** The part of the footprint that it has not taken yet. */
  get reserved(): MemoryFootprint {
    return this.#measured === undefined ? NO_MEMORY : beyond(this.footprint, this.#measured)
  }

  /** A new load. `notes`: on the model itself. Returns what a user should know of the plan. */
  begin(plan: LoadPlan, notes: readonly string[]): string | undefined {
    const note = noteOn(plan)
    this.#plan = plan
    this.#next = undefined
    this.#notes = note === undefined ? [...notes] : [...notes, note]
    return note
  }

  loaded(info: LoadedModelInfo): void {
    this.#info = info
    this.#measured = info.footprint
  }

  /** Nothing is loaded any more. */
  ended(): void {
    this.#info = undefined
    this.#measured = undefined
  }

  /** The load failed. Returns how the next attempt is reduced; undefined where there is none. */
  failed(error: XllmError): string | undefined {
    if (this.#plan === undefined) throw new InternalError("a load failed that was not begun")
    const next = afterFailure(this.#plan, error)
    if (next === undefined) return undefined
    this.#notes.push(next.note)
    this.#next = next.load
    return next.note
  }

  /** The next attempt, which begins now; undefined where there is none. */
  retry(): LoadPlan | undefined {
    const next = this.#next
    this.#next = undefined
    if (next !== undefined) this.#plan = next
    return next
  }

  /** There is to be no other attempt. */
  giveUp(): void {
    this.#next = undefined
  }

  remeasured(footprint: MemoryFootprint, kv: KvState | undefined): void {
    this.#measured = footprint
    if (kv === undefined || this.#info?.kind !== "text") return
    this.#info = { ...this.#info, kvLayout: kv.layout, kvCells: kv.cells, kvBytes: kv.bytes }
  }
}
