import { useState } from "preact/hooks"
import type { ModelBody } from "../../http/v0/bodies/model"
import { models } from "../api/models"
import { agoText, bytesText, numberText, parameterCountText } from "../lib/format"
import { goTo, hrefOf } from "../lib/route"
import { commonTexts } from "../texts/common"
import { modelsTexts } from "../texts/models"
import { Button } from "../ui/button"
import { Icon } from "../ui/icons"
import { Menu, type MenuItem } from "../ui/menu"
import { deleteModel, startPull, unloadModel } from "./actions"
import { CopyDialog } from "./copy-dialog"

export type Updates = Readonly<Record<string, "available" | "current" | "unknown">>

/** From this many on there is a field to search them. */
const MANY = 8

/** The capabilities that tell models apart; the rest follows from their kind. */
const TELLING = ["tools", "thinking", "vision", "insert", "rerank"]

export function ModelList({ updates }: { readonly updates: Updates }) {
  const texts = modelsTexts.value
  const [wanted, setWanted] = useState("")
  const [copied, setCopied] = useState<string | undefined>(undefined)
  const all = models.value
  if (all === undefined) return <p class="empty">{commonTexts.value.loading}</p>
  if (all.length === 0) return <p class="empty">{texts.none}</p>
  const shown = all.filter(({ name, aliases }) =>
    [name, ...aliases].some((each) => each.toLowerCase().includes(wanted.toLowerCase())),
  )
  return (
    <section class="section">
      <h2 class="unseen">{texts.installed}</h2>
      {all.length >= MANY && (
        <input
          type="search"
          class="search"
          aria-label={texts.search}
          placeholder={texts.search}
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      )}
      {shown.length === 0 && <p class="empty">{texts.noMatch}</p>}
      <ul class="models">
        {shown.map((model) => (
          <Row
            key={model.name}
            model={model}
            update={updates[model.name]}
            onCopy={() => setCopied(model.name)}
          />
        ))}
      </ul>
      {copied !== undefined && <CopyDialog name={copied} onClose={() => setCopied(undefined)} />}
    </section>
  )
}

interface RowProps {
  readonly model: ModelBody
  readonly update: Updates[string] | undefined
  readonly onCopy: () => void
}

function Row({ model, update, onCopy }: RowProps) {
  const texts = modelsTexts.value
  const { name, kind, state } = model
  const items: readonly MenuItem[] = [
    { label: texts.details, icon: "info", run: () => goTo("models", name) },
    ...(state === "loaded"
      ? [{ label: texts.unload, icon: "eject", run: () => void unloadModel(name) } as const]
      : []),
    { label: texts.copyModel, icon: "copy", run: onCopy },
    { label: texts.deleteModel, icon: "trash", isDangerous: true, run: () => void deleteModel(name) },
  ]
  return (
    <li class="model">
      <div class="model-name">
        <a href={hrefOf("models", name)}>{name}</a>
        {state !== "unloaded" && (
          <span class={state === "failed" ? "tag danger" : "tag accent"}>{texts.states[state]}</span>
        )}
        {update !== undefined && update !== "current" && <span class="tag">{texts.updates[update]}</span>}
        {update === "available" && (
          <Button icon="download" look="quiet" onClick={() => startPull(name)}>
            {texts.update}
          </Button>
        )}
      </div>
      <p class="model-facts">
        <span>{texts.kinds[kind]}</span>
        {model.parameters !== null && (
          <span>
            {parameterCountText(model.parameters)} {model.quantization}
          </span>
        )}
        <span>{bytesText(model.size_bytes)}</span>
        {model.context_length !== null && (
          <span>
            {texts.context} {numberText(model.context_length)}
          </span>
        )}
        <span>{agoText(Date.parse(model.modified_at))}</span>
      </p>
      <p class="model-tags">
        {model.capabilities
          .filter((each) => TELLING.includes(each))
          .map((each) => (
            <span key={each} class="tag">
              {texts.capabilities[each] ?? each}
            </span>
          ))}
      </p>
      <Menu label={texts.actions(name)} items={items}>
        <Icon name="more" />
      </Menu>
    </li>
  )
}
