import { useEffect, useState } from "preact/hooks"
import type { PullBody } from "../../http/v0/bodies/pull"
import { pulls } from "../api/live"
import { loadModels } from "../api/models"
import { bytesText, durationText } from "../lib/format"
import { modelsTexts } from "../texts/models"
import { Button, IconButton } from "../ui/button"
import { Labelled } from "../ui/field"
import { Meter } from "../ui/meter"
import { endPull, startPull } from "./actions"

/** A name to download. */
export function PullForm() {
  const texts = modelsTexts.value
  const [name, setName] = useState("")
  const [isSending, setSending] = useState(false)
  return (
    <form
      class="pull-form"
      onSubmit={async (event) => {
        event.preventDefault()
        setSending(true)
        if (await startPull(name.trim())) setName("")
        setSending(false)
      }}
    >
      <Labelled label={texts.name} note={texts.nameNote}>
        {(ids) => (
          <input
            {...ids}
            type="text"
            autoComplete="off"
            autoCapitalize="none"
            spellcheck={false}
            placeholder="qwen3:0.6b"
            value={name}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
        )}
      </Labelled>
      <Button icon="download" look="primary" type="submit" disabled={isSending || name.trim() === ""}>
        {texts.download}
      </Button>
    </form>
  )
}

/** The downloads that run, and those that ran. */
export function PullList() {
  const texts = modelsTexts.value
  const all = pulls.value
  const finished = all.filter(({ state }) => state === "done").length
  // A model that has come is in the list of models.
  useEffect(() => {
    if (finished > 0) loadModels().catch(() => {})
  }, [finished])
  if (all.length === 0) return null
  return (
    <section class="section">
      <h2>{texts.downloads}</h2>
      <ul class="pulls">
        {all.map((pull) => (
          <Pull key={pull.id} pull={pull} />
        ))}
      </ul>
    </section>
  )
}

function Pull({ pull }: { readonly pull: PullBody }) {
  const texts = modelsTexts.value
  const { model, state, completed_bytes: done, total_bytes: total, error } = pull
  const isRunning = state === "running"
  return (
    <li class="pull">
      <p class="pull-name">
        <strong>{model}</strong>
        <span class={state === "failed" ? "tag danger" : state === "done" ? "tag accent" : "tag"}>
          {texts.pullStates[state]}
        </span>
      </p>
      {isRunning && (
        <Meter
          label={`${texts.downloads}: ${model}`}
          share={total === null ? undefined : done / Math.max(1, total)}
        />
      )}
      <p class="note">{error === null ? progressText(pull) : error.message}</p>
      {pull.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      <div class="pull-actions">
        {(state === "cancelled" || state === "failed") && (
          <IconButton icon="again" label={`${texts.resumePull}: ${model}`} onClick={() => resume(pull)} />
        )}
        <IconButton
          icon="close"
          label={`${isRunning ? texts.cancelPull : texts.forgetPull}: ${model}`}
          onClick={() => endPull(pull)}
        />
      </div>
    </li>
  )
}

async function resume(pull: PullBody): Promise<void> {
  await endPull(pull)
  await startPull(pull.model)
}

function progressText({
  state,
  status,
  completed_bytes: done,
  total_bytes: total,
  started_at,
}: PullBody): string {
  const texts = modelsTexts.value
  if (state !== "running") return total === null || total === 0 ? "" : bytesText(total)
  if (done === 0) return status
  const seconds = Math.max(1, (Date.now() - Date.parse(started_at)) / 1000)
  const rate = done / seconds
  const amount = total === null ? bytesText(done) : texts.amount(bytesText(done), bytesText(total))
  const left =
    total === null || rate <= 0 ? [] : [texts.left(durationText(Math.ceil((total - done) / rate) * 1000))]
  return [amount, texts.perSecond(bytesText(rate)), ...left].join(" · ")
}
