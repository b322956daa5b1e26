import { computed, signal } from "@preact/signals"

export const VIEWS = ["chat", "models", "images", "server", "settings"] as const

export type ViewName = (typeof VIEWS)[number]

const hash = signal(location.hash)

addEventListener("hashchange", () => (hash.value = location.hash))

/** Where in the page one is: `#/models/qwen3%3A0.6b` is the view `models` with the detail `qwen3:0.6b`. */
export const route = computed(() => {
  const [, name = "", ...rest] = hash.value.split("/")
  const view = VIEWS.find((each) => each === name) ?? "chat"
  return { view, detail: decoded(rest.join("/")) }
})

/** The address of a view, or of something in it. */
export function hrefOf(view: ViewName, detail = ""): string {
  return detail === "" ? `#/${view}` : `#/${view}/${encodeURIComponent(detail)}`
}

/** `isReplacement`: the browser's back button then skips where one was. */
export function goTo(view: ViewName, detail = "", isReplacement = false): void {
  const href = hrefOf(view, detail)
  if (!isReplacement) {
    location.hash = href
    return
  }
  history.replaceState(null, "", href)
  hash.value = href
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
