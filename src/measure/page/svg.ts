import { rounded } from "../columns"

/** Text for an HTML or SVG document. */
export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const WIDTH = 720
const ROW = 26
const LABELS = 250
const HEIGHT = 300
const MARGIN = { left: 64, right: 16, top: 16, bottom: 44 } as const

/** Colours that differ in brightness too; the style sheet has them for both themes. */
const SERIES = 8

export interface BarRow {
  readonly label: string
  readonly value: number
  /** The ends of the whisker; absent: none. */
  readonly low?: number
  readonly high?: number
}

/** Horizontal bars from 0 on. */
export function barChart(title: string, unit: string, rows: readonly BarRow[]): string {
  const most = Math.max(...rows.map(({ value, high = value }) => Math.max(value, high)), Number.MIN_VALUE)
  const width = WIDTH - LABELS - 90
  const x = (value: number) => LABELS + (width * Math.max(0, value)) / most
  const parts = rows.map(({ label, value, low, high }, index) => {
    const y = index * ROW + 4
    const middle = y + (ROW - 8) / 2
    const whisker =
      low === undefined || high === undefined
        ? ""
        : `<path class="whisker" d="M${px(x(low))} ${middle}H${px(x(high))}M${px(x(low))} ${middle - 4}v8M${px(x(high))} ${middle - 4}v8"/>`
    return (
      `<text class="label" x="${LABELS - 8}" y="${middle + 4}">${htmlText(shortened(label))}</text>` +
      `<rect class="s0" x="${LABELS}" y="${y}" width="${px(x(value) - LABELS)}" height="${ROW - 8}" rx="2"/>${whisker}` +
      `<text class="value" x="${px(Math.max(x(value), x(high ?? 0)) + 6)}" y="${middle + 4}">${rounded(value)}</text>`
    )
  })
  return figure(title, unit, rows.length * ROW + 8, parts.join(""))
}

export interface Point {
  readonly x: number
  readonly y: number
  readonly low?: number
  readonly high?: number
  /** Shown beside it; absent: nothing. */
  readonly label?: string
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
}

interface PlotOptions {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  /** Whether the points of a series are joined. */
  readonly isLine: boolean
}

/** A line or scatter plot, with both axes from 0 on. */
export function plot({ title, xLabel, yLabel, isLine }: PlotOptions, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points)
  const mostX = niceLimit(Math.max(...points.map(({ x }) => x)))
  const mostY = niceLimit(Math.max(...points.map(({ y, high = y }) => Math.max(y, high))))
  const x = (value: number) => MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * value) / mostX
  const y = (value: number) =>
    HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * value) / mostY
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const [atX, atY] = [x(share * mostX), y(share * mostY)]
    return (
      `<path class="grid" d="M${MARGIN.left} ${px(atY)}H${WIDTH - MARGIN.right}"/>` +
      `<text class="label" x="${MARGIN.left - 6}" y="${px(atY + 4)}">${rounded(share * mostY)}</text>` +
      `<text class="tick" x="${px(atX)}" y="${HEIGHT - MARGIN.bottom + 18}">${rounded(share * mostX)}</text>`
    )
  })
  const drawn = series.map((one, index) => drawSeries(one, index % SERIES, isLine, x, y))
  const axis = `<text class="tick" x="${WIDTH / 2}" y="${HEIGHT - 6}">${htmlText(xLabel)}</text>`
  const legend = series
    .map(({ name }, index) => `<span><i class="s${index % SERIES}"></i>${htmlText(name)}</span>`)
    .join(" ")
  const keys = series.length > 1 || isLine ? `<p class="legend">${legend}</p>` : ""
  return figure(title, yLabel, HEIGHT, grid.join("") + drawn.join("") + axis, keys)
}

function drawSeries(
  { points }: Series,
  color: number,
  isLine: boolean,
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  const sorted = points.toSorted((a, b) => a.x - b.x)
  const path = sorted
    .map((point, index) => `${index === 0 ? "M" : "L"}${px(x(point.x))} ${px(y(point.y))}`)
    .join("")
  const marks = sorted.map(({ x: atX, y: atY, low, high, label }) => {
    const whisker =
      low === undefined || high === undefined
        ? ""
        : `<path class="whisker" d="M${px(x(atX))} ${px(y(Math.max(0, low)))}V${px(y(high))}"/>`
    const name =
      label === undefined
        ? ""
        : `<text class="value" x="${px(x(atX) + 8)}" y="${px(y(atY) - 6)}">${htmlText(shortened(label))}</text>`
    return `${whisker}<circle class="s${color}" cx="${px(x(atX))}" cy="${px(y(atY))}" r="4"/>${name}`
  })
  return (isLine ? `<path class="line l${color}" d="${path}"/>` : "") + marks.join("")
}

function figure(title: string, unit: string, height: number, content: string, after = ""): string {
  return (
    `<figure><figcaption>${htmlText(title)} <small>${htmlText(unit)}</small></figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${htmlText(title)}">${content}</svg>${after}</figure>\n`
  )
}

/** The next of 1, 2, 2.5, 5 and 10 times a power of ten. */
function niceLimit(most: number): number {
  if (!(most > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(most))
  return power * ([1, 2, 2.5, 5, 10].find((step) => most <= step * power) ?? 10)
}

const MOST_LABEL = 38

function shortened(text: string): string {
  return text.length <= MOST_LABEL ? text : `${text.slice(0, MOST_LABEL - 1)}…`
}

function px(value: number): string {
  return String(Math.round(10 * value) / 10)
}
