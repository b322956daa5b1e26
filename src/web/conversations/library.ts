import { computed, signal } from "@preact/signals"
import { toastError } from "../ui/toasts"
import { eachMessage, loadConversations, removeConversations, save } from "./database"
import type { StoredConversation, Message } from "./types"

const all = signal<ReadonlyMap<string, StoredConversation>>(new Map())

/** Whether the stored conversations have been read. */
export const isLibraryReady = signal(false)

export const searchText = signal("")

/** The texts of conversations in lower case, once a search has needed them. */
const texts = signal<ReadonlyMap<string, string> | undefined>(undefined)

/** The newest first; those that have the searched text in their title or messages. */
export const listed = computed<readonly StoredConversation[]>(() => {
  const wanted = searchText.value.trim().toLowerCase()
  const found = [...all.value.values()].filter(
    ({ id, title }) =>
      wanted === "" ||
      title.toLowerCase().includes(wanted) ||
      texts.value?.get(id)?.includes(wanted) === true,
  )
  return found.sort((a, b) => b.updatedAt - a.updatedAt)
})

export const conversationCount = computed(() => all.value.size)

export function conversationOf(id: string): StoredConversation | undefined {
  return all.value.get(id)
}

export async function loadLibrary(): Promise<void> {
  try {
    all.value = new Map((await loadConversations()).map((each) => [each.id, each]))
  } catch (error) {
    toastError(error)
  }
  isLibraryReady.value = true
}

/** Shows a conversation as it is now, and stores it with the messages that changed. */
export function keep(conversation: StoredConversation, messages: readonly Message[]): void {
  all.value = new Map(all.value).set(conversation.id, conversation)
  const known = texts.peek()
  if (known !== undefined && messages.length > 0) {
    const added = messages.map(({ text }) => text.toLowerCase()).join("\n")
    texts.value = new Map(known).set(conversation.id, `${known.get(conversation.id) ?? ""}\n${added}`)
  }
  save([conversation], messages).catch(toastError)
}

export function rename(id: string, title: string): void {
  const conversation = all.peek().get(id)
  if (conversation !== undefined) keep({ ...conversation, title }, [])
}

export async function forget(ids: readonly string[]): Promise<void> {
  const rest = new Map(all.peek())
  for (const id of ids) rest.delete(id)
  all.value = rest
  await removeConversations(ids).catch(toastError)
}

/** Adds conversations from a file. */
export async function take(
  conversations: readonly StoredConversation[],
  messages: readonly Message[],
): Promise<void> {
  await save(conversations, messages)
  texts.value = undefined
  await loadLibrary()
}

export function allConversations(): readonly StoredConversation[] {
  return [...all.peek().values()]
}

/** Titles are searched at once; what messages say, as soon as it has been read. */
export async function search(text: string): Promise<void> {
  searchText.value = text
  if (text.trim() === "" || texts.peek() !== undefined) return
  const found = new Map<string, string>()
  texts.value = found
  try {
    const pieces = new Map<string, string[]>()
    await eachMessage(({ conversation, text }) => {
      const list = pieces.get(conversation)
      if (list === undefined) pieces.set(conversation, [text.toLowerCase()])
      else list.push(text.toLowerCase())
    })
    texts.value = new Map([...pieces].map(([id, list]) => [id, list.join("\n")]))
  } catch (error) {
    texts.value = undefined
    toastError(error)
  }
}
