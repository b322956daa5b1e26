/** Enough to keep a disk busy, and far below the limit of open files. */
const AT_A_TIME = 64

/** Like `Promise.all` over `map`, with limited concurrency. */
export async function mapSome<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const work = async () => {
    while (next < items.length) {
      const index = next++
      // Below the length, so there is an item.
      results[index] = await map(items[index] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, work))
  return results
}
