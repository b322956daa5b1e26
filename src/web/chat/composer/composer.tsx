import { useEffect, useRef, useState } from "preact/hooks"
import { models } from "../../api/models"
import { conversationOf } from "../../conversations/library"
import type { Attachment } from "../../conversations/types"
import { numberText } from "../../lib/format"
import { chatTexts } from "../../texts/chat"
import { IconButton } from "../../ui/button"
import { toast } from "../../ui/toasts"
import type { ChatSession } from "../session"
import { drafts, enterSends, keepDraft, second } from "../state"
import { readFiles } from "./attach"
import { Dictation } from "./dictation"

/** Where a message is written. What is typed is kept until it is sent, over reloads too. */
export function Composer({ session }: { readonly session: ChatSession }) {
  const texts = chatTexts.value
  const area = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(() => drafts.peek()[draftId(session)] ?? "")
  const [files, setFiles] = useState<readonly Attachment[]>([])
  const [isOver, setOver] = useState(false)
  const { model } = session.conversation.value.settings
  const isBusy = session.running.value !== undefined || second.value?.running.value !== undefined
  const canSend = !isBusy && model !== undefined && (text.trim() !== "" || files.length > 0)

  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) area.current?.focus()
  }, [session])
  useEffect(() => fit(area.current), [text])

  const change = (value: string) => {
    setText(value)
    keepDraft(draftId(session), value)
  }
  const add = async (list: Iterable<File>) => {
    const read = await readFiles(list)
    const known = models.peek()?.find(({ name }) => name === model)
    const seesNothing = known !== undefined && !known.capabilities.includes("vision")
    if (seesNothing && read.some(({ kind }) => kind === "image")) {
      toast(texts.noVision(known.name), { look: "error" })
    }
    const usable = read.filter(({ kind }) => kind === "text" || !seesNothing)
    if (usable.length > 0) setFiles((before) => [...before, ...usable])
  }
  const send = () => {
    if (!canSend) return
    keepDraft(draftId(session), "")
    session.send(text.trim(), files)
    const other = second.peek()
    if (other !== undefined) {
      // The models differ, and nothing else.
      const { model: otherModel } = other.conversation.peek().settings
      other.replace({ ...session.conversation.peek().settings, ...(otherModel && { model: otherModel }) })
      other.send(text.trim(), files)
    }
    setText("")
    setFiles([])
  }
  const stop = () => {
    session.stop()
    second.peek()?.stop()
  }
  return (
    <div class="composer">
      <div
        class={isOver ? "composer-box over" : "composer-box"}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          void add(event.dataTransfer?.files ?? [])
        }}
      >
        {files.length > 0 && (
          <ul class="attachments">
            {files.map(({ id, name, kind, content }) => (
              <li key={id}>
                {kind === "image" ? <img src={content} alt={name} /> : <span class="tag">{name}</span>}
                <IconButton
                  icon="close"
                  label={texts.removeFile(name)}
                  onClick={() => setFiles(files.filter((file) => file.id !== id))}
                />
              </li>
            ))}
          </ul>
        )}
        <textarea
          ref={area}
          rows={1}
          aria-label={texts.message}
          placeholder={isOver ? texts.dropHere : texts.messagePlaceholder}
          value={text}
          onInput={({ currentTarget }) => change(currentTarget.value)}
          onPaste={(event) => {
            const pasted = event.clipboardData?.files
            if (pasted === undefined || pasted.length === 0) return
            event.preventDefault()
            void add(pasted)
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape" && isBusy) stop()
            // While an input method composes, Enter takes its choice.
            if (event.key !== "Enter" || event.isComposing) return
            const isAsked = event.ctrlKey || event.metaKey || (enterSends.value && !event.shiftKey)
            if (!isAsked) return
            event.preventDefault()
            send()
          }}
        />
        <div class="composer-row">
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            onChange={({ currentTarget }) => {
              void add(currentTarget.files ?? [])
              currentTarget.value = ""
            }}
          />
          <IconButton icon="attach" label={texts.attach} onClick={() => picker.current?.click()} />
          <Dictation
            onText={(said) => {
              change(text === "" ? said : `${text.trimEnd()} ${said}`)
              area.current?.focus()
            }}
          />
          <ContextBar session={session} />
          <span class="space" />
          {isBusy ? (
            <IconButton icon="stop" look="primary" label={texts.stop} onClick={stop} />
          ) : (
            <IconButton icon="send" look="primary" label={texts.send} disabled={!canSend} onClick={send} />
          )}
        </div>
      </div>
    </div>
  )
}

/** How much of the context the last answer and what was before it take up. */
function ContextBar({ session }: { readonly session: ChatSession }) {
  const used = session.path.value.findLast(({ answer }) => answer?.usage !== undefined)?.answer?.usage
  const { model } = session.conversation.value.settings
  const size = models.value?.find(({ name }) => name === model)?.context_length
  if (used === undefined || size == null) return null
  const share = Math.min(1, used.total_tokens / size)
  const label = chatTexts.value.contextUsed(numberText(used.total_tokens), numberText(size))
  return (
    <span class="context" title={label}>
      <span class="bar" role="img" aria-label={label}>
        <span class={share > 0.85 ? "full" : ""} style={{ width: `${Math.max(2, share * 100)}%` }} />
      </span>
      <span class="number" aria-hidden="true">
        {numberText(used.total_tokens)} / {numberText(size)}
      </span>
    </span>
  )
}

/** A conversation that has not begun has no lasting id yet. */
function draftId(session: ChatSession): string {
  return conversationOf(session.id) === undefined ? "new" : session.id
}

/** As high as its text, up to what the style allows. */
function fit(area: HTMLTextAreaElement | null): void {
  if (area === null) return
  area.style.height = "auto"
  area.style.height = `${area.scrollHeight}px`
}
