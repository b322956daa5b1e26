import type { SlotRequest, SlotResult } from "../../../../domain/slots"
import { Cancelled, InvalidRequest } from "../../../../errors/request"
import { PromptsNotKept, SlotNotRestored, SlotNotSaved } from "../../../../errors/engine"
import type { Runtime } from "../../runtime"
import { makeRoom } from "../make-room"
import { cacheKeyOf, evictionCandidate, type Slot } from "../slots"
import type { NamedPrompt, SavedPrompts } from "./saved-prompts"

export interface SlotActionsParts {
  readonly runtime: Runtime
  /** Undefined: prompts are not kept on disk. */
  readonly saved: SavedPrompts | undefined
  /** Is there no context at present? */
  readonly isSuspended: () => boolean
  /** The maximum number of slots, of which the cache may have fewer at first. */
  readonly slots: number
  readonly contextLength: number
  readonly now: () => number
}

interface Waiting {
  readonly slot: number
  /** `slot`: undefined where the cache does not have it yet. */
  readonly use: (slot: Slot | undefined) => void
  readonly forget: () => void
}

type Named = Extract<SlotRequest, { readonly name: string }>

/** Saves, restores and erases what single slots have cached, as clients ask for it. */
export class SlotActions {
  readonly #parts: SlotActionsParts
  /** By the ids of requests: those whose slots are busy. */
  readonly #waiting = new Map<number, Waiting>()

  constructor(parts: SlotActionsParts) {
    this.#parts = parts
  }

  /** @throws InvalidRequest, PromptsNotKept, SlotNotSaved, SlotNotRestored, Cancelled */
  async run(id: number, request: SlotRequest): Promise<SlotResult> {
    const { slots } = this.#parts
    if (request.slot >= slots)
      throw new InvalidRequest(`Invalid slot ID: there are slots 0 to ${slots - 1}, got ${request.slot}`)
    switch (request.action) {
      case "save":
        return await this.#save(id, request)
      case "restore":
        return await this.#restore(id, request)
      case "erase":
        return await this.#erase(id, request)
      default:
        return request satisfies never
    }
  }

  /** Call between two steps: slots may have become idle. */
  settle(): void {
    if (this.#waiting.size === 0 || this.#parts.isSuspended()) return
    for (const [id, { slot: index, use }] of [...this.#waiting]) {
      const slot = this.#parts.runtime.cache.slots.find(({ number }) => number === index)
      if (slot?.busy === true) continue
      this.#waiting.delete(id)
      use(slot)
    }
  }

  cancel(id: number): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.forget()
  }

  async #save(id: number, { slot: index, name, cacheOwner }: Named): Promise<SlotResult> {
    const saved = this.#saved
    const copy = await this.#whenIdle(id, index, (slot) => {
      if (slot === undefined || slot.length === 0 || !isOf(slot.cacheKey, cacheOwner))
        throw new InvalidRequest(`Unable to save slot: there is nothing in slot ${index}`)
      const { context } = this.#parts.runtime
      const startedAt = this.#parts.now()
      if (!saved.hasRoomFor(context.stateSize(slot.id)))
        throw new SlotNotSaved("there is not enough memory to copy it")
      const tokens = Int32Array.from({ length: slot.length }, (_, at) => slot.tokens[at] ?? 0)
      return { tokens, realm: slot.cacheKey, state: context.save(slot.id), startedAt }
    })
    const bytes = await saved.saveAs(nameOf(name, cacheOwner), copy)
    return { tokens: copy.tokens.length, bytes, ms: this.#parts.now() - copy.startedAt }
  }

  async #restore(id: number, { slot: index, name, cacheOwner }: Named): Promise<SlotResult> {
    const { contextLength, now } = this.#parts
    const startedAt = now()
    const found = await this.#saved.named(nameOf(name, cacheOwner))
    if (found === undefined || !isOf(found.realm, cacheOwner))
      throw new SlotNotRestored(
        `no prompt of this model is saved as '${name}', or it was made with other settings`,
      )
    const { length } = found.tokens
    if (length > contextLength)
      throw new SlotNotRestored(`it has ${length} tokens, and the context ${contextLength}`)
    const readMs = now() - startedAt
    const loadMs = await this.#whenIdle(id, index, (slot) => {
      const loadsAt = now()
      this.#load(slot ?? this.#expendable(index), found)
      return now() - loadsAt
    })
    return { tokens: length, bytes: found.bytes, ms: readMs + loadMs }
  }

  /** An idle slot that gets the number. */
  #expendable(number: number): Slot | undefined {
    const slot = evictionCandidate(this.#parts.runtime.cache.slots.filter(({ busy }) => !busy))
    if (slot !== undefined) slot.number = number
    return slot
  }

  /** Where the cache has no room yet, the next prompt that begins like this one finds it on disk. */
  #load(slot: Slot | undefined, { tokens, realm, state }: NamedPrompt): void {
    const { runtime } = this.#parts
    if (slot === undefined) return
    runtime.keeper?.leaves(slot)
    runtime.cache.clear(slot)
    if (!makeRoom(runtime, slot, tokens.length)) return
    const { length } = tokens
    const saved = { tokens, keep: length, state }
    const { cache } = runtime
    const kept = cache.occupy(
      { slot, source: slot, keep: length, saved },
      { tokens, media: [], cacheKey: realm },
    )
    slot.isPrivate = false
    cache.release(slot)
    if (kept < length) throw new SlotNotRestored("llama.cpp refused the saved state")
  }

  async #erase(id: number, { slot: index, cacheOwner }: SlotRequest): Promise<SlotResult> {
    const tokens = await this.#whenIdle(id, index, (slot) => {
      if (slot === undefined || !isOf(slot.cacheKey, cacheOwner)) return 0
      const { length } = slot
      this.#parts.runtime.cache.clear(slot)
      return length
    })
    return { tokens, bytes: 0, ms: 0 }
  }

  get #saved(): SavedPrompts {
    if (this.#parts.saved === undefined) throw new PromptsNotKept()
    return this.#parts.saved
  }

  /** Calls `use` between two steps, when nothing runs in the slot. */
  #whenIdle<T>(id: number, slot: number, use: (slot: Slot | undefined) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.set(id, {
      slot,
      use: (idle) => {
        try {
          resolve(use(idle))
        } catch (error) {
          reject(error)
        }
      },
      forget: () => reject(new Cancelled()),
    })
    this.settle()
    return promise
  }
}

/** Was something cached for requests of that owner? */
function isOf(cacheKey: string, cacheOwner: string | undefined): boolean {
  return cacheOwner === undefined || cacheKey === cacheKeyOf({ cacheOwner })
}

/** Each owner has names of its own; those of clients have no slash. */
function nameOf(name: string, cacheOwner: string | undefined): string {
  return cacheOwner === undefined ? name : `${cacheKeyOf({ cacheOwner })}/${name}`
}
