import { request } from "../api/client"
import { activity } from "../api/live"
import { durationText, numberText } from "../lib/format"
import { serverTexts } from "../texts/server"
import { IconButton } from "../ui/button"
import { toast, toastError } from "../ui/toasts"

/** What models work on, each with a button to stop it. */
export function RequestTable() {
  const texts = serverTexts.value
  const requests = activity.value?.requests ?? []
  const stop = (id: string) =>
    request(`/v0/requests/${encodeURIComponent(id)}`, { method: "DELETE" }).then(
      () => toast(texts.stopped),
      toastError,
    )
  return (
    <section class="section">
      <h2>{texts.runningRequests}</h2>
      {requests.length === 0 ? (
        <p class="note">{texts.noRequests}</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={texts.runningRequests}>
          <table>
            <thead>
              <tr>
                <th scope="col">{texts.model}</th>
                <th scope="col">{texts.kind}</th>
                <th scope="col">{texts.state}</th>
                <th scope="col" class="number">
                  {texts.time}
                </th>
                <th scope="col" class="number">
                  {texts.tokens}
                </th>
                <td />
              </tr>
            </thead>
            <tbody>
              {requests.map((each, index) => (
                <tr key={`${each.id} ${index}`}>
                  <td>{each.model}</td>
                  <td>
                    <code>{each.path}</code>
                  </td>
                  <td>{texts.requestStates[each.state]}</td>
                  <td class="number">{durationText(each.elapsed_ms)}</td>
                  <td class="number">
                    {numberText(each.prompt_tokens)} + {numberText(each.generated_tokens)}
                  </td>
                  <td class="row-actions">
                    <IconButton
                      icon="stop"
                      label={`${texts.stop}: ${each.model ?? each.id}`}
                      onClick={() => stop(each.id)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}
