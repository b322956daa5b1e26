import type { DiskUsage } from "../../../../domain/loaded-model"
import { SlotNotRestored } from "../../../../errors/engine"
import { commonPrefix } from "../../prompt/cells"
import type { PromptFolder, SavedPrompt, UnsavedPrompt } from "../../../../kv-disk/folder"

/** A prompt that gains fewer tokens from a file is evaluated: that is as fast as reading. */
const LEAST_GAIN = 64

/** A file is read as a whole, even where only its start is wanted: not beyond this ratio of the two. */
const MOST_READ_RATIO = 16

/** A file that a longer one begins with is removed, unless it is so short that reading the longer one costs too much. */
const REPLACED_RATIO = 2

/** What a prompt is found by. */
export interface WantedPrompt {
  readonly tokens: Int32Array
  /** Prompts of another realm are not used. */
  readonly realm: string
}

/** The state of a prompt's first tokens, from disk or on its way there. */
export interface ReadPrompt {
  readonly tokens: Int32Array
  /** How many of the wanted prompt's tokens it has. */
  readonly keep: number
  readonly state: Uint8Array
  /** What reading it from a file took, in ms; undefined: it was not yet written. */
  readonly ms: number | undefined
  /** Call when that many of its tokens are in a slot. */
  used(tokens: number): void
}

/** A prefix that leaves memory. */
export interface LeavingPrompt extends WantedPrompt {
  readonly state: Uint8Array
}

/** A prompt on disk that a client gave a name, with its checked state. */
export interface NamedPrompt extends SavedPrompt {
  readonly state: Uint8Array
}

/** The system writes what it holds back to the disk well within this time. */
const SETTLED_MS = 120_000

type Usage = { -readonly [K in keyof DiskUsage]: DiskUsage[K] }

const NO_USAGE: DiskUsage = { hits: 0, misses: 0, bytesRead: 0, bytesWritten: 0, savedMs: 0 }

export interface SavedPromptsParts {
  readonly folder: PromptFolder
  /** The same promise each time; it may fail. */
  readonly fingerprint: () => Promise<string>
  readonly model: string
  readonly modelId: string
  readonly minTokens: number
  /** The present limit for copies of states in memory: those being read, and those that wait to be written. */
  readonly mostBytes: () => number
  /** Can any part of a state be used? Otherwise only the whole of it. */
  readonly cutsBack: boolean
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/** The prompts of one loaded model that are on disk: finds and reads them for a new prompt, and writes more. */
export class SavedPrompts {
  readonly #parts: SavedPromptsParts
  /** Reads that are under way, or whose results are still in use. */
  readonly #reading = new Map<string, { readonly state: Promise<Uint8Array | undefined>; users: number }>()
  /** States that are being written, or wait for it. */
  readonly #leaving = new Set<LeavingPrompt>()
  #writing: Promise<unknown> = Promise.resolve()
  /** How long a token takes to evaluate, in ms: an average of this worker's prompts. */
  #msPerToken = 0
  #usage: Usage = { ...NO_USAGE }

  constructor(parts: SavedPromptsParts) {
    this.#parts = parts
  }

  /** Learns how long prompts take. */
  observe(tokens: number, ms: number): void {
    if (tokens < LEAST_GAIN) return
    const rate = ms / tokens
    this.#msPerToken = this.#msPerToken === 0 ? rate : 0.7 * this.#msPerToken + 0.3 * rate
  }

  /**
   * Reads the state that begins the prompt for as long as possible, if there is one with clearly more than the
   * `cached` tokens that memory has. Never rejects.
   */
  async find(prompt: WantedPrompt, cached: number): Promise<ReadPrompt | undefined> {
    if (prompt.tokens.length - cached < LEAST_GAIN || prompt.tokens.length < this.#parts.minTokens)
      return undefined
    const leaving = this.#chooseLeaving(prompt, cached)
    if (leaving !== undefined) return leaving
    const found = await this.#choose(prompt, cached).catch(() => undefined)
    if (found === undefined) {
      this.#usage.misses++
      return undefined
    }
    const { saved, keep } = found
    const startedAt = this.#parts.now()
    const state = await this.#read(saved)
    if (state === undefined) return undefined
    const ms = this.#parts.now() - startedAt
    const used = (tokens: number): void => {
      this.#usage.hits++
      this.#usage.bytesRead += saved.bytes
      this.#usage.savedMs += Math.max(0, (saved.computeMs * tokens) / saved.tokens.length - ms)
    }
    return { tokens: saved.tokens, keep, state, ms, used }
  }

  /** Is it worth copying this prefix for a file? */
  wants(tokens: number, stateBytes: number): boolean {
    return tokens >= this.#parts.minTokens && this.hasRoomFor(stateBytes)
  }

  /** Is there memory for a copy of that size, with those that wait to be written? */
  hasRoomFor(stateBytes: number): boolean {
    const waiting = this.#leaving.values().reduce((sum, { state }) => sum + state.length, 0)
    return waiting + stateBytes <= this.#parts.mostBytes()
  }

  /** Writes a prefix, after those before it. Never rejects. Resolves once it is on disk, or is not going to be. */
  save(prompt: LeavingPrompt, signal?: AbortSignal): Promise<void> {
    this.#leaving.add(prompt)
    const written = this.#writing.then(async () => {
      await this.#write(prompt, signal).catch(() => {})
      this.#leaving.delete(prompt)
    })
    this.#writing = written
    return written
  }

  /**
   * Writes a prefix under a name, after those before it, in place of the one that has it. Returns the file's size.
   * @throws SlotNotSaved
   */
  async saveAs(name: string, prompt: LeavingPrompt): Promise<number> {
    this.#leaving.add(prompt)
    const written = this.#writing.then(async () => await this.#writeNamed(name, prompt))
    this.#writing = written.catch(() => {})
    try {
      return await written
    } finally {
      this.#leaving.delete(prompt)
    }
  }

  /** Reads the prompt of that name; undefined where there is none. @throws SlotNotRestored */
  async named(name: string): Promise<NamedPrompt | undefined> {
    const { folder, mostBytes } = this.#parts
    const saved = await folder.find(await this.#parts.fingerprint(), name)
    if (saved === undefined) return undefined
    if (saved.stateBytes > mostBytes()) throw new SlotNotRestored("there is not enough memory to read it")
    const state = await this.#read(saved)
    if (state === undefined) return undefined
    this.#usage.bytesRead += saved.bytes
    return { ...saved, state }
  }

  /** Settles when everything that was to be written is. */
  get written(): Promise<unknown> {
    return this.#writing
  }

  /** What was done since the last call. */
  takeUsage(): DiskUsage {
    const usage = this.#usage
    this.#usage = { ...NO_USAGE }
    return usage
  }

  #chooseLeaving(prompt: WantedPrompt, cached: number): ReadPrompt | undefined {
    let best: ReadPrompt | undefined
    for (const { tokens, realm, state } of this.#leaving) {
      const keep = this.#usable(prompt, { tokens, realm })
      if (keep < cached + LEAST_GAIN || keep <= (best?.keep ?? 0)) continue
      best = { tokens, keep, state, ms: undefined, used: () => {} }
    }
    return best
  }

  async #choose(
    prompt: WantedPrompt,
    cached: number,
  ): Promise<{ readonly saved: SavedPrompt; readonly keep: number } | undefined> {
    const { folder, fingerprint } = this.#parts
    // The fingerprint takes a moment, and the first prompt of all finds nothing.
    if (await folder.isEmpty()) return undefined
    let best: { readonly saved: SavedPrompt; readonly keep: number } | undefined
    for (const saved of await folder.list(await fingerprint())) {
      const keep = this.#usable(prompt, saved)
      if (keep < cached + LEAST_GAIN || saved.bytes > this.#parts.mostBytes()) continue
      if (best === undefined || keep > best.keep || (keep === best.keep && saved.bytes < best.saved.bytes))
        best = { saved, keep }
    }
    return best
  }

  /** How many of the prompt's tokens can be taken from a state. */
  #usable(prompt: WantedPrompt, { tokens, realm }: WantedPrompt): number {
    if (realm !== prompt.realm) return 0
    // The last token is evaluated, because its logits are needed.
    const keep = commonPrefix(tokens, tokens.length, prompt.tokens, prompt.tokens.length - 1)
    if (!this.#parts.cutsBack && keep < tokens.length) return 0
    return keep * MOST_READ_RATIO < tokens.length ? 0 : keep
  }

  /** What is being read for one prompt is not read again for another. */
  async #read(saved: SavedPrompt): Promise<Uint8Array | undefined> {
    const { folder } = this.#parts
    const reading = this.#reading.get(saved.file) ?? { state: folder.read(saved), users: 0 }
    reading.users++
    this.#reading.set(saved.file, reading)
    try {
      const state = await reading.state
      if (state !== undefined) void folder.countUse(saved)
      return state
    } finally {
      if (--reading.users === 0) this.#reading.delete(saved.file)
    }
  }

  async #write({ tokens, realm, state }: LeavingPrompt, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return
    const { folder, model, modelId } = this.#parts
    const fingerprint = await this.#parts.fingerprint()
    const others = (await folder.list(fingerprint)).filter((saved) => saved.realm === realm)
    if (others.some((saved) => this.#covers(saved.tokens, tokens))) return
    const computeMs = tokens.length * this.#msPerToken
    const unsaved: UnsavedPrompt = { fingerprint, model, modelId, realm, computeMs, tokens, state }
    if (!(await folder.write(unsaved, signal))) return
    this.#usage.bytesWritten += state.length
    // A write that was given a limit is not on stable storage yet: what it covers is all that a power failure leaves.
    const settled = others.filter(({ usedAt }) => Date.now() - usedAt > SETTLED_MS)
    const lasting = signal === undefined ? [unsaved, ...settled] : settled
    for (const saved of others)
      if (saved.name === undefined && lasting.some((longer) => this.#replaces(longer.tokens, saved.tokens)))
        await folder.remove(saved)
  }

  async #writeNamed(name: string, { tokens, realm, state }: LeavingPrompt): Promise<number> {
    const { folder, model, modelId } = this.#parts
    const fingerprint = await this.#parts.fingerprint()
    const computeMs = tokens.length * this.#msPerToken
    const bytes = await folder.writeNamed({
      fingerprint,
      model,
      modelId,
      realm,
      computeMs,
      tokens,
      state,
      name,
    })
    this.#usage.bytesWritten += state.length
    return bytes
  }

  /** Is there no use for `shorter` beside `longer`? */
  #replaces(longer: Int32Array, shorter: Int32Array): boolean {
    const isLonger = longer.length > shorter.length && longer.length <= shorter.length * REPLACED_RATIO
    return isLonger && this.#covers(longer, shorter)
  }

  /** Can `one` be used wherever `other` can? */
  #covers(one: Int32Array, other: Int32Array): boolean {
    if (one.length !== other.length && !this.#parts.cutsBack) return false
    return commonPrefix(one, one.length, other, other.length) === other.length
  }
}
