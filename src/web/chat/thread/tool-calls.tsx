import { useState } from "preact/hooks"
import type { ToolCall } from "../../../domain/chat"
import type { Message } from "../../conversations/types"
import { visible } from "../../markdown/safe-link"
import { chatTexts } from "../../texts/chat"
import { Button } from "../../ui/button"
import { Icon } from "../../ui/icons"
import type { ChatSession } from "../session"

interface ToolCallsProps {
  readonly session: ChatSession
  readonly message: Message
  readonly calls: readonly ToolCall[]
  readonly results: ReadonlyMap<string, string> | undefined
}

/** The calls of an answer with their results; where one is missing, the user gives it. */
export function ToolCalls({ session, message, calls, results }: ToolCallsProps) {
  const texts = chatTexts.value
  return (
    <ul class="calls">
      {calls.map((call) => {
        const result = results?.get(call.id)
        return (
          <li key={call.id}>
            <details open={result === undefined}>
              <summary>
                <Icon name="tool" />
                {texts.toolCall(visible(call.name))}
              </summary>
              <h3>{texts.arguments}</h3>
              <pre class="plain">{visible(pretty(call.arguments))}</pre>
              {result !== undefined && (
                <>
                  <h3>{texts.result}</h3>
                  <pre class="plain">{visible(result)}</pre>
                </>
              )}
            </details>
            {result === undefined && <Result session={session} message={message} call={call} />}
          </li>
        )
      })}
    </ul>
  )
}

interface ResultProps {
  readonly session: ChatSession
  readonly message: Message
  readonly call: ToolCall
}

function Result({ session, message, call }: ResultProps) {
  const [text, setText] = useState("")
  const texts = chatTexts.value
  return (
    <form
      class="give-result"
      onSubmit={(event) => {
        event.preventDefault()
        session.giveResult(message, call.id, text)
      }}
    >
      <textarea
        aria-label={texts.resultLabel(call.name)}
        placeholder={texts.resultLabel(call.name)}
        rows={2}
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
      <Button type="submit" look="primary">
        {texts.giveResult}
      </Button>
    </form>
  )
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}
