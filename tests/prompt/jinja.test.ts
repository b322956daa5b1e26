import { describe, expect, test } from "bun:test"
import { JinjaTemplate, TemplateRaised } from "../../src/prompt/jinja"

const run = (source: string, variables: Record<string, unknown> = {}): string =>
  new JinjaTemplate(source).run(new Map(Object.entries(variables)), new Date(2024, 0, 1))

describe("what templates use and the interpreter alone does not know:", () => {
  test.each([
    ["the text of a mapping", "{{ {'a': [1, 'x']} | string }}", '{"a": [1, "x"]}'],
    ["the text of anything else", "{{ 'x' | string }}{{ 5 | string }}{{ true | string }}", "x5true"],
    ["the least and the most", "{{ [3, 1, 2] | min }}{{ [3, 1, 2] | max }}", "13"],
    ["tuples in loops", "{% for a, b in [('x', 1), ('y', 2)] %}{{ a }}{{ b }}{% endfor %}", "x1y2"],
    ["several names at once", "{% set a, b = ('x', 'y') %}{{ b }}{{ a }}", "yx"],
    ["numbers as keys", "{% for k, v in {1: 'x', 2: 'y'}.items() %}{{ k }}{{ v }}{% endfor %}", "1x2y"],
    ["loops over nothing", "{% for x in missing %}{{ x }}{% else %}none{% endfor %}", "none"],
    ["loops over a part of nothing", "{% for x in missing if x %}{{ x }}{% else %}none{% endfor %}", "none"],
    ["formatted text", "{{ '<{}:{}>'.format('a', 2) }}{{ '{1}{0}{{}}'.format('a', 'b') }}", "<a:2>ba{}"],
    [
      "lists that change",
      "{% set n = namespace(l=[]) %}{% set _ = n.l.append('a') %}{% set _ = n.l.append({'k': 'b'}) %}" +
        "{{ n.l | length }}{{ n.l.pop(0) }}{{ n.l.pop().k }}{{ n.l | length }}",
      "2ab0",
    ],
    ["texts in order", "{{ 'a' < 'b' }}{{ 'b' <= 'a' }}{{ 2 > 1 }}{{ 1.5 >= 2 }}", "truefalsetruefalse"],
    [
      "numbers as keys that are compared",
      "{% for k in {512: 1} %}{{ 100 <= k }}{{ k < 100 }}{% endfor %}",
      "truefalse",
    ],
    ["membership in a tuple", "{{ 'b' in ('a', 'b') }}", "true"],
    [
      "ranges",
      "{{ range(3) | join(',') }};{{ range(1, 7, 2) | join(',') }};{{ range(2, 0, -1) | join(',') }}",
      "0,1,2;1,3,5;2,1",
    ],
  ])("%s", (_, source, expected) => {
    expect(run(source)).toBe(expected)
  })
})

test("a template's own refusal is told apart from a failure", () => {
  expect(() => run("{{ raise_exception('not so') }}")).toThrow(new TemplateRaised("not so"))
  try {
    run("{{ missing.method() }}")
    throw new Error("it ran")
  } catch (error) {
    expect(error).not.toBeInstanceOf(TemplateRaised)
    expect(String(error)).toContain("not a function")
  }
})

test("a range too long for memory is refused", () => {
  expect(run("{{ range(100000) | length }}")).toBe("100000")
  expect(() => run("{{ range(100001) }}")).toThrow("more than 100000")
  expect(() => run("{{ range(0, 10, 0) }}")).toThrow("step")
})

test("a template runs any number of times with other variables", () => {
  const template = new JinjaTemplate("{% set x = x + 1 %}{{ x }}")
  const now = new Date(0)
  expect(template.run(new Map([["x", 1]]), now)).toBe("2")
  expect(template.run(new Map([["x", 5]]), now)).toBe("6")
})
