import { effect, signal, useSignalEffect } from "@preact/signals"
import { useEffect } from "preact/hooks"
import { connection } from "../api/connection"
import { loadModels } from "../api/models"
import { isLibraryReady, loadLibrary } from "../conversations/library"
import { goTo, route } from "../lib/route"
import { toastError } from "../ui/toasts"
import { stopReading } from "../voice/reader"
import { loadVoices } from "../voice/voices"
import { ChatColumn } from "./column"
import { type ChatSession, newSession, openSession } from "./session"
import { Sidebar } from "./side/sidebar"
import { shownSession, isListOpen, isNarrow, second, showList } from "./state"

const problem = signal<unknown>(undefined)

/** The chat: conversations at the side, and one of them, or two beside each other. */
export function ChatView() {
  useEffect(() => {
    if (!isLibraryReady.peek()) void loadLibrary()
  }, [])
  // Also when the server is there again, or another key is in use.
  useSignalEffect(() => {
    if (connection.value !== "offline") refresh()
  })
  useSignalEffect(() => {
    if (route.value.view === "chat" && isLibraryReady.value) show(route.value.detail)
  })
  const session = shownSession.value
  const other = second.value
  return (
    <div class={isListOpen.value ? "chat with-list" : "chat"}>
      <Sidebar />
      {isNarrow.value && isListOpen.value && <div class="scrim" onClick={() => showList(false)} />}
      {session !== undefined && (
        <div class={other === undefined ? "columns" : "columns two"}>
          <ChatColumn key={session.id} session={session} problem={problem.value} />
          {other !== undefined && (
            <ChatColumn key={other.id} session={other} isSecond problem={problem.value} />
          )}
        </div>
      )}
    </div>
  )
}

function refresh(): void {
  loadModels().then(
    (all) => {
      problem.value = undefined
      if (all.some(({ kind }) => kind === "tts")) loadVoices().catch(toastError)
    },
    (error: unknown) => (problem.value = error),
  )
}

function show(id: string): void {
  if (id === "") {
    if (shownSession.peek()?.messages.peek().size === 0) return
    shownSession.value = newSession()
    return
  }
  if (shownSession.peek()?.id === id) return
  stopReading()
  const session = openSession(id)
  if (session === undefined) goTo("chat", "", true)
  else shownSession.value = session
}

// A new conversation gets its address with its first message.
effect(() => {
  const session: ChatSession | undefined = shownSession.value
  if (session === undefined || session.messages.value.size === 0) return
  const { view, detail } = route.peek()
  if (view === "chat" && detail === "") goTo("chat", session.id, true)
})

addEventListener("unhandledrejection", (event) => toastError((event as PromiseRejectionEvent).reason))
