import { useState } from "preact/hooks"
import { parameterTexts } from "../../texts/parameters"
import { Labelled } from "../../ui/field"

interface JsonFieldProps {
  readonly label: string
  readonly note: string
  readonly value: string
  /** @throws an error with the reason if the text cannot be used */
  readonly check: (text: string) => void
  readonly onChange: (text: string) => void
}

/** A text that is JSON. One that is not is kept here and not used. */
export function JsonField({ label, note, value, check, onChange }: JsonFieldProps) {
  const [text, setText] = useState(value)
  const problem = problemOf(text, check)
  return (
    <Labelled
      label={label}
      note={note}
      error={problem === undefined ? undefined : parameterTexts.value.notJson(problem)}
    >
      {(ids) => (
        <textarea
          {...ids}
          class="code-text"
          rows={3}
          spellcheck={false}
          aria-invalid={problem !== undefined}
          value={text}
          onInput={({ currentTarget }) => {
            setText(currentTarget.value)
            if (problemOf(currentTarget.value, check) === undefined) onChange(currentTarget.value)
          }}
        />
      )}
    </Labelled>
  )
}

function problemOf(text: string, check: (text: string) => void): string | undefined {
  if (text.trim() === "") return undefined
  try {
    check(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
