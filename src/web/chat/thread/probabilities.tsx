import { useState } from "preact/hooks"
import type { AnswerFacts } from "../../conversations/types"
import { numberText } from "../../lib/format"
import { visible } from "../../markdown/safe-link"
import { chatTexts } from "../../texts/chat"

type Tokens = NonNullable<AnswerFacts["logprobs"]>

/** More are not shown one by one. */
const MOST = 5000

/** The tokens of an answer, tinted by how likely they were; the chosen one with what could have stood in its place. */
export function Probabilities({ tokens }: { readonly tokens: Tokens }) {
  const [at, choose] = useState<number>()
  const token = at === undefined ? undefined : tokens[at]
  return (
    <div class="probabilities">
      <p class="tokens">
        {tokens.slice(0, MOST).map(({ token, logprob }, index) => (
          <button
            key={index}
            type="button"
            class={`token level-${levelOf(logprob)}`}
            aria-pressed={index === at}
            title={`${numberText(Math.exp(logprob) * 100, 1)} %`}
            onMouseEnter={() => choose(index)}
            onFocus={() => choose(index)}
            onClick={() => choose(index)}
          >
            {visible(token)}
          </button>
        ))}
      </p>
      {token !== undefined && (
        <table class="alternatives" aria-label={chatTexts.value.alternatives}>
          <tbody>
            {token.top_logprobs.map((each, index) => (
              <tr key={index} class={each.token === token.token ? "chosen" : ""}>
                <th scope="row">
                  <code>{visible(JSON.stringify(each.token).slice(1, -1))}</code>
                </th>
                <td class="number">{numberText(Math.exp(each.logprob) * 100, 1)} %</td>
                <td class="share">
                  <span style={{ width: `${Math.exp(each.logprob) * 100}%` }} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  )
}

function levelOf(logprob: number): number {
  const probability = Math.exp(logprob)
  return probability > 0.8 ? 0 : probability > 0.4 ? 1 : probability > 0.15 ? 2 : 3
}
