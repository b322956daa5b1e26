/** A file of the web page, in all forms in which it is sent. */
export interface PageFile {
  /** `index.html`, or a name that contains a hash of the content. */
  readonly name: string
  readonly type: string
  /** Identifies the content; not quoted. */
  readonly tag: string
  /** By content coding; a coding that makes the file no smaller is absent. */
  readonly forms: { readonly identity: Blob; readonly gzip?: Blob; readonly br?: Blob }
}

export const INDEX = "index.html"

/** Where the files are served; the page names them by these paths. */
export const FILES_PATH = "/ui/"
