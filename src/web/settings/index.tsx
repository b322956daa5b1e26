import { useEffect, useRef } from "preact/hooks"
import { apiKey } from "../api/key"
import { closeSession, newSession } from "../chat/session"
import { shownSession, enterSends, hasUserMarkdown } from "../chat/state"
import { eachMessage } from "../conversations/database"
import {
  allConversations,
  conversationCount,
  forget,
  isLibraryReady,
  loadLibrary,
  take,
} from "../conversations/library"
import { fromExport, NotAnExport, toExport } from "../conversations/transfer"
import type { Message } from "../conversations/types"
import { saveFile } from "../lib/download"
import { theme } from "../lib/theme"
import { chosenLanguage, LANGUAGES } from "../texts/language"
import { settingsTexts } from "../texts/settings"
import { Button } from "../ui/button"
import { confirm } from "../ui/dialog"
import { Choice, Switch } from "../ui/field"
import { Page } from "../ui/page"
import { toast, toastError } from "../ui/toasts"
import { VoiceSettings } from "./voice-settings"

export function SettingsView() {
  const texts = settingsTexts.value
  return (
    <Page title={texts.title}>
      <section class="card">
        <h2>{texts.appearance}</h2>
        <Choice
          label={texts.theme}
          value={theme.value}
          options={[
            { value: "system", label: texts.system },
            { value: "light", label: texts.light },
            { value: "dark", label: texts.dark },
          ]}
          onChange={(value) => (theme.value = value)}
        />
        <Choice
          label={texts.language}
          value={chosenLanguage.value}
          options={[
            { value: "auto", label: texts.automatic },
            { value: "en", label: LANGUAGES.en },
            { value: "ja", label: LANGUAGES.ja },
          ]}
          onChange={(value) => (chosenLanguage.value = value)}
        />
      </section>
      <section class="card">
        <h2>{texts.chat}</h2>
        <Switch
          label={texts.enterSends}
          note={texts.enterSendsNote}
          checked={enterSends.value}
          onChange={(value) => (enterSends.value = value)}
        />
        <Switch
          label={texts.userMarkdown}
          checked={hasUserMarkdown.value}
          onChange={(value) => (hasUserMarkdown.value = value)}
        />
      </section>
      <VoiceSettings />
      <Data />
      <section class="card">
        <h2>{texts.access}</h2>
        <p>{apiKey.value === undefined ? texts.noKey : texts.keyInUse}</p>
        {apiKey.value !== undefined && (
          <Button icon="trash" onClick={() => (apiKey.value = undefined)}>
            {texts.forgetKey}
          </Button>
        )}
      </section>
    </Page>
  )
}

/** The conversations of this browser as a whole. */
function Data() {
  const texts = settingsTexts.value
  const picker = useRef<HTMLInputElement>(null)
  const count = conversationCount.value
  useEffect(() => {
    if (!isLibraryReady.peek()) void loadLibrary()
  }, [])
  return (
    <section class="card">
      <h2>{texts.data}</h2>
      <p class="note">{texts.dataNote}</p>
      <div class="page-actions">
        <Button icon="download" disabled={count === 0} onClick={() => void exportAll()}>
          {texts.exportAll}
        </Button>
        <Button icon="upload" onClick={() => picker.current?.click()}>
          {texts.import}
        </Button>
        <Button icon="trash" look="danger" disabled={count === 0} onClick={() => void deleteAll()}>
          {texts.deleteAll}
        </Button>
      </div>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        aria-label={texts.import}
        hidden
        onChange={({ currentTarget }) => {
          void importFrom(currentTarget.files?.[0])
          currentTarget.value = ""
        }}
      />
    </section>
  )
}

async function exportAll(): Promise<void> {
  try {
    const messages: Message[] = []
    await eachMessage((message) => void messages.push(message))
    saveFile("xllm-conversations.json", toExport(allConversations(), messages), "application/json")
  } catch (error) {
    toastError(error)
  }
}

async function importFrom(file: File | undefined): Promise<void> {
  if (file === undefined) return
  const texts = settingsTexts.peek()
  try {
    const { conversations, messages } = fromExport(await file.text())
    await take(conversations, messages)
    toast(texts.imported(conversations.length))
  } catch (error) {
    toastError(error instanceof NotAnExport ? texts.notAnExport : error)
  }
}

async function deleteAll(): Promise<void> {
  const texts = settingsTexts.peek()
  const all = allConversations()
  const isSure = await confirm({
    title: texts.deleteAll,
    text: texts.deleteAllSure(all.length),
    action: texts.deleteAll,
  })
  if (!isSure) return
  for (const { id } of all) closeSession(id)
  await forget(all.map(({ id }) => id))
  shownSession.value = newSession()
}
