import { signal } from "@preact/signals"
import { stored } from "../lib/stored"

/** The API key in use. It lasts as long as the tab, is sent as a header, and never becomes part of an address. */
export const apiKey = stored<string | undefined>(
  "key",
  undefined,
  (value) => typeof value === "string",
  () => sessionStorage,
)

/** A question for the key: the shell shows it while there is one. */
interface KeyQuestion {
  /** The key in use was refused; otherwise there was none. */
  readonly isRefused: boolean
  answer(key: string | undefined): void
}

export const keyQuestion = signal<KeyQuestion | undefined>(undefined)

let pending: Promise<boolean> | undefined

/**
 * Asks the user for a key. Requests that are refused at the same time share one question. `used`: what the request was
 * sent with. Returns false if the user gives none.
 */
export async function askForKey(used: string | undefined): Promise<boolean> {
  // Another request's question was answered while this one was under way.
  if (used !== apiKey.value) return true
  pending ??= new Promise<boolean>((resolve) => {
    keyQuestion.value = {
      isRefused: used !== undefined,
      answer(key) {
        if (key !== undefined) apiKey.value = key
        keyQuestion.value = undefined
        pending = undefined
        resolve(key !== undefined)
      },
    }
  })
  return await pending
}
