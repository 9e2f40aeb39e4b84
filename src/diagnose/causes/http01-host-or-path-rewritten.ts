import { defineCause, notApplicable } from '../cause.ts'
import { claimName, http01Facts, isForeignAnswer, readHttp01, settingOf } from '../http01.ts'
import { valueIn } from '../reading.ts'

/** The request reaches the solver, but with another Host or path than the CA sent, so the solver turns it away. */
export default defineCause({
  id: 'http01-host-or-path-rewritten',
  since: '0.1.0',
  stage: 'present',
  needs: [],
  wants: [...http01Facts, 'routing'],
  title: 'A proxy changes the {part} of the challenge request for {dnsName} before the solver sees it',
  meaning: 'The solver answers only for its own host and path. It got {seen}, so it said 404. {where}.',
  remedy: [
    { do: 'See what the solver gets.', run: 'kubectl -n {namespace} logs -l acme.cert-manager.io/http01-solver=true --tail=50' },
    'Keep the Host header (Kong: konghq.com/preserve-host "true"; proxies: preserve host) and the path (no rewrite-target, strip-path or prefix) for /.well-known/acme-challenge/.'
  ],
  texts: [
    { in: ['log'], match: '\\binvalid host\\b', confidence: 'likely', unless: 'redirect|header|dns name' },
    { in: ['log'], match: '\\binvalid (base_path|token)\\b', confidence: 'possible', unless: 'csrf|bearer|jwt' }
  ],
  related: ['http01-other-backend-answers', 'http01-ingress-host-conflict'],

  examine ({ hits, routing, ...rest }) {
    const reading = readHttp01(rest)
    if (reading.servedOutside && !reading.asked) return { is: 'ruled-out', by: ['probeFromOutside'] }
    const setting = settingOf(valueIn(routing), 'rewrite')
    const where = setting === undefined ? 'Which proxy does it could not be seen' : `${claimName(setting.claim)} has ${setting.field}=${setting.value}`
    const own = setting === undefined ? [] : ['routing' as const]
    // Health checks ask the solver for other paths, too: without a rewriting rule in sight that says nothing.
    const best = hits.find(({ text, rule }) => text.evidence.ref.includes('cm-acme-http-solver') && (rule.confidence === 'likely' || setting !== undefined))
    if (best !== undefined) {
      const host = /"?\bhost"?[=:]\s*"?([^"\s,}]+)/i.exec(best.text.whole.replaceAll(/expected_host"?[=:]\s*"?[^"\s,}]+/gi, ''))?.[1]
      const byHost = /invalid host/i.test(best.text.whole)
      return { is: 'found', confidence: 'likely', blanks: { part: byHost ? 'Host' : 'path', seen: byHost ? host === undefined ? 'another Host' : `the Host ${host}` : 'another path', where }, because: reading.selfCheck === undefined ? [best, ...own] : [best, reading.selfCheck.cite, ...own] }
    }
    if (setting === undefined || !isForeignAnswer(reading.failure) || reading.failure === undefined) return notApplicable
    return { is: 'found', confidence: setting.claim.solver || setting.claim.wins ? 'likely' : 'possible', blanks: { part: 'path', seen: `what ${setting.field} makes of it`, where }, because: [reading.failure.cite, 'routing'] }
  }
})
