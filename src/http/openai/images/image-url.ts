import { IMAGES_PATH } from "../../image-files/route"

/**
 * The address of an image for the client that asked for it: below `publicUrl`, or else where the request was sent. Its
 * Host has been checked by then; that the client speaks TLS to a proxy cannot be seen from here, so a server behind one
 * needs `publicUrl`.
 */
export function imageUrl(name: string, request: Request, publicUrl: string | null): string {
  const host = request.headers.get("host") ?? URL.parse(request.url)?.host ?? "localhost"
  return `${publicUrl ?? `http://${host}`}${IMAGES_PATH}${name}`
}
