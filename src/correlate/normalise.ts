/**
 * The same complaint with what changes from one try to the next taken out: random object names,
 * tokens, request ids, source ports, times and durations. For folding and comparing, not for reading.
 */
export function normalise (text: string): string {
  return text.slice(0, 4096)
    .replaceAll(/cm-acme-http-solver-[a-z0-9]{5}\b/g, 'cm-acme-http-solver-*')
    .replaceAll(/\/\.well-known\/acme-challenge\/[\w-]+/g, '/.well-known/acme-challenge/*')
    .replaceAll(/\b(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):\d{2,5}->/g, '$1:*->')
    .replaceAll(/\b(request id|requestid|request-id|x-ms-correlation-request-id|trace id|correlation id|timestamp)(["']?[:=]? ?)[\w-]{6,}/gi, '$1$2*')
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, '*')
    .replaceAll(/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z| UTC| \+0000 UTC)?/g, '*')
    .replaceAll(/\bassumed-role\/([\w.-]+)\/\d{6,}/g, 'assumed-role/$1/*')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
