import { useEffect, useRef, useState } from "preact/hooks"
import type { ModelDetailsBody } from "../../http/v0/bodies/model"
import { ApiError } from "../api/api-error"
import { getJson, sendJson, streamLines } from "../api/client"
import { loadModels } from "../api/models"
import { goTo, hrefOf } from "../lib/route"
import { modelsTexts } from "../texts/models"
import { Button } from "../ui/button"
import { Labelled } from "../ui/field"
import { Icon } from "../ui/icons"
import { Page } from "../ui/page"
import { toast } from "../ui/toasts"

/** The detail of the models view for the editor: no model has such a name. */
export const CREATE = "~new"

/** How long after the last change the text is checked. */
const CHECK_MS = 400

const EXAMPLE = `FROM qwen3:0.6b
SYSTEM """You answer in one sentence."""
PARAMETER temperature 0.6
`

interface Fault {
  readonly line?: number
  readonly message: string
}

/** Makes a model of a Modelfile; its errors are shown at their lines. `from`: the model to begin with. */
export function ModelfileEditor({ from }: { readonly from: string }) {
  const texts = modelsTexts.value
  const [name, setName] = useState("")
  const [text, setText] = useState(from === "" ? EXAMPLE : "")
  const [faults, setFaults] = useState<readonly Fault[] | undefined>(undefined)
  const [progress, setProgress] = useState<string | undefined>(undefined)
  const area = useRef<HTMLTextAreaElement>(null)
  const gutter = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (from === "") return
    const leaving = new AbortController()
    getJson<ModelDetailsBody>(`/v0/models/${encodeURIComponent(from)}`, leaving.signal).then(
      ({ modelfile }) => setText(modelfile),
      (error: unknown) => leaving.signal.aborted || setFaults(faultsOf(error)),
    )
    return () => leaving.abort()
  }, [from])
  useEffect(() => {
    if (text.trim() === "") return
    const leaving = new AbortController()
    const timer = setTimeout(() => {
      const body = { model: "check", modelfile: text, check: true }
      sendJson<{ readonly faults: readonly Fault[] }>("/v0/create", body, { signal: leaving.signal }).then(
        (checked) => setFaults(checked.faults),
        (error: unknown) => leaving.signal.aborted || setFaults(faultsOf(error)),
      )
    }, CHECK_MS)
    return () => {
      clearTimeout(timer)
      leaving.abort()
    }
  }, [text])
  const lines = text.split("\n").length
  const wrong = new Set(faults?.map(({ line }) => line))
  const create = async () => {
    setProgress(texts.creating)
    try {
      const body = { model: name.trim(), modelfile: text, stream: true }
      for await (const { status } of streamLines<{ readonly status: string }>("/v0/create", {
        method: "POST",
        body,
      }))
        setProgress(status)
      toast(texts.created(name.trim()))
      await loadModels()
      goTo("models", name.trim())
    } catch (error) {
      setFaults(faultsOf(error))
    }
    setProgress(undefined)
  }
  return (
    <Page title={texts.createTitle}>
      <a class="back" href={hrefOf("models", from)}>
        <Icon name="left" />
        {from === "" ? texts.back : from}
      </a>
      <form
        class="editor"
        onSubmit={(event) => {
          event.preventDefault()
          void create()
        }}
      >
        <Labelled label={texts.newName}>
          {(ids) => (
            <input
              {...ids}
              type="text"
              autoComplete="off"
              autoCapitalize="none"
              spellcheck={false}
              value={name}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
          )}
        </Labelled>
        <Labelled label={texts.modelfileLabel} note={texts.createNote}>
          {(ids) => (
            <div class="lines">
              <div class="gutter" ref={gutter} aria-hidden="true">
                {Array.from({ length: lines }, (_, index) => (
                  <span key={index} class={wrong.has(index + 1) ? "wrong" : ""}>
                    {index + 1}
                  </span>
                ))}
              </div>
              <textarea
                {...ids}
                ref={area}
                wrap="off"
                spellcheck={false}
                autoCapitalize="none"
                value={text}
                aria-invalid={wrong.size > 0}
                onInput={({ currentTarget }) => setText(currentTarget.value)}
                onScroll={({ currentTarget }) => {
                  if (gutter.current !== null) gutter.current.scrollTop = currentTarget.scrollTop
                }}
              />
            </div>
          )}
        </Labelled>
        <div role="status" class="faults">
          {faults !== undefined && (
            <p class={faults.length > 0 ? "note error" : "note"}>
              {faults.length > 0 ? texts.faults(faults.length) : texts.noFaults}
            </p>
          )}
          <ul>
            {faults?.map(({ line, message }, index) => (
              <li key={index}>
                {line === undefined ? (
                  message
                ) : (
                  <button type="button" onClick={() => select(area.current, line)}>
                    <b>{texts.line(line)}</b> {message}
                  </button>
                )}
              </li>
            ))}
          </ul>
        </div>
        <footer>
          {progress !== undefined && <p class="note">{progress}</p>}
          <Button
            look="primary"
            type="submit"
            disabled={progress !== undefined || name.trim() === "" || (faults?.length ?? 0) > 0}
          >
            {texts.create}
          </Button>
        </footer>
      </form>
    </Page>
  )
}

/** The faults with their lines, where the server says them. */
function faultsOf(error: unknown): readonly Fault[] {
  if (!(error instanceof Error)) return [{ message: String(error) }]
  const faults = error instanceof ApiError ? error.details["faults"] : undefined
  // As the server's type of this error has it.
  return Array.isArray(faults) ? (faults as readonly Fault[]) : [{ message: error.message }]
}

/** Puts the cursor on a line of the text. */
function select(area: HTMLTextAreaElement | null, line: number): void {
  if (area === null) return
  const lines = area.value.split("\n")
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0)
  area.focus()
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0))
}
