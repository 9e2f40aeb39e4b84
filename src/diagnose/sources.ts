import type { Source } from '../shared/types/common.ts'
import type { Wrapper } from '../shared/types/case.ts'

/** Every place in which the words of the CA or of cert-manager about an attempt may stand. */
export const everywhere: Source[] = ['certificate', 'request', 'order', 'challenge', 'issuer', 'event', 'log', 'acme']

/** As `everywhere`, and objects that are not part of the chain (Ingress, Pod, APIService …). */
export const andObjects: Source[] = [...everywhere, 'object']

/** Where cert-manager says what happened while it talked to the CA about the account or the order. */
export const toTheCa: Wrapper[] = ['account', 'issuer', 'order-create', 'order-finalize', 'order-other', 'accept', 'log', 'request', 'certificate']
