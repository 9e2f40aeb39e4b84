import { defineCause } from '../cause.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The CA refuses the e-mail address of the account, often one left over from an example. */
export default defineCause({
  id: 'acme-contact-invalid',
  since: '0.1.0',
  stage: 'account',
  needs: [],
  title: '{acmeHost} refuses the contact e-mail of {issuerKind} {issuer}',
  meaning: 'The account cannot be registered or updated with the address in spec.acme.email, so the issuer does not become ready.',
  remedy: [
    { do: 'See the address.', run: 'kubectl -n {namespace} get {issuerKind} {issuer} -o jsonpath="{.spec.acme.email}"' },
    { do: 'Put in a real address of a public domain (not example.com).', run: 'kubectl -n {namespace} edit {issuerKind} {issuer}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'error:(invalidcontact|invalidemail|unsupportedcontact)|validating contact', confidence: 'proven' },
    { in: everywhere, match: 'contact email|contact scheme|too many contacts|unable to parse email address|invalid (contact|e-?mail)', when: { wrapper: withTheCa }, unless: 'csr', confidence: 'proven' },
    { in: everywhere, match: '\\b(contact|e-?mail)( address)?\\b.{0,60}\\b(not (a )?valid|not (allowed|supported|accepted)|malformed|forbidden|rejected|required)\\b', when: { wrapper: ['account', 'issuer'] }, unless: 'csr', confidence: 'likely' },
    // At registration a malformed request that speaks of contact or mail means the contact.
    { in: everywhere, match: '\\b(contacts?|e-?mail|mailto|mx record)\\b', when: { wrapper: ['account', 'issuer'], problem: ['malformed', 'invalidContact', 'unsupportedContact'] }, unless: 'csr|contact (us|support|your|the)|external account|\\beab\\b', confidence: 'likely' }
  ],
  related: ['acme-account-invalid']
})
