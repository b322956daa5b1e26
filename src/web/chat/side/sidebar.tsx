import { signal } from "@preact/signals"
import { useEffect, useRef, useState } from "preact/hooks"
import { loadMessages } from "../../conversations/database"
import {
  conversationOf,
  forget,
  isLibraryReady,
  listed,
  rename,
  search,
  searchText,
} from "../../conversations/library"
import { toExport, toMarkdown } from "../../conversations/transfer"
import type { StoredConversation } from "../../conversations/types"
import { saveFile } from "../../lib/download"
import { agoText } from "../../lib/format"
import { goTo, hrefOf } from "../../lib/route"
import { chatTexts } from "../../texts/chat"
import { Button } from "../../ui/button"
import { confirm } from "../../ui/dialog"
import { Icon } from "../../ui/icons"
import { Menu } from "../../ui/menu"
import { toastError } from "../../ui/toasts"
import { closeSession, newSession } from "../session"
import { isListOpen, isNarrow, showList, shownSession } from "../state"

/** So many are shown at first, and more with every scroll to the end: a browser draws a long list slowly. */
const PAGE = 100

const renaming = signal<string | undefined>(undefined)

/** The conversations. */
export function Sidebar() {
  const texts = chatTexts.value
  const [count, setCount] = useState(PAGE)
  if (!isListOpen.value) return null
  const all = listed.value
  const shown = all.slice(0, count)
  return (
    <aside
      class="list"
      aria-label={texts.conversations}
      onKeyDown={({ key }) => {
        if (key === "Escape") closeOnPhones()
      }}
    >
      <div class="list-head">
        <Button
          icon="plus"
          onClick={() => {
            shownSession.value = newSession()
            goTo("chat")
            closeOnPhones()
          }}
        >
          {texts.newChat}
        </Button>
        <label class="search">
          <Icon name="search" />
          <span class="unseen">{texts.searchLabel}</span>
          <input
            type="search"
            placeholder={texts.searchLabel}
            value={searchText.value}
            onInput={({ currentTarget }) => void search(currentTarget.value)}
          />
        </label>
      </div>
      <div
        class="list-items"
        onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
          if (scrollHeight - scrollTop - clientHeight < 400 && count < all.length) setCount(count + PAGE)
        }}
      >
        {groups(shown).map(([name, conversations]) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {conversations.map((conversation) => (
                <Item key={conversation.id} conversation={conversation} />
              ))}
            </ul>
          </section>
        ))}
        {isLibraryReady.value && all.length === 0 && (
          <p class="note">{searchText.value.trim() === "" ? texts.noConversations : texts.nothingFound}</p>
        )}
      </div>
    </aside>
  )
}

function Item({ conversation }: { readonly conversation: StoredConversation }) {
  const texts = chatTexts.value
  const { id } = conversation
  const title = conversation.title === "" ? texts.untitled : conversation.title
  if (renaming.value === id) return <Renamed conversation={conversation} />
  return (
    <li class="list-item">
      <a
        href={hrefOf("chat", id)}
        title={`${title}\n${agoText(conversation.updatedAt)}`}
        aria-current={shownSession.value?.id === id ? "page" : undefined}
        onClick={closeOnPhones}
      >
        {title}
      </a>
      <Menu
        label={texts.actionsOf(title)}
        items={[
          { label: texts.renameChat, icon: "edit", run: () => (renaming.value = id) },
          { label: texts.exportMarkdown, icon: "download", run: () => void exported(id, "markdown") },
          { label: texts.exportJson, icon: "download", run: () => void exported(id, "json") },
          {
            label: texts.deleteChat,
            icon: "trash",
            isDangerous: true,
            run: () => void removed(id, title),
          },
        ]}
      >
        <Icon name="more" />
      </Menu>
    </li>
  )
}

function Renamed({ conversation }: { readonly conversation: StoredConversation }) {
  const { id, title } = conversation
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.select(), [])
  const done = () => {
    const text = input.current?.value.trim() ?? ""
    if (renaming.peek() === id && text !== "" && text !== title) rename(id, text)
    renaming.value = undefined
  }
  return (
    <li class="list-item">
      <input
        type="text"
        ref={input}
        aria-label={chatTexts.value.titleLabel}
        defaultValue={title}
        maxLength={200}
        onBlur={done}
        onKeyDown={({ key }) => {
          if (key === "Enter") done()
          if (key === "Escape") renaming.value = undefined
        }}
      />
    </li>
  )
}

async function removed(id: string, title: string): Promise<void> {
  const texts = chatTexts.peek()
  const isSure = await confirm({
    title: texts.deleteChatTitle,
    text: texts.deleteChatSure(title),
    action: texts.deleteChat,
  })
  if (!isSure) return
  closeSession(id)
  await forget([id])
  if (shownSession.peek()?.id !== id) return
  shownSession.value = newSession()
  goTo("chat", "", true)
}

async function exported(id: string, form: "json" | "markdown"): Promise<void> {
  const conversation = conversationOf(id)
  if (conversation === undefined) return
  try {
    const messages = await loadMessages(id)
    const name = conversation.title.replace(/[^\p{L}\p{N} _-]/gu, "").trim() || "conversation"
    if (form === "json") saveFile(`${name}.json`, toExport([conversation], messages), "application/json")
    else {
      const byId = new Map(messages.map((message) => [message.id, message]))
      saveFile(`${name}.md`, toMarkdown(conversation, byId), "text/markdown")
    }
  } catch (error) {
    toastError(error)
  }
}

/** By the day of the last change. */
function groups(conversations: readonly StoredConversation[]) {
  const texts = chatTexts.value
  const midnight = new Date().setHours(0, 0, 0, 0)
  const day = 86_400_000
  const nameOf = ({ updatedAt }: StoredConversation) => {
    if (updatedAt >= midnight) return texts.today
    if (updatedAt >= midnight - day) return texts.yesterday
    return updatedAt >= midnight - 7 * day ? texts.week : texts.older
  }
  return [...Map.groupBy(conversations, nameOf)]
}

/** There the list lies over the conversation. */
function closeOnPhones(): void {
  if (isNarrow.peek()) showList(false)
}
