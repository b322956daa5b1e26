import { useEffect, useRef, useState } from "preact/hooks"
import type { Message } from "../../conversations/types"
import { chatTexts } from "../../texts/chat"
import { commonTexts } from "../../texts/common"
import { Button } from "../../ui/button"
import type { ChatSession } from "../session"

interface EditorProps {
  readonly session: ChatSession
  readonly message: Message
  readonly onClose: () => void
}

/** Changes a message: in place, or, for one of the user's, as a new version that is answered anew. */
export function Editor({ session, message, onClose }: EditorProps) {
  const texts = chatTexts.value
  const [text, setText] = useState(message.text)
  const area = useRef<HTMLTextAreaElement>(null)
  useEffect(() => area.current?.focus(), [])
  const isUser = message.role === "user"
  const send = () => {
    onClose()
    session.resend(message, text)
  }
  const save = () => {
    onClose()
    session.rewrite(message, text)
  }
  return (
    <div
      class="editor"
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose()
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) (isUser ? send : save)()
      }}
    >
      <textarea
        ref={area}
        aria-label={texts.editLabel}
        rows={Math.min(16, text.split("\n").length + 2)}
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
      <div class="editor-actions">
        <Button look="quiet" onClick={onClose}>
          {commonTexts.value.cancel}
        </Button>
        <Button look={isUser ? "plain" : "primary"} onClick={save}>
          {texts.saveEdit}
        </Button>
        {isUser && (
          <Button look="primary" disabled={session.running.value !== undefined} onClick={send}>
            {texts.sendEdit}
          </Button>
        )}
      </div>
    </div>
  )
}
