import { useSignal } from "@preact/signals"
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks"
import { resultsAfter } from "../../conversations/tree"
import type { Message } from "../../conversations/types"
import { chatTexts } from "../../texts/chat"
import { IconButton } from "../../ui/button"
import type { ChatSession } from "../session"
import { MessageRow } from "./message-row"

/** Nearer to the end than this counts as at the end: then new text is followed. */
const NEAR = 40

/** The messages of a conversation. A reader who scrolled up stays where they are. */
export function Thread({ session }: { readonly session: ChatSession }) {
  const texts = chatTexts.value
  const box = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const isAway = useSignal(false)
  const path = session.path.value
  const running = session.running.value
  const versions = useMemo(
    () => Map.groupBy(session.messages.value.values(), ({ parent }) => parent),
    [session.messages.value],
  )
  const toEnd = () => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight
  }
  useLayoutEffect(() => {
    const element = content.current
    if (element === null) return
    const observer = new ResizeObserver(() => {
      if (follows.current) toEnd()
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  const last = path.at(-1)
  // What was just asked is shown, and the end of a conversation that was opened; the end of an answer moves nothing.
  const begun = running?.message.id
  const isShown = useRef(false)
  useEffect(() => {
    if (begun === undefined && isShown.current) return
    isShown.current = session.isReady.value
    follows.current = true
    isAway.value = false
    toEnd()
  }, [begun, session.isReady.value])
  return (
    <div class="thread-box">
      <div
        class="thread"
        ref={box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={texts.conversations}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < NEAR
          isAway.value = !follows.current
        }}
      >
        <div class="thread-content" ref={content}>
          {path.map((message) => {
            if (message.role === "tool") return null
            const all = versionsIn(versions.get(message.parent))
            return (
              <MessageRow
                key={message.id}
                session={session}
                message={message}
                running={running?.message.id === message.id ? running : undefined}
                version={all.indexOf(message) + 1}
                versions={all.length}
                isLast={message === last}
                results={message.answer?.toolCalls && resultsAfter(path, message)}
              />
            )
          })}
        </div>
      </div>
      {isAway.value && (
        <div class="to-end">
          <IconButton
            icon="down"
            label={texts.latest}
            onClick={() => {
              follows.current = true
              toEnd()
            }}
          />
        </div>
      )}
    </div>
  )
}

function versionsIn(messages: readonly Message[] | undefined): readonly Message[] {
  if (messages === undefined) return []
  return messages.length < 2 ? messages : messages.toSorted((a, b) => a.createdAt - b.createdAt)
}
