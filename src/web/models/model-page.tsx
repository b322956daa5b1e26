import type { ComponentChildren } from "preact"
import { useEffect, useState } from "preact/hooks"
import type { ModelDetailsBody } from "../../http/v0/bodies/model"
import { getJson } from "../api/client"
import { bytesText, dateText, numberText, parameterCountText } from "../lib/format"
import { goTo, hrefOf } from "../lib/route"
import { commonTexts } from "../texts/common"
import { modelsTexts } from "../texts/models"
import { Button } from "../ui/button"
import { Icon } from "../ui/icons"
import { Page } from "../ui/page"
import { deleteModel } from "./actions"
import { CopyDialog } from "./copy-dialog"
import { CREATE } from "./editor"

/** All that is known of a model. */
export function ModelPage({ name }: { readonly name: string }) {
  const texts = modelsTexts.value
  const [model, setModel] = useState<ModelDetailsBody | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    const leaving = new AbortController()
    setModel(undefined)
    setError(undefined)
    getJson<ModelDetailsBody>(`/v0/models/${encodeURIComponent(name)}`, leaving.signal).then(
      setModel,
      (reason: unknown) => leaving.signal.aborted || setError(reason),
    )
    return () => leaving.abort()
  }, [name])
  const remove = async () => {
    if (await deleteModel(name)) goTo("models")
  }
  return (
    <Page
      title={name}
      actions={
        model && (
          <>
            <Button icon="copy" onClick={() => setCopied(true)}>
              {texts.copyModel}
            </Button>
            <Button icon="trash" look="danger" onClick={remove}>
              {texts.deleteModel}
            </Button>
          </>
        )
      }
    >
      <a class="back" href={hrefOf("models")}>
        <Icon name="left" />
        {texts.back}
      </a>
      {error !== undefined && <p class="empty">{error instanceof Error ? error.message : String(error)}</p>}
      {model === undefined && error === undefined && <p class="empty">{commonTexts.value.loading}</p>}
      {model !== undefined && <Details model={model} />}
      {isCopied && <CopyDialog name={name} onClose={() => setCopied(false)} />}
    </Page>
  )
}

function Details({ model }: { readonly model: ModelDetailsBody }) {
  const texts = modelsTexts.value
  const metadata = Object.entries(model.metadata)
  const defaults = Object.entries(model.default_parameters)
  return (
    <>
      <dl class="facts model-sheet">
        <Fact name={texts.architecture}>{model.architecture}</Fact>
        <Fact name={texts.parameters}>{model.parameters && parameterCountText(model.parameters)}</Fact>
        <Fact name={texts.quantization}>{model.quantization}</Fact>
        <Fact name={texts.size}>{bytesText(model.size_bytes)}</Fact>
        <Fact name={texts.context}>
          {model.context_length &&
            numberText(model.context_length) +
              (model.trained_context_length !== null && model.trained_context_length !== model.context_length
                ? ` (${texts.trained(numberText(model.trained_context_length))})`
                : "")}
        </Fact>
        <Fact name={texts.modified}>{dateText(Date.parse(model.modified_at))}</Fact>
        <Fact name={texts.aliases}>{model.aliases.join(", ")}</Fact>
        <Fact name={texts.languages}>{model.languages.join(", ")}</Fact>
        <Fact name={texts.speakers}>{model.speakers.filter((each) => each !== null).join(", ")}</Fact>
      </dl>
      <p class="model-tags">
        {model.capabilities.map((each) => (
          <span key={each} class="tag">
            {texts.capabilities[each] ?? each}
          </span>
        ))}
      </p>
      {model.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {model.system !== null && (
        <section class="section">
          <h2>{texts.system}</h2>
          <p class="text-block">{model.system}</p>
        </section>
      )}
      {defaults.length > 0 && (
        <section class="section">
          <h2>{texts.defaults}</h2>
          <dl class="facts model-sheet">
            {defaults.map(([name, value]) => (
              <Fact key={name} name={name}>
                {Array.isArray(value) ? value.map((each) => JSON.stringify(each)).join(" ") : String(value)}
              </Fact>
            ))}
          </dl>
        </section>
      )}
      <section class="section">
        <header class="section-head">
          <h2>{texts.modelfile}</h2>
          <Button icon="edit" onClick={() => goTo("models", `${CREATE}/${model.name}`)}>
            {texts.editCopy}
          </Button>
        </header>
        <Code label={texts.modelfile} text={model.modelfile} />
      </section>
      {model.template !== null && (
        <details class="fold">
          <summary>{texts.template}</summary>
          <Code label={texts.template} text={model.template} />
        </details>
      )}
      {model.license !== null && (
        <details class="fold">
          <summary>{texts.license}</summary>
          <Code label={texts.license} text={model.license} />
        </details>
      )}
      {model.files.length > 0 && (
        <details class="fold">
          <summary>{texts.files}</summary>
          <Pairs
            label={texts.files}
            pairs={model.files.map((file) => [file.name, bytesText(file.size_bytes)])}
          />
        </details>
      )}
      {metadata.length > 0 && (
        <details class="fold">
          <summary>{texts.metadata}</summary>
          <Pairs label={texts.metadata} pairs={metadata.map(([key, value]) => [key, String(value)])} />
        </details>
      )}
    </>
  )
}

/** Nothing where there is no value. */
function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  if (children === null || children === undefined || children === "" || children === 0) return null
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Code({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <pre class="code-block" tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  )
}

function Pairs({
  label,
  pairs,
}: {
  readonly label: string
  readonly pairs: readonly (readonly [string, string])[]
}) {
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <tbody>
          {pairs.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="value">{value.length > 500 ? `${value.slice(0, 500)}…` : value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
