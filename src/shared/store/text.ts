/** PostgreSQL refuses U+0000 in text. */
export const clean = (text: string): string => text.includes('\u0000') ? text.replaceAll('\u0000', '\ufffd') : text
