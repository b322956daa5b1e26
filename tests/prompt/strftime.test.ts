import { expect, test } from "bun:test"
import { strftime } from "../../src/prompt/strftime"

const afternoon = new Date(2024, 2, 5, 15, 7, 9)
const midnight = new Date(2023, 11, 31, 0, 0, 0)

test.each([
  ["%Y-%m-%d", "2024-03-05", "2023-12-31"],
  ["%d %b %Y", "05 Mar 2024", "31 Dec 2023"],
  ["%A, %B %-d", "Tuesday, March 5", "Sunday, December 31"],
  ["%a %e %y", "Tue  5 24", "Sun 31 23"],
  ["%H:%M:%S", "15:07:09", "00:00:00"],
  ["%I %p", "03 PM", "12 AM"],
  ["%-I:%-M", "3:7", "12:0"],
  ["%j", "065", "365"],
  ["100%% %Q", "100% %Q", "100% %Q"],
])("%s", (format, first, second) => {
  expect(strftime(afternoon, format)).toBe(first)
  expect(strftime(midnight, format)).toBe(second)
})
