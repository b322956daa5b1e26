import { models } from "../api/models"
import { newSession, type ChatSession } from "./session"
import { chatTexts } from "../texts/chat"
import { IconButton } from "../ui/button"
import { lazy } from "../ui/lazy"
import { Composer } from "./composer/composer"
import { isChatModel, ModelPicker } from "./model-picker"
import { areParametersOpen, isListOpen, second, showList } from "./state"
import { Welcome } from "./welcome"

const loadThread = async () => (await import("./thread/thread")).Thread
const Thread = lazy(loadThread)
const ParameterPanel = lazy(async () => (await import("./parameters/parameters")).ParameterPanel)

interface ColumnProps {
  readonly session: ChatSession
  readonly isSecond?: boolean
  /** Why the list of models is not known. */
  readonly problem: unknown
}

/** A conversation with its model. The second one of two has no composer: it gets the same messages. */
export function ChatColumn({ session, isSecond = false, problem }: ColumnProps) {
  const texts = chatTexts.value
  const isEmpty = session.isReady.value && session.messages.value.size === 0
  const hasModels = models.value?.some(isChatModel) ?? true
  return (
    <section class="column" aria-label={isSecond ? texts.compare : texts.chat}>
      {!isEmpty && !isSecond && <h1 class="unseen">{session.conversation.value.title || texts.untitled}</h1>}
      <header class="column-head">
        {!isSecond && (
          <IconButton
            icon="menu"
            label={isListOpen.value ? texts.hideList : texts.showList}
            aria-expanded={isListOpen.value}
            onClick={() => showList(!isListOpen.value)}
          />
        )}
        <ModelPicker session={session} />
        <span class="space" />
        {isSecond ? (
          <IconButton icon="close" label={texts.endCompare} onClick={() => (second.value = undefined)} />
        ) : (
          <>
            {second.value === undefined && (
              <IconButton icon="split" label={texts.compare} onClick={() => beginComparison(session)} />
            )}
            <IconButton
              icon="tune"
              label={areParametersOpen.value ? texts.hideParameters : texts.parameters}
              aria-pressed={areParametersOpen.value}
              onClick={() => (areParametersOpen.value = !areParametersOpen.value)}
            />
          </>
        )}
      </header>
      <div class="column-body">
        <div class="column-main">
          {isEmpty ? <Welcome hasModels={hasModels} problem={problem} /> : <Thread session={session} />}
          {!isSecond && <Composer session={session} />}
        </div>
        {!isSecond && areParametersOpen.value && <ParameterPanel session={session} />}
      </div>
    </section>
  )
}

// It brings Markdown with it, which is larger than the rest: it is fetched when the page is there, before it is needed.
setTimeout(() => void loadThread().catch(() => {}), 500)

function beginComparison(session: ChatSession): void {
  const { settings } = session.conversation.peek()
  const others = models.peek()?.filter((model) => isChatModel(model) && model.name !== settings.model)
  const model = others?.[0]?.name ?? settings.model
  second.value = newSession({ ...settings, ...(model !== undefined && { model }) })
}
