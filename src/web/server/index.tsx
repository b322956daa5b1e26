import { useLive } from "../api/live"
import { hrefOf, route } from "../lib/route"
import { serverTexts } from "../texts/server"
import { Page } from "../ui/page"
import { LogView } from "./log-view"
import { Overview } from "./overview"
import { SettingsTable } from "./settings-table"

/** What the server does now, its settings, and its log. */
export function ServerView() {
  useLive()
  const texts = serverTexts.value
  const { detail } = route.value
  const here = detail === "settings" || detail === "log" ? detail : "overview"
  const parts = { overview: "", settings: "settings", log: "log" } as const
  return (
    <Page
      title={texts.title}
      actions={
        <nav class="tabs" aria-label={texts.sections}>
          {(["overview", "settings", "log"] as const).map((part) => (
            <a
              key={part}
              href={hrefOf("server", parts[part])}
              aria-current={part === here ? "page" : undefined}
            >
              {texts[part]}
            </a>
          ))}
        </nav>
      }
    >
      {here === "overview" && <Overview />}
      {here === "settings" && <SettingsTable />}
      {here === "log" && <LogView />}
    </Page>
  )
}
