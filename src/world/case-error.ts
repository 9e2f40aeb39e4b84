import { TriageError, type ErrorCode } from '../shared/errors.ts'

/** A case directory that cannot be read: where, what, and what to do about it. */
export class CaseError extends TriageError {
  constructor (code: Extract<ErrorCode, `CASE_${string}`>, where: string, why: string, options?: ErrorOptions) {
    super(code, { where, why }, options)
    this.name = 'CaseError'
  }
}
