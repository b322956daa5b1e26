type Reader<T> = {
  readonly resolve: (result: IteratorResult<T>) => void
  readonly reject: (error: unknown) => void
}

/**
 * A single-producer, single-consumer stream that can be iterated once. A value goes directly to a waiting reader,
 * others are kept in order; nothing else is allocated per value.
 */
export class PushStream<T> implements AsyncIterableIterator<T> {
  #kept: T[] = []
  #first = 0
  #reader: Reader<T> | undefined
  #ended = false
  #failure: unknown

  /** True once nothing more can be pushed. */
  get ended(): boolean {
    return this.#ended
  }

  /** Adds a value; ignored after the end. */
  push(value: T): void {
    if (this.#ended) return
    const reader = this.#reader
    if (reader === undefined) {
      this.#kept.push(value)
      return
    }
    this.#reader = undefined
    reader.resolve({ value, done: false })
  }

  /** Like {@link push}, but replaces the newest unread value where `replaces` returns true for it. */
  pushLatest(value: T, replaces: (newest: T) => boolean): void {
    const last = this.#kept.length - 1
    const newest = this.#kept[last]
    if (last >= this.#first && newest !== undefined && replaces(newest)) this.#kept[last] = value
    else this.push(value)
  }

  /** Ends the iteration after the values kept. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#takeReader()?.resolve({ value: undefined, done: true })
  }

  /** Makes the iteration throw `error` after the values kept. */
  fail(error: unknown): void {
    if (this.#ended) return
    this.#ended = true
    const reader = this.#takeReader()
    if (reader === undefined) this.#failure = error
    else reader.reject(error)
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#first < this.#kept.length) return Promise.resolve({ value: this.#takeFirst(), done: false })
    if (this.#failure !== undefined) {
      const error = this.#failure
      this.#failure = undefined
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    if (this.#reader !== undefined) return Promise.reject(new TypeError("a PushStream has one reader only"))
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }))
  }

  /** The reader leaves: present and later values are dropped. */
  return(): Promise<IteratorResult<T>> {
    this.#kept = []
    this.#first = 0
    this.#failure = undefined
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #takeReader(): Reader<T> | undefined {
    const reader = this.#reader
    this.#reader = undefined
    return reader
  }

  #takeFirst(): T {
    const value = this.#kept[this.#first++]
    if (this.#first === this.#kept.length) {
      this.#kept = []
      this.#first = 0
    }
    // `next` checked the length; `T` may include `undefined`.
    return value as T
  }
}
