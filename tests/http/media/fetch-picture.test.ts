import { afterAll, describe, expect, test } from "bun:test"
import { fetchPicture } from "../../../src/http/read/media/fetch-picture"
import { isPublicAddress } from "../../../src/http/read/media/public-address"
import { failure } from "../../support/failure"

const server: Bun.Server<undefined> = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request: Request): Response {
    const { pathname } = new URL(request.url)
    switch (pathname) {
      case "/picture":
        return new Response(`of ${request.headers.get("host")}`)
      case "/large":
        return new Response("x".repeat(2000))
      case "/loop":
        return Response.redirect("/loop", 302)
      case "/moved":
        return Response.redirect(`http://pictures.example:${server.port}/picture`, 301)
      case "/inside":
        return Response.redirect("http://secret.example/", 302)
      case "/file":
        return new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } })
      default:
        return new Response("no", { status: 404 })
    }
  },
})
afterAll(() => void server.stop(true))

/** Names that only this test knows; the one with a secret is inside. */
const options = {
  maxBytes: 1000,
  resolve: async (host: string) => [
    { address: host === "secret.example" ? "10.0.0.1" : "127.0.0.1", family: 4 },
  ],
  isAllowed: (address: string) => address === "127.0.0.1",
}
const load = (path: string) => fetchPicture("url", `http://pictures.example:${server.port}${path}`, options)
const textOf = async (path: string) => new TextDecoder().decode(await load(path))

describe("a picture from the web", () => {
  test("is loaded from the address that was checked, under its own name", async () => {
    expect(await textOf("/picture")).toBe(`of pictures.example:${server.port}`)
    expect(await textOf("/moved")).toBe(`of pictures.example:${server.port}`)
  })

  test.each([
    ["/large", "url cannot be loaded: it has more than 1000 bytes"],
    ["/loop", "url cannot be loaded: it is redirected more than 3 times"],
    ["/inside", "url cannot be loaded: secret.example is not a host of the public internet"],
    ["/file", "url cannot be loaded: it leads to a file: URL"],
    ["/none", "url cannot be loaded: its server answered with status 404"],
  ])("is refused: %s", async (path, message) => {
    expect(await failure(load(path))).toMatchObject({ status: 400, message })
  })

  test("is not loaded from this machine", async () => {
    for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]) {
      const error = await failure(
        fetchPicture("url", `http://${host}:${server.port}/picture`, { maxBytes: 1000 }),
      )
      expect(error).toMatchObject({
        message: expect.stringContaining("is not a host of the public internet"),
      })
    }
  })

  test("is not loaded from a host that is both inside and outside", async () => {
    const resolve = async () => [
      { address: "127.0.0.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ]
    const error = await failure(fetchPicture("url", "http://both.example/", { ...options, resolve }))
    expect(error).toMatchObject({ message: expect.stringContaining("both.example is not a host") })
  })
})

test.each([
  ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.1.1"],
  ...["198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:8.8.8.8", "fc00::1", "fe80::1"],
  ...["64:ff9b::7f00:1", "2001::1", "2001:db8::1", "2002:7f00:1::", "ff02::1", "localhost", ""],
])("%p is no address of the public internet", (address) => {
  expect(isPublicAddress(address)).toBeFalse()
})

test.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001:81b::200e"])(
  "%p is an address of the public internet",
  (address) => {
    expect(isPublicAddress(address)).toBeTrue()
  },
)
