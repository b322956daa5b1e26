import { useState } from "preact/hooks"
import type { Message } from "../../conversations/types"
import { visible } from "../../markdown/safe-link"
import { Markdown } from "../../markdown/markdown"
import { chatTexts } from "../../texts/chat"
import type { RunningAnswer } from "../answer"
import type { ChatSession } from "../session"
import { hasUserMarkdown } from "../state"
import { AnswerView } from "./answer-view"
import { Editor } from "./editor"
import { MessageActions } from "./message-actions"

export interface MessageRowProps {
  readonly session: ChatSession
  readonly message: Message
  readonly running: RunningAnswer | undefined
  /** From 1. */
  readonly version: number
  readonly versions: number
  readonly isLast: boolean
  /** Of its tool calls, by their ids. */
  readonly results: ReadonlyMap<string, string> | undefined
}

/** A message, and what can be done with it. */
export function MessageRow(props: MessageRowProps) {
  const { session, message, running, isLast } = props
  const [isEdited, edit] = useState(false)
  const [showsTokens, showTokens] = useState(false)
  const texts = chatTexts.value
  const isUser = message.role === "user"
  const height = `auto ${heightOf(message)}px`
  return (
    <article
      class={isUser ? "message user" : "message"}
      aria-label={isUser ? texts.you : texts.answer}
      style={isLast ? {} : { contentVisibility: "auto", containIntrinsicHeight: height }}
    >
      <h2 class="unseen">{isUser ? texts.you : texts.answer}</h2>
      {isEdited ? (
        <Editor session={session} message={message} onClose={() => edit(false)} />
      ) : isUser ? (
        <UserText message={message} />
      ) : (
        <AnswerView {...props} showsTokens={showsTokens} />
      )}
      {!isEdited && running === undefined && (
        <MessageActions
          {...props}
          showsTokens={showsTokens}
          onTokens={() => showTokens(!showsTokens)}
          onEdit={() => edit(true)}
        />
      )}
    </article>
  )
}

function UserText({ message: { text, attachments = [] } }: { readonly message: Message }) {
  return (
    <div class="bubble">
      {attachments.length > 0 && (
        <ul class="attachments">
          {attachments.map(({ id, name, kind, content }) => (
            <li key={id}>
              {/* One that came with an import must not be fetched from anywhere. */}
              {kind === "image" && content.startsWith("data:image/") ? (
                <img src={content} alt={name} />
              ) : (
                <span class="tag">{visible(name)}</span>
              )}
            </li>
          ))}
        </ul>
      )}
      {hasUserMarkdown.value ? (
        <Markdown text={text} />
      ) : (
        <p class="typed" dir="auto">
          {visible(text)}
        </p>
      )}
    </div>
  )
}

/** About how high a message is: what is out of sight is not laid out, and its place must be near the truth. */
function heightOf({ text, attachments = [] }: Message): number {
  const lines = text.split("\n").reduce((sum, line) => sum + 1 + Math.floor(line.length / 95), 0)
  return 60 + lines * 24 + attachments.length * 120
}
