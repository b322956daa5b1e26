import type { ComponentChildren } from "preact"
import { useId } from "preact/hooks"

interface LabelledProps {
  readonly label: string
  /** Below the control. */
  readonly note?: ComponentChildren
  readonly error?: string | undefined
  /** Gets the id that the label is for, and that of the note. */
  readonly children: (ids: { readonly id: string; readonly "aria-describedby"?: string }) => ComponentChildren
}

/** A control with its label above and what there is to say below. */
export function Labelled({ label, note, error, children }: LabelledProps) {
  const id = useId()
  const hasNote = note !== undefined || error !== undefined
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, ...(hasNote && { "aria-describedby": `${id}-note` }) })}
      {hasNote && (
        <p id={`${id}-note`} class={error === undefined ? "note" : "note error"}>
          {error ?? note}
        </p>
      )}
    </div>
  )
}

interface SwitchProps {
  readonly label: string
  readonly note?: string
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
}

export function Switch({ label, note, checked, onChange }: SwitchProps) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        checked={checked}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      <span>
        {label}
        {note !== undefined && <small>{note}</small>}
      </span>
    </label>
  )
}

interface ChoiceProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly options: readonly { readonly value: T; readonly label: string }[]
  readonly onChange: (value: T) => void
}

/** One of a few, all in sight. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  const name = useId()
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div>
        {options.map((option) => (
          <label key={option.value}>
            <input
              type="radio"
              name={name}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
