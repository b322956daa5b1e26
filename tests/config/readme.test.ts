import { expect, test } from "bun:test"
import { join } from "node:path"
import { settingsTable } from "../support/settings-table"

const README = join(import.meta.dir, "../../README.md")

/** The cells of each row of the first table below a heading, without what Markdown adds to them. */
function tableBelow(heading: string, text: string): readonly (readonly string[])[] {
  const lines = text.slice(text.indexOf(heading)).split("\n")
  const start = lines.findIndex((line) => line.startsWith("|"))
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"))
  const rows = lines.slice(start, end).filter((line) => !/^\|[\s|:-]*$/.test(line))
  return rows.map((row) =>
    row
      .slice(1, row.lastIndexOf("|"))
      .split(/(?<!\\)\|/)
      .map(plain),
  )
}

function plain(cell: string): string {
  return cell.replaceAll("\\", "").trim()
}

test("the README lists every setting as it is", async () => {
  const text = await Bun.file(README).text()
  expect(tableBelow("### Settings", text)).toEqual(settingsTable().map((row) => row.map(plain)))
})
