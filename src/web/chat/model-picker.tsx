import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { ModelBody } from "../../http/v0/bodies/model"
import { loadModels, models } from "../api/models"
import { conversationOf } from "../conversations/library"
import { bytesText, numberText, parameterCountText } from "../lib/format"
import { chatTexts } from "../texts/chat"
import { Icon } from "../ui/icons"
import { toastError } from "../ui/toasts"
import type { ChatSession } from "./session"

/** Above this many models the list can be filtered. */
const FEW = 7

/** The model of a conversation: a button that opens a list of all. */
export function ModelPicker({ session }: { readonly session: ChatSession }) {
  const texts = chatTexts.value
  const [isOpen, open] = useState(false)
  const [filter, setFilter] = useState("")
  const root = useRef<HTMLDivElement>(null)
  const id = useId()
  const list = (models.value ?? []).filter(isChatModel)
  const { model } = session.conversation.value.settings
  const current = list.find(({ name }) => name === model)
  // Without a choice, or after the chosen one was deleted: one that is loaded already, or the first.
  useEffect(() => {
    if (models.value === undefined || current !== undefined || list.length === 0) return
    if (model !== undefined && conversationOf(session.id) !== undefined) return
    const fallback = list.find(({ state }) => state === "loaded") ?? list[0]
    if (fallback !== undefined) {
      const { settings } = session.conversation.peek()
      session.replace({ ...settings, model: fallback.name })
    }
  }, [models.value, session])
  useEffect(() => {
    if (!isOpen) return
    loadModels().catch(toastError)
    const first = root.current?.querySelector<HTMLElement>("input, [aria-checked=true], [role=menuitemradio]")
    first?.focus()
    const leave = (event: PointerEvent) => {
      if (event.target instanceof Node && root.current?.contains(event.target) !== true) open(false)
    }
    document.addEventListener("pointerdown", leave)
    return () => document.removeEventListener("pointerdown", leave)
  }, [isOpen])
  const close = () => {
    open(false)
    setFilter("")
    root.current?.querySelector("button")?.focus()
  }
  const shown = list.filter(({ name }) => name.toLowerCase().includes(filter.trim().toLowerCase()))
  return (
    <div
      class="picker"
      ref={root}
      onKeyDown={(event) => {
        if (isOpen && event.key === "Escape") close()
        if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
          event.preventDefault()
          moveFocus(root.current, event.key === "ArrowDown" ? 1 : -1)
        }
      }}
    >
      <button
        type="button"
        class="picker-button"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => open(!isOpen)}
      >
        <span class="unseen">{texts.model}: </span>
        <span class="cut">{model ?? texts.chooseModel}</span>
        {model !== undefined && models.value !== undefined && current === undefined && (
          <span class="tag danger">{texts.notInstalled}</span>
        )}
        {current?.state === "loaded" && <span class="state-dot" title={texts.loaded} />}
        <Icon name="down" />
      </button>
      {isOpen && (
        <div class="picker-list">
          {list.length > FEW && (
            <input
              type="search"
              placeholder={texts.filterModels}
              aria-label={texts.filterModels}
              value={filter}
              onInput={({ currentTarget }) => setFilter(currentTarget.value)}
            />
          )}
          <div role="menu" id={id} aria-label={texts.chooseModel}>
            {shown.map((each) => (
              <button
                key={each.name}
                type="button"
                role="menuitemradio"
                aria-checked={each.name === model}
                tabIndex={-1}
                onClick={() => {
                  session.change({ model: each.name })
                  close()
                }}
              >
                <ModelLines model={each} />
              </button>
            ))}
          </div>
          {shown.length === 0 && (
            <p class="note">{list.length === 0 ? texts.noModels : texts.nothingFound}</p>
          )}
        </div>
      )}
    </div>
  )
}

export function isChatModel({ kind }: Pick<ModelBody, "kind">): boolean {
  return kind === "text"
}

function ModelLines({ model }: { readonly model: ModelBody }) {
  const texts = chatTexts.value
  const { name, parameters, quantization, size_bytes: size, context_length: context, state } = model
  const facts = [
    ...(parameters === null ? [] : [parameterCountText(parameters)]),
    ...(quantization === null ? [] : [quantization]),
    bytesText(size),
    ...(context === null ? [] : [texts.contextOf(numberText(context))]),
  ]
  const abilities = model.capabilities.filter((each) => each !== "completion" && each !== "chat")
  return (
    <>
      <span class="picker-name">
        <span>{name}</span>
        {state === "loaded" && <span class="tag accent">{texts.loaded}</span>}
        {state === "loading" && <span class="tag accent">{texts.loadingNow}</span>}
        {state === "failed" && <span class="tag danger">{texts.failed}</span>}
      </span>
      <span class="picker-facts number">{facts.join(" · ")}</span>
      {abilities.length > 0 && <span class="picker-facts">{abilities.join(" · ")}</span>}
    </>
  )
}

function moveFocus(root: HTMLElement | null, by: number): void {
  const all = [...(root?.querySelectorAll<HTMLElement>("[role=menuitemradio]") ?? [])]
  const at = all.findIndex((each) => each === document.activeElement)
  all[at < 0 ? 0 : (at + by + all.length) % all.length]?.focus()
}
