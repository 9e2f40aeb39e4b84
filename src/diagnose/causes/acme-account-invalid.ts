import { defineCause, notApplicable } from '../cause.ts'
import { acceptedByCa, valueIn } from '../reading.ts'
import { everywhere, usedUp, withTheCa } from '../sources.ts'

/**
 * The CA does not accept the account: unknown, switched off, or another key. The issuer often
 * stays Ready, because cert-manager registers once and does not ask again.
 */
export default defineCause({
  id: 'acme-account-invalid',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  wants: ['issuer', 'order'],
  title: '{acmeHost} does not accept the ACME account of {issuerKind} {issuer}',
  meaning: '{why} Every certificate of this issuer is affected.',
  remedy: [
    { do: 'See the account that the issuer uses, and its server.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o yaml' },
    { do: 'See when the account key Secret was made.', run: 'kubectl get secret -A --field-selector metadata.name={accountSecret}' },
    'Restore the Secret of the account key if it was lost or replaced; accept terms or pay at the CA if its text says so.',
    { do: 'Or register anew: delete the account key Secret of the issuer (cluster resource namespace for a ClusterIssuer). External account binding may be needed again.', run: 'kubectl -n {accountNamespace} delete secret {accountSecret}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'exists but is (deactivated|revoked)|account is not valid, has status|account has been deactivated|account in status: (revoked|deactivated)', confidence: 'proven' },
    { in: everywhere, match: 'account (is )?(deactivated|revoked|suspended|disabled)', when: { wrapper: withTheCa }, confidence: 'proven' },
    { in: everywhere, match: 'no account exists with the provided key|\\baccount "[^"]{1,200}" not found|acme: account does not exist|accountdoesnotexist', unless: 'external account', confidence: 'proven' },
    { in: everywhere, match: 'invalid account url|kid .{0,60}prefix|no key id in jws header', confidence: 'proven' },
    { in: everywhere, match: 'account blocked ::|not enough funds|billing_profiles', confidence: 'proven' },
    { in: everywhere, match: 'must agree to terms|terms of service (have|has) changed|provided agreement url|agreementrequired|useractionrequired', confidence: 'proven' },
    { in: everywhere, match: 'disableaccountkeygeneration.{0,60}secret was not found|account private key is invalid|acme private key in .{1,80} is not of type', confidence: 'proven' },
    { in: everywhere, match: 'invalid request signing key|badpublickey|badsignaturealgorithm', unless: 'csr', when: { notWrapper: ['order-finalize'] }, confidence: 'proven' },
    { in: everywhere, match: 'jws verification error', unless: 'external account|eab', confidence: 'likely' },
    { in: everywhere, match: '\\bjws\\b.{0,60}signature|signature.{0,60}\\b(jws|account)\\b|\\bnew key\\b|key is already in use', when: { wrapper: ['order-create', 'account', 'issuer'] }, unless: 'external account|\\beab\\b|\\binner\\b|binding|nonce|jws verification error', confidence: 'likely' },
    // The CA refuses at newOrder with `unauthorized`: a matter of the account, unless the text names another.
    { in: everywhere, match: '.', when: { wrapper: ['order-create', 'account'], problem: ['unauthorized'] }, unless: `acmev1|profile|external account|eab|\\bh?mac\\b|replaced|identifier|domain|\\bsans?\\b|binding|hostname|fqdn|to (request|order|issue|obtain) .{0,40} for |${usedUp}|wildcard|high[- ]risk|lacks sufficient`, confidence: 'likely' },
    // The order or authorization was made by the account that the issuer had before.
    { in: everywhere, match: 'account(?: id)? (?:does not|doesn.t) (?:match|own)\\b|(?:belongs to|owned by|created by|issued to) (?:another|a different|some other) account|not the owner of (?:this|the) (?:order|authorization)', when: { wrapper: withTheCa }, confidence: 'likely' },
    { in: everywhere, match: 'lacks sufficient authorization', when: { wrapper: withTheCa }, unless: 'authorization error for|verify eab', confidence: 'possible' }
  ],
  related: ['acme-eab-rejected'],

  examine ({ hits, issuer, order }) {
    const about = valueIn(issuer)
    const blanks = {
      accountSecret: about?.acme?.accountKeySecret ?? '<account-key-secret>',
      accountNamespace: about?.kind === 'Issuer' ? about.namespace ?? '<namespace>' : '<cluster-resource-namespace>'
    }
    const [best] = hits
    const other = otherServer(about?.acme?.server, about?.acme?.accountUri)
    if (best !== undefined) {
      const why = other ? 'The account that the issuer remembers belongs to another server address than spec.acme.server.' : 'The CA says that the account is unknown, switched off, blocked, or has another key.'
      return { is: 'found', confidence: best.rule.confidence, blanks: { ...blanks, why }, because: other ? [best, 'issuer'] : [best, ...hits.slice(1, 4)] }
    }
    if (acceptedByCa(valueIn(order))) return { is: 'ruled-out', by: ['order'], because: 'The CA accepted the order from this account.' }
    return notApplicable
  }
})

/** The remembered account URI lies on another host, or under another first path than the directory (`/acme/a/` and `/acme/b/`). */
function otherServer (server: string | undefined, accountUri: string | undefined): boolean {
  if (server === undefined || accountUri === undefined || !URL.canParse(server) || !URL.canParse(accountUri)) return false
  const [a, b] = [new URL(server), new URL(accountUri)]
  if (a.host !== b.host) return true
  const [directory, account] = [a.pathname.split('/').slice(1, -1), b.pathname.split('/').slice(1, -1)]
  return directory.length > 1 && account.length > 1 && directory[0] === account[0] && directory[1] !== account[1]
}
