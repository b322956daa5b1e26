import { effect, type Signal, signal } from "@preact/signals"

/**
 * A signal whose value survives a reload of the page. `isValid` guards against what an older version, or a user, has
 * stored. Where the browser forbids storage, the value lasts as long as the page.
 */
export function stored<T>(
  name: string,
  initial: T,
  isValid: (value: unknown) => boolean,
  area: () => Storage = () => localStorage,
): Signal<T> {
  const key = `xllm.${name}`
  const before = read(key, initial, isValid, area)
  const value = signal(before)
  let isChanged = false
  effect(() => {
    // What was never changed is not stored: then a new default holds for everyone.
    isChanged ||= value.value !== before
    if (isChanged) write(key, value.value, area)
  })
  return value
}

function read<T>(key: string, initial: T, isValid: (value: unknown) => boolean, area: () => Storage): T {
  try {
    const text = area().getItem(key)
    const value: unknown = text === null ? undefined : JSON.parse(text)
    return isValid(value) ? (value as T) : initial
  } catch {
    return initial
  }
}

function write(key: string, value: unknown, area: () => Storage): void {
  try {
    if (value === undefined) area().removeItem(key)
    else area().setItem(key, JSON.stringify(value))
  } catch {
    // Private windows may have no storage, or a full one.
  }
}
