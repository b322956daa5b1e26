import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
import { serverTexts } from "../texts/server"

interface Series {
  readonly label: string
  /** `null`: there was none at that time. */
  readonly values: readonly (number | null)[]
}

interface ChartProps {
  readonly title: string
  readonly series: readonly Series[]
  /** Points that the chart has room for; the newest is at the right. */
  readonly length: number
  readonly format: (value: number) => string
  /** The top of the scale is at least this. */
  readonly least: number
  /** Below the title, in place of the newest values. */
  readonly note?: ComponentChildren
}

const WIDTH = 300
const HEIGHT = 80

/** Lines over the last minutes. What they show at the pointer, or now, stands above them as text. */
export function Chart({ title, series, length, format, least, note }: ChartProps) {
  const [at, setAt] = useState<number | undefined>(undefined)
  const texts = serverTexts.value
  const shown = series.map(({ values }) => values.slice(-length))
  const count = Math.max(0, ...shown.map((values) => values.length))
  const top = niceTop(Math.max(least, ...shown.flat().map((value) => value ?? 0)))
  const index = at === undefined ? count - 1 : Math.min(count - 1, Math.max(0, at - (length - count)))
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <ul>
          {series.map(({ label }, number) => (
            <li key={label} class={`series-${number + 1}`}>
              {series.length > 1 && <span>{label}</span>}
              <strong>{textAt(shown[number]?.[index], format)}</strong>
            </li>
          ))}
          {note !== undefined && <li class="chart-note">{note}</li>}
        </ul>
      </figcaption>
      <div
        class="plot"
        onPointerMove={({ currentTarget, clientX }) => {
          const { left, width } = currentTarget.getBoundingClientRect()
          setAt(Math.round(((clientX - left) / width) * (length - 1)))
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="grid" d={`M0 .5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}`} />
          {shown.map((values, number) => (
            <g key={series[number]?.label} class={`series-${number + 1}`}>
              <path class="area" d={areaOf(values, length, top)} />
              <path class="line" d={lineOf(values, length, top)} />
            </g>
          ))}
          {at !== undefined && count > 0 && (
            <path class="cursor" d={`M${xOf(index + length - count, length)} 0V${HEIGHT}`} />
          )}
        </svg>
        <span class="scale" aria-hidden="true">
          {format(top)}
        </span>
      </div>
      <p class="times" aria-hidden="true">
        <span>{texts.ago}</span>
        <span>{texts.now}</span>
      </p>
    </figure>
  )
}

function textAt(value: number | null | undefined, format: (value: number) => string): string {
  return value == null ? "–" : format(value)
}

function xOf(place: number, length: number): string {
  return ((place / (length - 1)) * WIDTH).toFixed(1)
}

/** The parts of a line between gaps, each as `x,y` pairs. */
function partsOf(values: readonly (number | null)[], length: number, top: number): readonly string[][] {
  const parts: string[][] = [[]]
  for (const [index, value] of values.entries()) {
    if (value === null) parts.push([])
    else {
      const y = (HEIGHT - 1 - (value / top) * (HEIGHT - 4)).toFixed(1)
      parts.at(-1)?.push(`${xOf(length - values.length + index, length)} ${y}`)
    }
  }
  return parts.filter((part) => part.length > 0)
}

function lineOf(values: readonly (number | null)[], length: number, top: number): string {
  return partsOf(values, length, top)
    .map((part) => `M${part.join("L")}`)
    .join("")
}

function areaOf(values: readonly (number | null)[], length: number, top: number): string {
  return partsOf(values, length, top)
    .map((part) => {
      const first = part[0]?.split(" ")[0] ?? "0"
      const last = part.at(-1)?.split(" ")[0] ?? "0"
      return `M${first} ${HEIGHT}L${part.join("L")}L${last} ${HEIGHT}Z`
    })
    .join("")
}

/** The next of 1, 2, 5, 10, 20, …: the scale does not change with every value. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}
