export {} // makes this file a module, which may await

/** Prints "PASSED FAILED" for a JUnit report of `bun test`; skipped tests count as neither. */
const report = await Bun.file(process.argv[2] ?? "").text()
const totals = /<testsuites\b[^>]*>/.exec(report)?.[0]
if (totals === undefined) throw new Error("this is no JUnit report")
const failed = count("failures") + count("errors")
console.log(`${count("tests") - failed - count("skipped")} ${failed}`)

function count(attribute: string): number {
  return Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(totals ?? "")?.[1] ?? 0)
}
