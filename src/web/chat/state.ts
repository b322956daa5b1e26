import { signal } from "@preact/signals"
import { stored } from "../lib/stored"
import type { ChatSession } from "./session"

/** The conversation that is shown. */
export const shownSession = signal<ChatSession | undefined>(undefined)

/** The one beside it, which gets the same messages. */
export const second = signal<ChatSession | undefined>(undefined)

export const isListOpen = stored("list", innerWidth > 900, (value) => typeof value === "boolean")

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
