/**
 * Prints "PASSED FAILED SKIPPED" for a JUnit report of `bun test`. A skipped test whose full name, including its
 * groups, matches none of the patterns counts as failed and is printed on stderr: a test that silently stops running
 * is as bad as one that fails. Usage: count-tests.ts REPORT [PATTERN…]
 */
const [file = "", ...patterns] = process.argv.slice(2)
const report = await Bun.file(file).text()
const totals = /<testsuites\b[^>]*>/.exec(report)?.[0]
if (totals === undefined) throw new Error("this is not a JUnit report")

const isExpected = (name: string) => patterns.some((pattern) => new RegExp(pattern).test(name))
const unexpected = skippedTests(report).filter((name) => !isExpected(name))
for (const name of unexpected) console.error(`skipped without a known reason: ${name}`)

const failed = count("failures") + count("errors")
const skipped = count("skipped")
console.log(
  `${count("tests") - failed - skipped} ${failed + unexpected.length} ${skipped - unexpected.length}`,
)

function count(attribute: string): number {
  return Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(totals ?? "")?.[1] ?? 0)
}

/** Names of skipped tests, each prefixed with those of its groups. */
function skippedTests(xml: string): readonly string[] {
  return [...xml.matchAll(/<testcase\b([^>]*[^/])>\s*<skipped\b/g)].map(([, attributes = ""]) => {
    const value = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? ""
    return `${value("classname")} > ${value("name")}`
  })
}

export {}
