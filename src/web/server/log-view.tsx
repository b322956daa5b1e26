import { useEffect, useRef, useState } from "preact/hooks"
import { getJson } from "../api/client"
import { serverTexts } from "../texts/server"
import { Switch } from "../ui/field"
import { WhyNotShown } from "./settings-table"

const PAUSE_MS = 2000

/** The newest lines of the log. */
export function LogView() {
  const texts = serverTexts.value
  const [lines, setLines] = useState<readonly string[] | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  const [isFollowed, follow] = useState(true)
  const box = useRef<HTMLOListElement>(null)
  useEffect(() => {
    const leaving = new AbortController()
    const load = () =>
      getJson<{ readonly lines: readonly string[] }>("/v0/log", leaving.signal).then(
        (body) => {
          setLines(body.lines)
          setError(undefined)
        },
        (reason: unknown) => leaving.signal.aborted || setError(reason),
      )
    void load()
    const timer = isFollowed
      ? setInterval(() => document.visibilityState === "visible" && void load(), PAUSE_MS)
      : undefined
    return () => {
      clearInterval(timer)
      leaving.abort()
    }
  }, [isFollowed])
  useEffect(() => {
    if (isFollowed && box.current !== null) box.current.scrollTop = box.current.scrollHeight
  }, [lines, isFollowed])
  if (error !== undefined && lines === undefined) return <WhyNotShown error={error} />
  return (
    <section class="section">
      <div class="filters">
        <p class="note">{texts.logNote}</p>
        <Switch label={texts.follow} checked={isFollowed} onChange={follow} />
      </div>
      {lines?.length === 0 && <p class="empty">{texts.emptyLog}</p>}
      <ol class="log" ref={box} tabIndex={0} aria-label={texts.log}>
        {(lines ?? []).map((line, index) => {
          const entry = readLine(line)
          return (
            <li key={index} class={entry.level}>
              {entry.time !== "" && <time>{entry.time}</time>}
              {entry.level !== "" && <b>{entry.level}</b>}
              <span>{entry.text}</span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}

/** A line in either of the log's formats. */
function readLine(line: string): { readonly time: string; readonly level: string; readonly text: string } {
  const pretty = /^(\d\d:\d\d:\d\d\.\d+) (\w+) +(.*)$/s.exec(line)
  if (pretty !== null) return { time: pretty[1] ?? "", level: pretty[2] ?? "", text: pretty[3] ?? "" }
  try {
    const { time, level, event, ...fields }: Readonly<Record<string, unknown>> = JSON.parse(line)
    const rest = Object.entries(fields).map(([name, value]) => `${name}=${textOf(value)}`)
    const clock = typeof time === "string" ? new Date(time).toLocaleTimeString() : ""
    return { time: clock, level: String(level ?? ""), text: [String(event ?? ""), ...rest].join("  ") }
  } catch {
    return { time: "", level: "", text: line }
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value)
}
