import { useEffect, useState } from "preact/hooks"
import type { ModelDetailsBody } from "../../../http/v0/bodies/model"
import { loadDetails, models } from "../../api/models"
import type { ChatParameters } from "../../conversations/types"
import { parameterTexts } from "../../texts/parameters"
import { chatTexts } from "../../texts/chat"
import { Button, IconButton } from "../../ui/button"
import { Choice, Labelled, Switch } from "../../ui/field"
import type { ChatSession } from "../session"
import { areParametersOpen } from "../state"
import { BUILT_IN_TOOLS, definitionsOf } from "../tools"
import { JsonField } from "./json-field"

type NumberName = Exclude<keyof typeof parameterTexts.value.names, "stop">

interface NumberRow {
  readonly name: NumberName
  readonly least: number
  readonly most: number
  readonly step: number
}

const SAMPLING: readonly NumberRow[] = [
  { name: "temperature", least: 0, most: 2, step: 0.05 },
  { name: "top_p", least: 0, most: 1, step: 0.01 },
  { name: "top_k", least: 0, most: 1000, step: 1 },
  { name: "min_p", least: 0, most: 1, step: 0.01 },
  { name: "repeat_penalty", least: 0, most: 3, step: 0.05 },
  { name: "presence_penalty", least: -2, most: 2, step: 0.1 },
  { name: "frequency_penalty", least: -2, most: 2, step: 0.1 },
  { name: "seed", least: 0, most: 4_294_967_295, step: 1 },
]

const LENGTH: readonly NumberRow[] = [{ name: "max_tokens", least: 1, most: 1_048_576, step: 1 }]

const EFFORTS = ["none", "low", "medium", "high"] as const

/** How a conversation is continued: at the side, for each conversation its own. */
export function ParameterPanel({ session }: { readonly session: ChatSession }) {
  const texts = parameterTexts.value
  const { settings } = session.conversation.value
  const details = useDetails(settings.model)
  const own = details?.default_parameters ?? {}
  const set = (name: string, value: ChatParameters[string] | undefined) => {
    const { [name]: _, ...rest } = session.conversation.peek().settings.parameters
    session.change({ parameters: value === undefined ? rest : { ...rest, [name]: value } })
  }
  const row = ({ name, least, most, step }: NumberRow) => (
    <NumberField
      key={name}
      label={texts.names[name]}
      value={settings.parameters[name]}
      placeholder={ownValue(own, name) ?? texts.modelOwn}
      range={{ least, most, step }}
      onChange={(value) => set(name, value)}
    />
  )
  const stop = settings.parameters["stop"]
  const chosenTools = settings.builtInTools ?? []
  return (
    <aside class="parameters" aria-label={texts.title}>
      <header>
        <h2>{texts.title}</h2>
        <Button look="quiet" icon="again" onClick={() => reset(session)}>
          {texts.reset}
        </Button>
        <IconButton
          icon="close"
          label={chatTexts.value.hideParameters}
          onClick={() => (areParametersOpen.value = false)}
        />
      </header>
      <Labelled label={texts.system} note={details?.system == null ? texts.systemNote : texts.ownSystem}>
        {(ids) => (
          <textarea
            {...ids}
            rows={4}
            placeholder={details?.system ?? ""}
            value={settings.system ?? ""}
            onInput={({ currentTarget }) => session.change({ system: currentTarget.value })}
          />
        )}
      </Labelled>
      <h3>{texts.sampling}</h3>
      <div class="numbers-grid">{SAMPLING.map(row)}</div>
      <h3>{texts.length}</h3>
      <div class="numbers-grid">{LENGTH.map(row)}</div>
      <Labelled label={texts.names.stop} note={texts.stopNote}>
        {(ids) => (
          <textarea
            {...ids}
            rows={2}
            value={Array.isArray(stop) ? stop.join("\n") : ""}
            onChange={({ currentTarget }) => {
              const lines = currentTarget.value.split("\n").filter((line) => line !== "")
              set("stop", lines.length === 0 ? undefined : lines)
            }}
          />
        )}
      </Labelled>
      {details?.capabilities.includes("thinking") === true && (
        <Choice
          label={texts.thinking}
          value={settings.reasoningEffort ?? ""}
          options={[
            { value: "", label: texts.modelOwn },
            ...EFFORTS.map((value) => ({ value, label: texts.efforts[value] })),
          ]}
          onChange={(value) => changeEffort(session, value)}
        />
      )}
      <h3>{texts.output}</h3>
      <JsonField
        label={texts.schema}
        note={texts.schemaNote}
        value={settings.schema ?? ""}
        check={(text) => void JSON.parse(text)}
        onChange={(schema) => session.change({ schema })}
      />
      <Switch
        label={texts.logprobs}
        note={texts.logprobsNote}
        checked={settings.wantsLogprobs === true}
        onChange={(wantsLogprobs) => session.change({ wantsLogprobs })}
      />
      <h3>{texts.tools}</h3>
      {BUILT_IN_TOOLS.map((name) => (
        <Switch
          key={name}
          label={texts.builtIn[name] ?? name}
          checked={chosenTools.includes(name)}
          onChange={(isOn) =>
            session.change({
              builtInTools: isOn ? [...chosenTools, name] : chosenTools.filter((each) => each !== name),
            })
          }
        />
      ))}
      <JsonField
        label={texts.ownTools}
        note={texts.ownToolsNote}
        value={settings.tools ?? ""}
        check={(text) => void definitionsOf(text)}
        onChange={(tools) => session.change({ tools })}
      />
    </aside>
  )
}

interface NumberFieldProps {
  readonly label: string
  readonly value: ChatParameters[string] | undefined
  readonly placeholder: string
  readonly range: Omit<NumberRow, "name">
  readonly onChange: (value: number | undefined) => void
}

function NumberField({ label, value, placeholder, range, onChange }: NumberFieldProps) {
  const { least, most, step } = range
  return (
    <Labelled label={label}>
      {(ids) => (
        <input
          {...ids}
          type="number"
          min={least}
          max={most}
          step={step}
          placeholder={placeholder}
          value={typeof value === "number" ? value : ""}
          onChange={({ currentTarget: input }) => {
            if (input.value === "") return onChange(undefined)
            const number = Math.min(most, Math.max(least, Number(input.value)))
            input.value = String(number)
            onChange(number)
          }}
        />
      )}
    </Labelled>
  )
}

function reset(session: ChatSession): void {
  const { model } = session.conversation.peek().settings
  session.replace({ parameters: {}, ...(model !== undefined && { model }) })
}

function changeEffort(session: ChatSession, value: string): void {
  const { reasoningEffort: _, ...rest } = session.conversation.peek().settings
  session.replace(value === "" ? rest : { ...rest, reasoningEffort: value })
}

function ownValue(own: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = own[name] ?? own[name === "max_tokens" ? "num_predict" : name]
  return typeof value === "number" ? String(value) : undefined
}

function useDetails(name: string | undefined): ModelDetailsBody | undefined {
  const [details, setDetails] = useState<ModelDetailsBody>()
  const model = models.value?.find((each) => each.name === name)
  useEffect(() => {
    let isGone = false
    setDetails(undefined)
    if (model !== undefined) {
      loadDetails(model).then(
        (body) => {
          if (!isGone) setDetails(body)
        },
        () => {},
      )
    }
    return () => {
      isGone = true
    }
  }, [model?.id])
  return details
}
