import { activity, journal, liveError, samples, serverState } from "../api/live"
import { bytesText, durationText, numberText } from "../lib/format"
import { serverTexts } from "../texts/server"
import { Icon } from "../ui/icons"
import { Chart } from "./chart"
import { LoadedModels } from "./loaded-models"
import { RequestTable } from "./request-table"

const SECONDS = 300
const MILLION = 1e6

/** Charts, loaded models, running requests, and what happened. */
export function Overview() {
  const texts = serverTexts.value
  const state = serverState.value
  if (state === undefined)
    return <p class="empty">{liveError.value === undefined ? texts.connecting : texts.noEvents}</p>
  return (
    <>
      {state.problems.length > 0 && (
        <ul class="problems" aria-label={texts.problems}>
          {state.problems.map((problem) => (
            <li key={problem}>
              <Icon name="warning" />
              {problem}
            </li>
          ))}
        </ul>
      )}
      <Charts />
      <LoadedModels />
      <RequestTable />
      <Journal />
    </>
  )
}

function Charts() {
  const texts = serverTexts.value
  const all = samples.value
  const totals = activity.value?.totals
  const memory = serverState.value?.memory
  const total =
    (memory?.system.total_bytes ?? 0) + (memory?.gpus.reduce((sum, gpu) => sum + gpu.total_bytes, 0) ?? 0)
  const share =
    totals && totals.prompt_tokens > 0 ? totals.cached_prompt_tokens / totals.prompt_tokens : undefined
  return (
    <div class="charts">
      <Chart
        title={texts.tokensPerSecond}
        series={[{ label: texts.tokensPerSecond, values: all.map((each) => each.tokensPerSecond) }]}
        length={SECONDS}
        format={(value) => numberText(value, value < 10 && value > 0 ? 1 : 0)}
        least={10}
        note={share === undefined ? undefined : `${texts.cached}: ${numberText(share * 100)} %`}
      />
      <Chart
        title={texts.requests}
        series={[
          { label: texts.running, values: all.map(({ running }) => running) },
          { label: texts.waiting, values: all.map(({ waiting }) => waiting) },
        ]}
        length={SECONDS}
        format={(value) => numberText(value)}
        least={2}
      />
      <Chart
        title={texts.memory}
        series={[{ label: texts.used, values: all.map(({ modelBytes }) => modelBytes) }]}
        length={SECONDS}
        format={bytesText}
        least={500 * MILLION}
        note={texts.ofTotal(bytesText(total))}
      />
      <Chart
        title={texts.firstToken}
        series={[
          { label: texts.median, values: all.map(({ firstToken }) => firstToken?.p50 ?? null) },
          { label: texts.slowest, values: all.map(({ firstToken }) => firstToken?.p95 ?? null) },
        ]}
        length={SECONDS}
        format={durationText}
        least={100}
      />
    </div>
  )
}

function Journal() {
  const texts = serverTexts.value
  const totals = activity.value?.totals
  const state = serverState.value
  return (
    <section class="section">
      <h2>{texts.happened}</h2>
      {journal.value.length === 0 && <p class="note">{texts.nothing}</p>}
      <ol class="journal">
        {journal.value.slice(0, 12).map((entry) => (
          <li key={`${entry.id} ${entry.at}`} class={entry.type}>
            <time dateTime={entry.at}>{new Date(entry.at).toLocaleTimeString()}</time>
            <span>
              <strong>{entry.model}</strong> {texts.journal[entry.type]}
              {entry.ms !== undefined && ` (${durationText(entry.ms)})`}
              {entry.reason !== undefined && `: ${texts.reasons[entry.reason] ?? entry.reason}`}
              {entry.code !== undefined && `: ${entry.code}`}
            </span>
          </li>
        ))}
      </ol>
      {state !== undefined && totals !== undefined && (
        <p class="note">
          {texts.version(state.version, durationText(state.uptime_seconds * 1000))}.{" "}
          {texts.totals(totals.finished, totals.failed)}.
        </p>
      )}
    </section>
  )
}
