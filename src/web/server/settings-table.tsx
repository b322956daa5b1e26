import { useEffect, useState } from "preact/hooks"
import type { ReportedSetting } from "../../http/context/owner"
import { ApiError } from "../api/api-error"
import { getJson } from "../api/client"
import { commonTexts } from "../texts/common"
import { serverTexts } from "../texts/server"
import { Labelled, Switch } from "../ui/field"

/** The settings in effect, and where each comes from. */
export function SettingsTable() {
  const texts = serverTexts.value
  const [settings, setSettings] = useState<readonly ReportedSetting[] | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  const [wanted, setWanted] = useState("")
  const [isChanged, setChanged] = useState(false)
  useEffect(() => {
    const leaving = new AbortController()
    getJson<{ readonly settings: readonly ReportedSetting[] }>("/v0/settings", leaving.signal).then(
      (body) => setSettings(body.settings),
      (reason: unknown) => leaving.signal.aborted || setError(reason),
    )
    return () => leaving.abort()
  }, [])
  if (error !== undefined) return <WhyNotShown error={error} />
  if (settings === undefined) return <p class="empty">{commonTexts.value.loading}</p>
  const words = wanted.toLowerCase()
  const shown = settings.filter(
    ({ path, shown: value, origin }) =>
      `${path} ${value}`.toLowerCase().includes(words) && (!isChanged || origin.source !== "default"),
  )
  return (
    <section class="section">
      <div class="filters">
        <Labelled label={texts.search}>
          {(ids) => (
            <input
              {...ids}
              type="search"
              value={wanted}
              onInput={({ currentTarget }) => setWanted(currentTarget.value)}
            />
          )}
        </Labelled>
        <Switch label={texts.onlyChanged} checked={isChanged} onChange={setChanged} />
      </div>
      {shown.length === 0 ? (
        <p class="empty">{texts.noSettings}</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={texts.settings}>
          <table>
            <thead>
              <tr>
                <th scope="col">{texts.setting}</th>
                <th scope="col">{texts.value}</th>
                <th scope="col">{texts.origin}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ path, shown: value, origin }) => (
                <tr key={path}>
                  <td>
                    <code>{path}</code>
                  </td>
                  <td class="value">{value}</td>
                  <td class={origin.source === "default" ? "dim" : ""}>
                    {texts.origins[origin.source] ?? origin.source}
                    {origin.source !== "default" && origin.name !== "" && <small>{origin.name}</small>}
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

/** Why the server does not show this. */
export function WhyNotShown({ error }: { readonly error: unknown }) {
  const isKey = error instanceof ApiError && error.code === "key_required"
  return (
    <p class="empty">
      {isKey ? serverTexts.value.noKey : error instanceof Error ? error.message : String(error)}
    </p>
  )
}
