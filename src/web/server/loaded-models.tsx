import type { LoadedModelBody } from "../../http/v0/bodies/loaded-model"
import { sendJson } from "../api/client"
import { serverState } from "../api/live"
import { bytesText, numberText } from "../lib/format"
import { hrefOf } from "../lib/route"
import { serverTexts } from "../texts/server"
import { IconButton } from "../ui/button"
import { Meter } from "../ui/meter"
import { toast, toastError } from "../ui/toasts"

/** The models with a worker, where each was put and why; and those that failed. */
export function LoadedModels() {
  const texts = serverTexts.value
  const { models = [], failed = [] } = serverState.value ?? {}
  return (
    <section class="section">
      <h2>{texts.loaded}</h2>
      {models.length + failed.length === 0 && <p class="note">{texts.noneLoaded}</p>}
      <ul class="loaded">
        {models.map((model) => (
          <li key={`${model.name} ${model.replica ?? 0}`} class="card">
            <Loaded model={model} />
          </li>
        ))}
        {failed.map(({ name, reason }) => (
          <li key={`${name} failed`} class="card">
            <header class="wide">
              <a href={hrefOf("models", name)}>{name}</a>
              <span class="tag danger">{texts.states.failed}</span>
            </header>
            <p class="why">{reason}</p>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Loaded({ model }: { readonly model: LoadedModelBody }) {
  const texts = serverTexts.value
  const { name, info, plan, footprint } = model
  const bytes =
    (footprint?.ram_bytes ?? 0) + (footprint?.devices.reduce((sum, device) => sum + device.bytes, 0) ?? 0)
  const unload = () =>
    sendJson("/v0/stop", { model: name }).then(() => toast(texts.unloaded(name)), toastError)
  return (
    <>
      <header class="wide">
        <a href={hrefOf("models", name)}>{name}</a>
        {model.replica !== null && <span class="tag">{texts.replica(model.replica)}</span>}
        <span class={model.state === "ready" ? "tag accent" : "tag"}>{texts.states[model.state]}</span>
        <IconButton icon="eject" label={`${texts.unload}: ${name}`} onClick={unload} />
      </header>
      {model.state === "loading" && <Meter label={texts.states.loading} share={model.progress} />}
      <dl class="facts wide">
        <div>
          <dt>{texts.memoryShort}</dt>
          <dd>{bytesText(bytes)}</dd>
        </div>
        {plan !== null && (
          <div>
            <dt>{texts.place}</dt>
            <dd>
              {plan.devices.length === 0
                ? (info?.devices.join(", ") ?? "CPU")
                : plan.devices.map((device) => `${device.name}: ${device.layers}`).join(", ")}
            </dd>
          </div>
        )}
        {info !== null && "context_length" in info && (
          <div>
            <dt>{texts.context}</dt>
            <dd>{numberText(info.context_length)}</dd>
          </div>
        )}
        <div>
          <dt>{texts.requests}</dt>
          <dd>
            {numberText(model.active_requests)}
            {model.queued_requests > 0 && ` + ${numberText(model.queued_requests)} ${texts.waiting}`}
          </dd>
        </div>
        <div>
          <dt>{texts.kept}</dt>
          <dd>{stayOf(model)}</dd>
        </div>
      </dl>
      {plan !== null && plan.explanation !== "" && <p class="why">{plan.explanation}</p>}
      {model.notes.map((note) => (
        <p key={note} class="why">
          {note}
        </p>
      ))}
    </>
  )
}

function stayOf({ stays, expires_at }: LoadedModelBody): string {
  const texts = serverTexts.value
  if (stays) return texts.stays
  return expires_at === null ? texts.inUse : texts.until(new Date(expires_at).toLocaleTimeString())
}
