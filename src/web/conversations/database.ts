import { type DBSchema, type IDBPDatabase, openDB } from "idb"
import type { StoredConversation, Message } from "./types"

interface Schema extends DBSchema {
  conversations: { key: string; value: StoredConversation }
  messages: { key: string; value: Message; indexes: { conversation: string } }
}

let opened: Promise<IDBPDatabase<Schema>> | undefined

function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>("xllm", 1, {
    upgrade(db) {
      db.createObjectStore("conversations", { keyPath: "id" })
      db.createObjectStore("messages", { keyPath: "id" }).createIndex("conversation", "conversation")
    },
    // Another tab has a newer version of the page.
    blocking: (_current, _next, event) => (event.target as IDBDatabase | null)?.close(),
    terminated: () => (opened = undefined),
  })
  return opened
}

export async function loadConversations(): Promise<readonly StoredConversation[]> {
  return await (await database()).getAll("conversations")
}

export async function loadMessages(conversation: string): Promise<readonly Message[]> {
  return await (await database()).getAllFromIndex("messages", "conversation", conversation)
}

/** Calls `each` for every message there is, in pieces, so that the page stays alive meanwhile. */
export async function eachMessage(each: (message: Message) => void): Promise<void> {
  const db = await database()
  for (let last = ""; ;) {
    const range = IDBKeyRange.lowerBound(last, true)
    const some = await db.getAll("messages", range, 500)
    for (const message of some) each(message)
    const end = some.at(-1)
    if (end === undefined) return
    last = end.id
  }
}

/** Stores conversations and messages together, or none of them. */
export async function save(
  conversations: readonly StoredConversation[],
  messages: readonly Message[],
): Promise<void> {
  const transaction = (await database()).transaction(["conversations", "messages"], "readwrite")
  for (const conversation of conversations) void transaction.objectStore("conversations").put(conversation)
  for (const message of messages) void transaction.objectStore("messages").put(message)
  // At once: the page may be closed any moment.
  transaction.commit()
  await transaction.done
}

export async function removeMessages(ids: readonly string[]): Promise<void> {
  const transaction = (await database()).transaction("messages", "readwrite")
  for (const id of ids) void transaction.store.delete(id)
  await transaction.done
}

/** Removes conversations with all their messages. */
export async function removeConversations(ids: readonly string[]): Promise<void> {
  const transaction = (await database()).transaction(["conversations", "messages"], "readwrite")
  const messages = transaction.objectStore("messages")
  for (const id of ids) {
    void transaction.objectStore("conversations").delete(id)
    for (const key of await messages.index("conversation").getAllKeys(id)) void messages.delete(key)
  }
  await transaction.done
}
