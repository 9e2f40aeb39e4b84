import { defineCause, notApplicable } from '../cause.ts'
import { hasBug, knownBugs } from '../known-bugs.ts'

/** The running version has a defect that produces exactly this; the table is in known-bugs.ts. */
export default defineCause({
  id: 'cert-manager-known-bug',
  since: '0.1.0',
  stage: 'controller',
  needs: [],
  wants: ['issuer', 'controller', 'challenge'],
  variants: knownBugs.map(({ issue }) => issue),
  title: 'cert-manager {version} has a known defect that fits: {what}',
  meaning: '{what}. See {link}. Fixed in {fixedIn}.',
  remedy: [
    { do: 'See the running version.', run: 'kubectl -n {certManagerNamespace} get deployment -o wide' },
    { do: 'Upgrade cert-manager past the fix.', run: 'helm upgrade cert-manager jetstack/cert-manager -n {certManagerNamespace} --reuse-values', changes: true },
    { do: 'Until then: start over; the defect need not strike again.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: knownBugs.map(({ issue, match, unless, in: sources, confidence }) => ({ in: sources, match, unless, confidence, variant: issue })),
  related: ['acme-server-unreachable'],

  examine ({ hits, case: incident }) {
    for (const bug of knownBugs) {
      const [best, ...rest] = hits.filter(({ rule }) => rule.variant === bug.issue)
      if (best === undefined || !hasBug(bug, incident)) continue
      const fact = bug.also?.(incident)
      if (bug.also !== undefined && fact === undefined) continue
      const link = bug.issue === 'none' ? 'the issues of cert-manager' : `https://github.com/cert-manager/cert-manager/issues/${bug.issue}`
      return { is: 'found', confidence: bug.confidence, variant: bug.issue, blanks: { what: bug.what, link, fixedIn: bug.fixedIn }, because: fact === 'issuer' ? [best, 'issuer'] : [best, ...rest.slice(0, 3)] }
    }
    return notApplicable
  }
})
