/** Edited text arranged in terminal rows. */
export interface Layout {
  readonly rows: readonly string[]
  readonly cursorRow: number
  readonly cursorColumn: number
}

export interface LayoutOptions {
  readonly prompt: string
  /** The prompt of continuation lines. */
  readonly continued: string
  readonly text: string
  readonly cursor: number
  /** The terminal's width; at least 2, so that a wide character fits. */
  readonly columns: number
}

const segmenter = new Intl.Segmenter()
const TAB = "    "

/**
 * Breaks prompt and text into rows itself, so that the terminal's behaviour at its right edge does not matter. After
 * a full row the cursor is at the beginning of the next one.
 */
export function layOutLine({ prompt, continued, text, cursor, columns }: LayoutOptions): Layout {
  const rows: string[] = []
  let row = ""
  let width = 0
  let place: Pick<Layout, "cursorRow" | "cursorColumn"> | undefined
  const endRow = () => {
    rows.push(row)
    row = ""
    width = 0
  }
  const put = (cell: string) => {
    const cells = cell.length === 1 && cell < "\x7f" ? 1 : Bun.stringWidth(cell)
    if (width + cells > columns) endRow()
    row += cell
    width += cells
  }
  const putAll = (cells: string) => {
    for (const { segment } of segmenter.segment(cells)) put(segment)
  }
  putAll(prompt)
  let at = 0
  for (const { segment } of segmenter.segment(text)) {
    if (at >= cursor) place ??= here(rows, width, columns)
    at += segment.length
    if (segment === "\n") {
      endRow()
      putAll(continued)
    } else put(shown(segment))
  }
  if (place === undefined && width >= columns) endRow()
  place ??= { cursorRow: rows.length, cursorColumn: width }
  rows.push(row)
  return { rows, ...place }
}

function here(rows: readonly string[], width: number, columns: number) {
  return width >= columns
    ? { cursorRow: rows.length + 1, cursorColumn: 0 }
    : { cursorRow: rows.length, cursorColumn: width }
}

/** A visible replacement for characters that would move the cursor. */
function shown(segment: string): string {
  if (segment === "\t") return TAB
  return /[\x00-\x1f\x7f-\x9f]/.test(segment) ? "\ufffd" : segment
}

/** The part of a layout around the cursor that fits a terminal of `height` rows. */
export function clip({ rows, cursorRow, cursorColumn }: Layout, height: number): Layout {
  if (rows.length <= height) return { rows, cursorRow, cursorColumn }
  const first = Math.min(Math.max(0, cursorRow - height + 1), rows.length - height)
  return { rows: rows.slice(first, first + height), cursorRow: cursorRow - first, cursorColumn }
}

/** The cursor's row after a resized terminal has rewrapped the rows. */
export function rowAfterResize({ rows, cursorRow, cursorColumn }: Layout, columns: number): number {
  const above = rows.slice(0, cursorRow)
  return above.reduce(
    (sum, row) => sum + Math.max(1, Math.ceil(Bun.stringWidth(row) / columns)),
    Math.floor(cursorColumn / columns),
  )
}
