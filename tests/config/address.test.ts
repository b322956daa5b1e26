import { describe, expect, test } from "bun:test"
import { clientUrl, parseAddress } from "../../src/config/address"

describe("parseAddress", () => {
  test.each([
    ["box", false, "box", undefined],
    ["box:8080", false, "box", 8080],
    ["box:80", false, "box", 80],
    [":8080", false, "127.0.0.1", 8080],
    ["http://box:8080/", false, "box", 8080],
    ["http://box", false, "box", 80],
    ["https://box", true, "box", 443],
    ["0.0.0.0", false, "0.0.0.0", undefined],
    ["::", false, "::", undefined],
    ["::1", false, "::1", undefined],
    ["[::1]:8080", false, "::1", 8080],
    [" box ", false, "box", undefined],
  ])("%p", (given, tls, hostname, port) => {
    expect(parseAddress(given, "--host")).toEqual({ tls, hostname, port })
  })

  test.each(["", "box:port", "box:99999", "ftp://box", "http://", "a b"])("%p is refused", (given) => {
    expect(() => parseAddress(given, "XLLM_HOST")).toThrow(
      `XLLM_HOST must be HOST, HOST:PORT or a URL, got '${given}'`,
    )
  })
})

describe("clientUrl", () => {
  test.each([
    ["0.0.0.0", "http://127.0.0.1:1"],
    ["::", "http://[::1]:1"],
    ["::1", "http://[::1]:1"],
    ["box", "http://box:1"],
    ["https://box", "https://box:1"],
  ])("a server on %p is reached at %p", (given, url) => {
    expect(clientUrl(parseAddress(given, "--host"), 1)).toBe(url)
  })
})
