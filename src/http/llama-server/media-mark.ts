/** What stands for a picture in the prompt of a native completion, as /props says. Another at each start: texts cannot have it by chance. */
export const MEDIA_MARK = `<__media_${crypto.randomUUID().replaceAll("-", "")}__>`
