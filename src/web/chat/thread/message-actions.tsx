import { copyText } from "../../lib/copy"
import { chatTexts } from "../../texts/chat"
import { commonTexts } from "../../texts/common"
import { IconButton } from "../../ui/button"
import { toast } from "../../ui/toasts"
import { childrenOf } from "../../conversations/tree"
import { AnswerNumbers } from "./answer-view"
import { beginReading, readMessage, stopReading } from "../../voice/reader"
import { voiceInUse } from "../../voice/voices"
import type { MessageRowProps } from "./message-row"

interface MessageActionsProps extends MessageRowProps {
  readonly showsTokens: boolean
  readonly onTokens: () => void
  readonly onEdit: () => void
}

/** What can be done with a message that is complete. */
export function MessageActions(props: MessageActionsProps) {
  const { session, message, version, versions, isLast, showsTokens, onTokens, onEdit } = props
  const texts = chatTexts.value
  const isRead = readMessage.value === message.id
  const isBusy = session.running.value !== undefined
  const isAnswer = message.role === "assistant"
  const canContinue = isAnswer && isLast && message.text !== "" && message.answer?.toolCalls === undefined
  const show = (by: number) => {
    const all = childrenOf(session.messages.peek(), message.parent)
    const other = all[version - 1 + by]
    if (other !== undefined) session.select(other)
  }
  return (
    <div class="actions">
      {versions > 1 && (
        <span class="versions" aria-label={texts.version(version, versions)} role="group">
          <IconButton
            icon="left"
            label={texts.previousVersion}
            disabled={version === 1 || isBusy}
            onClick={() => show(-1)}
          />
          <span class="number">
            {version}/{versions}
          </span>
          <IconButton
            icon="right"
            label={texts.nextVersion}
            disabled={version === versions || isBusy}
            onClick={() => show(1)}
          />
        </span>
      )}
      <IconButton icon="copy" label={texts.copyMessage} onClick={() => void copied(message.text)} />
      {isAnswer && voiceInUse.value !== undefined && message.text !== "" && (
        <IconButton
          icon={isRead ? "stop" : "speaker"}
          label={isRead ? texts.stopReading : texts.readAloud}
          aria-pressed={isRead}
          onClick={() => {
            if (isRead) return stopReading()
            const reader = beginReading(message.id)
            reader.add(message.text)
            reader.end()
          }}
        />
      )}
      <IconButton icon="edit" label={texts.edit} onClick={onEdit} />
      {isAnswer && (
        <IconButton
          icon="again"
          label={texts.again}
          disabled={isBusy}
          onClick={() => session.again(message)}
        />
      )}
      {canContinue && (
        <IconButton
          icon="forward"
          label={texts.continue}
          disabled={isBusy}
          onClick={() => session.continue(message)}
        />
      )}
      {message.answer?.logprobs !== undefined && (
        <IconButton
          icon="info"
          label={showsTokens ? texts.hideTokens : texts.showTokens}
          aria-pressed={showsTokens}
          onClick={onTokens}
        />
      )}
      <IconButton icon="trash" label={texts.remove} onClick={() => session.remove(message, texts)} />
      {isAnswer && <AnswerNumbers answer={message.answer} />}
    </div>
  )
}

async function copied(text: string): Promise<void> {
  toast((await copyText(text)) ? commonTexts.value.copied : commonTexts.value.copyFailed)
}
