import { computed, signal } from "@preact/signals"
import { stored } from "../lib/stored"
import type { ChatSession } from "./session"

/** The conversation that is shown. */
export const shownSession = signal<ChatSession | undefined>(undefined)

/** The one beside it, which gets the same messages. */
export const second = signal<ChatSession | undefined>(undefined)

const narrow = matchMedia("(max-width: 900px)")

/** Whether there is too little room for lists beside the conversation: they lie over it. */
export const isNarrow = signal(narrow.matches)

narrow.addEventListener("change", () => {
  isNarrow.value = narrow.matches
  isDrawerOpen.value = false
})

const isListWanted = stored("list", true, (value) => typeof value === "boolean")

const isDrawerOpen = signal(false)

/** Whether the list of conversations is shown. */
export const isListOpen = computed(() => (isNarrow.value ? isDrawerOpen.value : isListWanted.value))

export function showList(isShown: boolean): void {
  if (isNarrow.peek()) isDrawerOpen.value = isShown
  else isListWanted.value = isShown
}

export const areParametersOpen = signal(false)

const isBoolean = (value: unknown) => typeof value === "boolean"

export const enterSends = stored("enter-sends", !matchMedia("(pointer: coarse)").matches, isBoolean)

/** Whether the user's own messages are shown as Markdown. */
export const hasUserMarkdown = stored("user-markdown", false, isBoolean)

/** What was typed and not sent, by conversation. */
export const drafts = stored<Readonly<Record<string, string>>>(
  "drafts",
  {},
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
)

const MOST_DRAFTS = 50

export function keepDraft(id: string, text: string): void {
  const { [id]: _, ...rest } = drafts.peek()
  const entries = Object.entries(rest).slice(1 - MOST_DRAFTS)
  drafts.value = Object.fromEntries(text === "" ? entries : [...entries, [id, text]])
}
