import { defineCause, notApplicable } from '../cause.ts'
import { acceptedByCa, isAboutAcmeServer, valueIn } from '../reading.ts'
import { everywhere } from '../sources.ts'

/** cert-manager does not accept the TLS certificate that the ACME server, or something in between, shows. */
export default defineCause({
  id: 'acme-server-untrusted',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  wants: ['issuer', 'directory', 'order'],
  title: 'cert-manager does not trust the TLS certificate of {acmeHost}',
  meaning: '{what} A private CA needs its root in the issuer (caBundle); with a public CA, something in between intercepts TLS.',
  remedy: [
    { do: 'See who signed the certificate that is shown.', run: 'openssl s_client -connect {acmeHost}:443 -showcerts </dev/null' },
    { do: 'See what the issuer trusts.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme}"' },
    'Private ACME server: put its root certificate, base64 of the PEM, into spec.acme.caBundle of the issuer.',
    'Public CA: take cert-manager out of TLS inspection, or mount the root of the inspecting proxy into cert-manager.'
  ],
  texts: [
    { in: everywhere, match: 'x509: certificate signed by unknown authority|x509: cannot validate certificate|certificate is not trusted', confidence: 'proven' },
    { in: everywhere, match: 'x509: certificate is (valid for|not valid for)|x509: certificate relies on legacy common name|x509: .{0,80}(not standards compliant|invalid)', confidence: 'proven' },
    { in: everywhere, match: 'x509: certificate has expired or is not yet valid.{0,80} is after', confidence: 'likely' },
    { in: everywhere, match: 'tls: failed to verify certificate', unless: 'is (before|after)|unknown authority|valid for|cannot validate|legacy common name|compliant', confidence: 'proven' }
  ],
  related: ['acme-server-unreachable', 'clock-skew'],

  examine ({ hits, issuer, directory, order }) {
    const about = valueIn(issuer)
    const mine = hits.filter(({ text }) => isAboutAcmeServer(text, about))
    const [best] = mine
    if (best !== undefined) {
      const what = /is after/i.test(best.text.whole) ? 'The certificate has expired.' : /valid for/i.test(best.text.whole) ? 'The certificate is for another name.' : 'The certificate is signed by an authority that cert-manager does not know.'
      return { is: 'found', confidence: best.rule.confidence, blanks: { what }, because: [best, ...mine.slice(1, 4)] }
    }
    if (acceptedByCa(valueIn(order))) return { is: 'ruled-out', by: ['order'], because: 'The CA accepted the order over TLS.' }
    const seen = valueIn(directory)
    if (seen?.trusted !== false || about?.acme?.skipTLSVerify === true) return notApplicable
    const stuck = about?.ready?.status === 'False' || valueIn(order)?.state === ''
    return { is: 'found', confidence: stuck ? 'likely' : 'possible', blanks: { what: 'The certificate is not trusted from here either.' }, because: ['directory'] }
  }
})
