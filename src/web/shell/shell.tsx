import { effect } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import { connection } from "../api/connection"
import { ChatView } from "../chat"
import { hrefOf, route, type ViewName, VIEWS } from "../lib/route"
import "../lib/theme"
import { language } from "../texts/language"
import { shellTexts } from "../texts/shell"
import { Questions } from "../ui/dialog"
import { Icon } from "../ui/icons"
import { lazy } from "../ui/lazy"
import { Toasts } from "../ui/toasts"
import { KeyDialog } from "./key-dialog"

const ModelsView = lazy(async () => (await import("../models")).ModelsView)
const ImagesView = lazy(async () => (await import("../images")).ImagesView)
const ServerView = lazy(async () => (await import("../server")).ServerView)
const SettingsView = lazy(async () => (await import("../settings")).SettingsView)

effect(() => {
  document.documentElement.lang = language.value
})

export function Shell() {
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        {shellTexts.value.skip}
      </a>
      <div class="shell">
        <Navigation />
        <div class="stage">
          <Banner />
          <Main />
        </div>
      </div>
      <Toasts />
      <Questions />
      <KeyDialog />
    </>
  )
}

function Navigation() {
  const texts = shellTexts.value
  const here = route.value.view
  const state = connection.value
  return (
    <nav class="rail" aria-label={texts.views}>
      <a class="brand" href={hrefOf("chat")} aria-label="xLLM">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M9 10l9 12M18 10L9 22M23 10v12" />
        </svg>
      </a>
      <ul>
        {VIEWS.map((view) => (
          <li key={view}>
            <a href={hrefOf(view)} aria-current={view === here ? "page" : undefined}>
              <Icon name={view} />
              <span>{texts[view]}</span>
            </a>
          </li>
        ))}
      </ul>
      <p class={`connection ${state}`} title={state === "offline" ? texts.offline : texts.online}>
        <span class="unseen">{state === "offline" ? texts.offline : texts.online}</span>
      </p>
    </nav>
  )
}

function Banner() {
  const isOffline = connection.value === "offline"
  return (
    <div role="alert">
      {isOffline && (
        <p class="banner">
          <Icon name="warning" />
          {shellTexts.value.offlineLong}
        </p>
      )}
    </div>
  )
}

function Main() {
  const { view } = route.value
  const main = useRef<HTMLElement>(null)
  const shown = useRef<ViewName>(view)
  useEffect(() => {
    document.title = view === "chat" ? "xLLM" : `${shellTexts.value[view]} – xLLM`
    // Keyboards and screen readers go on in the view, not in the link that led to it.
    if (shown.current !== view) main.current?.focus()
    shown.current = view
  }, [view, language.value])
  return (
    <main id="main" tabIndex={-1} ref={main}>
      {viewOf(view)}
    </main>
  )
}

function viewOf(view: ViewName) {
  switch (view) {
    case "chat":
      return <ChatView />
    case "models":
      return <ModelsView />
    case "images":
      return <ImagesView />
    case "server":
      return <ServerView />
    case "settings":
      return <SettingsView />
    default:
      return view satisfies never
  }
}

/** The address holds the view, so the link's own target must not become part of it. */
function skipToMain(event: Event): void {
  event.preventDefault()
  document.getElementById("main")?.focus()
}
