/**
 * Takes secrets out of text on its way to people or disk: by shape, and by known value.
 * Every text that leaves the program passes here; cluster text is other people's data.
 */
const shapes: { pattern: RegExp, by: string }[] = [
  // key authorization: <token>.<thumbprint>, before anything shorter matches inside it
  { pattern: /\b[\w-]{43}\.[\w-]{43}\b/g, by: '<key authorization>' },
  { pattern: /(\/\.well-known\/acme-challenge\/)[\w-]{16,}/g, by: '$1<token>' },
  { pattern: /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, by: '<jwt>' },
  { pattern: /([?&](?:jwt|token|access_token|sig|signature|key)=)[^&\s"']+/gi, by: '$1<redacted>' },
  { pattern: /\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}/gi, by: '$1<redacted>' },
  { pattern: /(:\/\/[^\s:/@]+:)[^\s@/]+@/g, by: '$1<redacted>@' },
  { pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, by: '<aws key id>' },
  { pattern: /\bxox[abpors]-[\w-]{10,}/g, by: '<slack token>' },
  { pattern: /\bgh[pousr]_\w{30,}/g, by: '<github token>' },
  { pattern: /-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g, by: '<pem block>' },
  { pattern: /\b((?:api[-_]?key|api[-_]?token|secret[-_]?key|client[-_]?secret|password|passwd)["']?\s*[:=]\s*["']?)[^\s"',;}]{6,}/gi, by: '$1<redacted>' }
]

/** `text` without secrets. `known` are values to remove literally (tokens of challenges, configured credentials). */
export function redactText (text: string, known: readonly string[] = []): string {
  let out = text
  for (const value of known) if (value.length >= 8) out = out.replaceAll(value, '<redacted>')
  for (const { pattern, by } of shapes) out = out.replaceAll(pattern, by)
  return out
}
